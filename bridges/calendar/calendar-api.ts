import type { calendar_v3 } from '@googleapis/calendar';
import { GoogleApi } from '../google/google-api.ts';
import type { Settings } from './settings.ts';

/**
 * What the bridge asks for: `calendar.events` reads and writes events of every calendar the account may write, and
 * `calendar.readonly` lists the calendars and tells busy times. Nothing here shares, makes or deletes calendars, so the
 * scope `calendar`, which allows that, is not asked for.
 */
export const SCOPES = [
  'https://www.googleapis.com/auth/calendar.events',
  'https://www.googleapis.com/auth/calendar.readonly',
] as const;

/** The Calendar API, version 3, through Google's SDK, which is loaded with the first request. */
export type CalendarApi = GoogleApi<calendar_v3.Calendar>;

/** Opens nothing yet. */
export function calendarApi({ access, apiUrl }: Settings): CalendarApi {
  return new GoogleApi({
    service: 'Google Calendar',
    access,
    scopes: SCOPES,
    rootUrl: `${apiUrl}/`,
    open: async (auth) => {
      const { calendar } = await import('@googleapis/calendar');
      return calendar({ version: 'v3', auth });
    },
  });
}
