import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { cursorOf, pageOf } from '../paging.ts';
import { cursor, limit, nextCursor } from '../schemas.ts';

const ROLES = ['freeBusyReader', 'reader', 'writer', 'owner'] as const;

/** `list_calendars` */
export function listCalendarsTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'list_calendars',
    title: 'List calendars',
    description:
      'Lists the calendars of the account with their ids, time zones and what the account may do there. Start here: every other tool takes a calendarId. ' +
      'freeBusyReader sees only busy times (free_busy), reader sees events, writer and owner may change them.',
    effect: 'read',
    input: z.object({
      minRole: z.enum(ROLES).optional().describe('Only calendars where the account may do at least this'),
      includeHidden: z.boolean().default(false),
      limit,
      cursor,
    }),
    output: z.object({
      calendars: z.array(
        z.object({
          calendarId: z.string(),
          name: z.string(),
          description: z.string().nullable(),
          timeZone: z.string().nullable(),
          role: z.string(),
          primary: z.boolean(),
        }),
      ),
      nextCursor,
    }),
    run: async ({ minRole, includeHidden, limit: maxResults, cursor: given }, context) => {
      const page = given === undefined ? undefined : pageOf(given);
      const { items = [], nextPageToken } = await api.ask('read', context, (calendar, options) =>
        calendar.calendarList.list(
          {
            maxResults,
            showHidden: includeHidden,
            ...(minRole === undefined ? {} : { minAccessRole: minRole }),
            ...(page === undefined ? {} : { pageToken: page.token }),
          },
          options,
        ),
      );
      return {
        calendars: items.map((item) => ({
          calendarId: item.id ?? '',
          name: item.summaryOverride ?? item.summary ?? '',
          description: item.description ?? null,
          timeZone: item.timeZone ?? null,
          role: item.accessRole ?? 'none',
          primary: item.primary === true,
        })),
        nextCursor: cursorOf(nextPageToken, ''),
      };
    },
  });
}
