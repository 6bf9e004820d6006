import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { deletedError, findEvent, isDeleted, isGone, repeatable, sendUpdatesOf } from '../events.ts';
import { calendarId, calendarIdOrOwn, eventId, notifyGuests } from '../schemas.ts';
import { type CalendarEvent, changedEvent, detailOf } from '../shapes.ts';

/** The event where it was to go. An invitation of the same event has the same id, but another organizer. */
async function arrived(
  api: CalendarApi,
  context: ToolContext,
  id: string,
  destination: string,
): Promise<CalendarEvent | undefined> {
  const event = await findEvent(api, context, { calendarId: destination, eventId: id });
  return event !== undefined && !isDeleted(event) && event.organizer?.self === true ? event : undefined;
}

/** `move_event` */
export function moveEventTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'move_event',
    title: 'Move an event to another calendar',
    description:
      'Moves an event to another calendar, which becomes its organizer; id, times and guests stay. Both calendars must be writable. One occurrence of a series cannot be moved. ' +
      'For another time use update_event. An event that is there already is answered as moved. Nobody is mailed unless notifyGuests asks for it.',
    effect: 'idempotent',
    destructive: false,
    openWorld: true,
    input: z.object({
      calendarId: calendarIdOrOwn.describe('Where it is now'),
      eventId,
      destinationCalendarId: calendarId.describe('Where it shall be; list_calendars tells ids'),
      notifyGuests,
    }),
    output: changedEvent,
    run: async ({ calendarId: from, eventId: id, destinationCalendarId: to, notifyGuests: notify }, context) => {
      if (from === to) {
        throw new ToolError('invalid_arguments', '/destinationCalendarId: is where the event is', {
          hint: 'Give another calendar',
          details: { errors: [{ pointer: '/destinationCalendarId', message: 'is where the event is' }] },
        });
      }
      // Google would answer a move of what was moved before with the cancelled trace that it left behind.
      const current = await findEvent(api, context, { calendarId: from, eventId: id });
      if (current === undefined || isDeleted(current)) {
        const there = await arrived(api, context, id, to);
        if (there !== undefined) return { event: detailOf(there, to) };
        if (current !== undefined) throw deletedError();
      }
      try {
        const moved = await api.ask(repeatable(context), context, (calendar, options) =>
          calendar.events.move(
            { calendarId: from, eventId: id, destination: to, sendUpdates: sendUpdatesOf(notify) },
            options,
          ),
        );
        return { event: detailOf(moved, to) };
      } catch (error) {
        // Another request may have moved it since the look.
        const there = isGone(error) ? await arrived(api, context, id, to) : undefined;
        if (there === undefined) throw error;
        return { event: detailOf(there, to) };
      }
    },
    reconcile: async ({ calendarId: from, eventId: id, destinationCalendarId: to }, context) => {
      const there = await arrived(api, context, id, to);
      if (there !== undefined) return { found: 'executed', result: { event: detailOf(there, to) } };
      const here = await findEvent(api, context, { calendarId: from, eventId: id });
      return here !== undefined && !isDeleted(here)
        ? // A request under way moves it to where the same key run again would: moving it again changes nothing.
          { found: 'not_executed' }
        : { found: 'unknown', looked: 'the event is in neither calendar' };
    },
  });
}
