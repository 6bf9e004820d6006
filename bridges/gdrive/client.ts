import type { drive_v3 } from '@googleapis/drive';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import type { RequestOptions } from '../google/client-options.ts';
import { type GoogleAnswer, GoogleApi } from '../google/google-api.ts';
import type { Settings } from './settings.ts';

/** A method's promise as the SDK gives it. */
type Sent<T> = Promise<GoogleAnswer<T>>;

/** Google Drive as the tools use it. */
export class DriveClient {
  readonly settings: Settings;
  readonly #api: GoogleApi<drive_v3.Drive>;

  constructor(settings: Settings) {
    this.settings = settings;
    this.#api = new GoogleApi({
      service: 'Google Drive',
      access: settings.access,
      scopes: settings.scopes,
      rootUrl: `${settings.apiUrl}/`,
      open: async (auth) => {
        const { drive } = await import('@googleapis/drive');
        return drive({ version: 'v3', auth });
      },
    });
  }

  /** A request that changes nothing. @throws ToolError */
  read<T>(context: ToolContext, send: (drive: drive_v3.Drive, options: RequestOptions) => Sent<T>): Promise<T> {
    return this.#api.ask('read', context, send);
  }

  /** A request that ends the same when it is sent twice. @throws ToolError */
  set<T>(context: ToolContext, send: (drive: drive_v3.Drive, options: RequestOptions) => Sent<T>): Promise<T> {
    return this.#api.ask('idempotent', context, send);
  }

  /** A request that must not be sent twice. @throws ToolError, `outcome_unknown` where nobody knows whether it ran */
  write<T>(context: ToolContext, send: (drive: drive_v3.Drive, options: RequestOptions) => Sent<T>): Promise<T> {
    return this.#api.ask('write', context, send);
  }

  /** Where something is made that was given no folder. */
  get home(): string {
    return this.settings.sharedDriveId ?? 'root';
  }

  /** What a listing looks through. */
  get corpus(): { readonly corpora: string; readonly driveId?: string } {
    const { sharedDriveId } = this.settings;
    return sharedDriveId === undefined ? { corpora: 'user' } : { corpora: 'drive', driveId: sharedDriveId };
  }
}
