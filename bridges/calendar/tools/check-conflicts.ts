import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { type BusyTimes, busyTimes } from '../busy-times.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { calendarId, eventId, eventTime, timeZone } from '../schemas.ts';
import { type CalendarEvent, summaryOf } from '../shapes.ts';
import { spanOf } from '../span.ts';

const MAX_CALENDARS = 10;
/** Per calendar; what is beyond does not change that the time is taken. */
const MAX_CONFLICTS = 20;

const conflict = z.object({
  calendarId: z.string(),
  eventId: z.string().nullable().describe('null where the account sees busy times only'),
  summary: z.string().nullable(),
  status: z.string().nullable(),
  start: z.string(),
  end: z.string(),
});

type Conflict = z.input<typeof conflict>;

interface Question {
  readonly timeMin: string;
  readonly timeMax: string;
  readonly ignored: string | undefined;
}

function blocks(event: CalendarEvent): boolean {
  const self = event.attendees?.find((attendee) => attendee.self === true);
  return (
    event.status !== 'cancelled' &&
    event.transparency !== 'transparent' &&
    event.eventType !== 'workingLocation' &&
    self?.responseStatus !== 'declined'
  );
}

function isIgnored(event: CalendarEvent, ignored: string | undefined): boolean {
  return ignored !== undefined && (event.id === ignored || event.recurringEventId === ignored);
}

/** What stands in the way in one calendar that is busy. */
async function conflictsOf(
  api: CalendarApi,
  context: ToolContext,
  { calendarId: id, busy }: BusyTimes,
  { timeMin, timeMax, ignored }: Question,
): Promise<readonly Conflict[]> {
  const hidden = busy.map(({ start, end }) => ({
    calendarId: id,
    eventId: null,
    summary: null,
    status: null,
    start,
    end,
  }));
  try {
    const { items = [], nextPageToken } = await api.ask('read', context, (calendar, options) =>
      calendar.events.list(
        { calendarId: id, singleEvents: true, orderBy: 'startTime', timeMin, timeMax, maxResults: 100 },
        options,
      ),
    );
    const blocking = items.filter(blocks);
    const counted = blocking.filter((event) => !isIgnored(event, ignored));
    // Busy without an event to show: the account sees the times only, or the event is on a later page.
    if (blocking.length === 0 || (counted.length === 0 && nextPageToken != null)) return hidden;
    return counted.map((event) => {
      const { eventId: found, summary, status, start, end } = summaryOf(event, id);
      return { calendarId: id, eventId: found, summary, status, start: start ?? '', end: end ?? '' };
    });
  } catch (error) {
    if (error instanceof ToolError && (error.code === 'not_found' || error.code === 'permission_denied')) return hidden;
    throw error;
  }
}

/** `check_conflicts` */
export function checkConflictsTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'check_conflicts',
    title: 'Check a time for conflicts',
    description:
      `Whether a time is free in up to ${MAX_CALENDARS} calendars (staff, venues, own), and which events stand in the way, with an optional buffer before and after for travel or setting up. ` +
      'Mostly one request. When an event is to be rescheduled name it in ignoreEventId, so that it does not stand in its own way. It reserves nothing: create_event does.',
    effect: 'read',
    input: z.object({
      calendarIds: z.array(calendarId).min(1).max(MAX_CALENDARS).default(['primary']),
      start: eventTime,
      end: eventTime.describe('When it would be over; of days the day after the last one'),
      timeZone: timeZone.optional().describe('Of start and end; days are UTC days without it'),
      bufferMinutes: z.number().int().min(0).max(480).default(0).describe('Also free so long before and after'),
      ignoreEventId: eventId.optional().describe('An event, or a series, that does not count'),
    }),
    output: z.object({
      free: z.boolean().describe('True where every calendar could be read and none is busy'),
      conflicts: z.array(conflict),
      unreadable: z.array(z.object({ calendarId: z.string(), problem: z.string() })),
    }),
    run: async ({ calendarIds, bufferMinutes, ignoreEventId: ignored, ...when }, context) => {
      const { startMs, endMs } = spanOf(when);
      const question = {
        timeMin: new Date(startMs - bufferMinutes * 60_000).toISOString(),
        timeMax: new Date(endMs + bufferMinutes * 60_000).toISOString(),
        ignored,
      };
      const found = await busyTimes(api, context, { calendarIds, ...question });
      const conflicts = await Promise.all(
        found
          .filter(({ busy }) => busy.length > 0)
          .map(async (calendar) => (await conflictsOf(api, context, calendar, question)).slice(0, MAX_CONFLICTS)),
      );
      const unreadable = found.flatMap(({ calendarId: id, problem }) =>
        problem === null ? [] : [{ calendarId: id, problem }],
      );
      return { free: conflicts.flat().length + unreadable.length === 0, conflicts: conflicts.flat(), unreadable };
    },
  });
}
