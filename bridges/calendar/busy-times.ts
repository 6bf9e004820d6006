import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import type { CalendarApi } from './calendar-api.ts';

/** When one calendar is busy, or why Google does not say. */
export interface BusyTimes {
  readonly calendarId: string;
  readonly busy: readonly { readonly start: string; readonly end: string }[];
  /** E.g. `notFound`; null where the busy times are complete. */
  readonly problem: string | null;
}

/** When calendars are busy between two instants, in the order they were asked for. @throws ToolError */
export async function busyTimes(
  api: CalendarApi,
  context: ToolContext,
  ask: {
    readonly calendarIds: readonly string[];
    readonly timeMin: string;
    readonly timeMax: string;
    readonly timeZone?: string | undefined;
  },
): Promise<readonly BusyTimes[]> {
  const { calendarIds, timeMin, timeMax, timeZone } = ask;
  const asked = [...new Set(calendarIds)];
  const { calendars = {} } = await api.ask('read', context, (calendar, options) =>
    calendar.freebusy.query(
      {
        requestBody: {
          timeMin,
          timeMax,
          items: asked.map((id) => ({ id })),
          ...(timeZone === undefined ? {} : { timeZone }),
        },
      },
      options,
    ),
  );
  return asked.map((calendarId) => {
    const { busy = [], errors = [] } = calendars?.[calendarId] ?? { errors: [{ reason: 'notFound' }] };
    return {
      calendarId,
      busy: busy.map(({ start, end }) => ({ start: start ?? '', end: end ?? '' })),
      problem: errors[0] === undefined ? null : (errors[0].reason ?? 'unknown'),
    };
  });
}
