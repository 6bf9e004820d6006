import { instant, z } from '../../core/server-kit/schema.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { CalendarApi } from './calendar-api.ts';
import { cursorOf, pageOf } from './paging.ts';
import { calendarIdOrOwn, cursor, limit, nextCursor } from './schemas.ts';
import { eventSummary, summaryOf } from './shapes.ts';

/** What both tools that list events take. */
export const listInput = {
  calendarId: calendarIdOrOwn,
  timeMin: instant.optional().describe('Only events that end later; default now'),
  timeMax: instant.optional().describe('Only events that begin earlier; default no end'),
  limit,
  cursor,
} as const;

/** What both answer. */
export const listOutput = z.object({ events: z.array(eventSummary), nextCursor });

interface ListArguments {
  readonly calendarId: string;
  readonly timeMin?: string | undefined;
  readonly timeMax?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** Words to look for. */
  readonly q?: string;
}

/** One page of events in the order of their start, every occurrence of a series by itself. @throws ToolError */
export async function listPage(
  api: CalendarApi,
  context: ToolContext,
  { calendarId, timeMax, limit: maxResults, q, ...given }: ListArguments,
): Promise<z.input<typeof listOutput>> {
  const page = given.cursor === undefined ? undefined : pageOf(given.cursor);
  // Google wants the same question for every page, and "now" would be another one.
  const timeMin = given.timeMin ?? page?.timeMin ?? new Date().toISOString();
  if (timeMax !== undefined && Date.parse(timeMax) <= Date.parse(timeMin)) {
    throw new ToolError('invalid_arguments', '/timeMax: must be later than timeMin (default now)', {
      hint: 'Give timeMin too where the time to look at is past',
      details: { errors: [{ pointer: '/timeMax', message: 'must be later than timeMin' }] },
    });
  }
  const { items = [], nextPageToken } = await api.ask('read', context, (calendar, options) =>
    calendar.events.list(
      {
        calendarId,
        singleEvents: true,
        orderBy: 'startTime',
        maxResults,
        timeMin,
        ...(timeMax === undefined ? {} : { timeMax }),
        ...(q === undefined ? {} : { q }),
        ...(page === undefined ? {} : { pageToken: page.token }),
      },
      options,
    ),
  );
  return {
    events: items.map((event) => summaryOf(event, calendarId)),
    nextCursor: cursorOf(nextPageToken, timeMin),
  };
}
