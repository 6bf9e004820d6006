import { flag, optionalText, readEnvironment, serviceUrl, type Variable } from '../../core/server-kit/environment.ts';
import { type GoogleAccess, googleAccess, googleVariables } from '../google/credentials.ts';

/** What the server was told, checked. */
export interface Settings {
  readonly access: GoogleAccess;
  readonly scopes: readonly string[];
  /** Searches look here only, and what is made without a folder is made here. */
  readonly sharedDriveId: string | undefined;
  readonly allowPublicLinks: boolean;
  readonly apiUrl: string;
}

const SCOPES = ['drive', 'drive.file'] as const;

const scope: Variable<(typeof SCOPES)[number]> = {
  help: 'how much of the account the server may use',
  required: false,
  fallback: 'drive',
  parse: (text) => {
    const known = SCOPES.find((name) => name === text);
    if (known === undefined) throw new Error(`must be ${SCOPES.join(' or ')}`);
    return known;
  },
};

/** Reads the settings. @throws EnvironmentError */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(
    {
      ...googleVariables,
      GDRIVE_SCOPE: scope,
      GDRIVE_SHARED_DRIVE_ID: optionalText('id of a shared drive to work in'),
      GDRIVE_ALLOW_PUBLIC_LINKS: flag('lets share_file open a file to everybody who has its link', false),
      GDRIVE_API_URL: serviceUrl('address of a stand-in', 'https://www.googleapis.com'),
    },
    source,
  );
  return {
    access: googleAccess(values),
    scopes: [`https://www.googleapis.com/auth/${values.GDRIVE_SCOPE}`],
    sharedDriveId: values.GDRIVE_SHARED_DRIVE_ID,
    allowPublicLinks: values.GDRIVE_ALLOW_PUBLIC_LINKS,
    apiUrl: values.GDRIVE_API_URL,
  };
}
