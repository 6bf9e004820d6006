import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { CalendarApi } from '../calendar-api.ts';
import {
  changedMeanwhile,
  type EventAddress,
  findEvent,
  isDeleted,
  isGone,
  repeatable,
  sendUpdatesOf,
} from '../events.ts';
import { calendarIdOrOwn, eventId, ifEtag, notifyGuests } from '../schemas.ts';

/** Google answers 404 for an unknown calendar too, where nothing was deleted at all. @throws ToolError `not_found` */
async function requireCalendar(api: CalendarApi, context: ToolContext, calendarId: string): Promise<void> {
  try {
    await api.ask('read', context, (calendar, options) => calendar.calendars.get({ calendarId }, options));
  } catch (error) {
    if (!isGone(error)) throw error;
    throw new ToolError('not_found', 'there is no such calendar, or the account may not see it', {
      hint: 'list_calendars tells the ids',
    });
  }
}

/** The event changed after all, or is gone and so as it should be. */
async function afterRefusal(api: CalendarApi, context: ToolContext, address: EventAddress): Promise<void> {
  const event = await findEvent(api, context, address);
  if (event !== undefined && !isDeleted(event)) throw changedMeanwhile(event);
}

/** `delete_event` */
export function deleteEventTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'delete_event',
    title: 'Delete an event',
    description:
      'Deletes an event: of a series every occurrence, by the id of one occurrence only this one. An event that is not there any more is answered as deleted. ' +
      'Give ifEtag to delete only the version that was looked at. Guests lose it from their calendars and are not mailed unless notifyGuests asks for it. To keep it elsewhere use move_event.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({ calendarId: calendarIdOrOwn, eventId, ifEtag, notifyGuests }),
    output: z.object({ calendarId: z.string(), eventId: z.string(), deleted: z.literal(true) }),
    run: async ({ calendarId, eventId: id, ifEtag: etag, notifyGuests: notify }, context) => {
      const address = { calendarId, eventId: id };
      try {
        await api.ask(repeatable(context), context, (calendar, options) =>
          calendar.events.delete(
            { ...address, sendUpdates: sendUpdatesOf(notify) },
            { ...options, ...(etag === undefined ? {} : { headers: { 'If-Match': etag } }) },
          ),
        );
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        if (error.code === 'not_found') await requireCalendar(api, context, calendarId);
        else if (error.code === 'changed_meanwhile') await afterRefusal(api, context, address);
        else if (error.code !== 'gone') throw error;
      }
      return { ...address, deleted: true as const };
    },
    reconcile: async ({ calendarId, eventId: id }, context) => {
      const address = { calendarId, eventId: id };
      const event = await findEvent(api, context, address);
      if (event === undefined) await requireCalendar(api, context, calendarId);
      return event === undefined || isDeleted(event)
        ? { found: 'executed', result: { ...address, deleted: true as const } }
        : // A request under way deletes what the same key run again would: deleting it again changes nothing.
          { found: 'not_executed' };
    },
  });
}
