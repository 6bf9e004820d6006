import type { TwilioClient } from '../client.ts';
import type { KnownSends } from '../known-sends.ts';
import type { Settings } from '../settings.ts';

/** What every tool of this server is made with. */
export interface Toolbox {
  readonly settings: Settings;
  readonly client: TwilioClient;
  readonly known: KnownSends;
}
