import { readEnvironment, serviceUrl } from '../../core/server-kit/environment.ts';
import { type GoogleAccess, googleAccess, googleVariables } from '../google/credentials.ts';

/** What the server was told, checked. */
export interface Settings {
  readonly access: GoogleAccess;
  /** Where the Calendar API is, without a slash at the end. */
  readonly apiUrl: string;
}

/** Google's own address of the API. */
export const GOOGLE_API_URL = 'https://www.googleapis.com';

/** What `GOOGLE_CALENDAR_API_URL` is, for the manifest too. */
export const API_URL_HELP = 'where a stand-in of the Calendar API listens; leave it unset for Google itself';

/** Reads the settings. @throws EnvironmentError with every problem */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(
    { ...googleVariables, GOOGLE_CALENDAR_API_URL: serviceUrl(API_URL_HELP, GOOGLE_API_URL) },
    source,
  );
  return { access: googleAccess(values), apiUrl: values.GOOGLE_CALENDAR_API_URL };
}
