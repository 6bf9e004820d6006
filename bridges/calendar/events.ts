import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { CalendarApi } from './calendar-api.ts';
import type { NotifyGuests } from './schemas.ts';
import type { CalendarEvent } from './shapes.ts';

/** Which event. */
export interface EventAddress {
  readonly calendarId: string;
  readonly eventId: string;
}

const SEND_UPDATES = { none: 'none', all: 'all', external: 'externalOnly' } as const;

/** Google's word for whom it mails. Always said: what Google does by default is another thing for each client. */
export function sendUpdatesOf(notify: NotifyGuests): (typeof SEND_UPDATES)[NotifyGuests] {
  return SEND_UPDATES[notify];
}

/** The effect of a request that ends the same when sent twice: with a key, what became of it can be asked. */
export function repeatable(context: ToolContext): 'write' | 'idempotent' {
  return context.idempotencyKey === undefined ? 'idempotent' : 'write';
}

/** The event, deleted ones included. @throws ToolError `not_found` */
export function getEvent(api: CalendarApi, context: ToolContext, address: EventAddress): Promise<CalendarEvent> {
  return api.ask('read', context, (calendar, options) => calendar.events.get({ ...address }, options));
}

/** The event, or undefined where there is none, deleted ones included. */
export async function findEvent(
  api: CalendarApi,
  context: ToolContext,
  address: EventAddress,
): Promise<CalendarEvent | undefined> {
  try {
    return await getEvent(api, context, address);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Whether Google says that there is no such thing (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof ToolError && (error.code === 'not_found' || error.code === 'gone');
}

/** Whether this is an event that was deleted; Google keeps such for a while. */
export function isDeleted(event: CalendarEvent): boolean {
  return event.status === 'cancelled';
}

/** What a tool says that is asked to change what is deleted. */
export function deletedError(): ToolError {
  return new ToolError('event_deleted', 'the event was deleted', {
    hint: 'Create a new one with create_event where it is still wanted',
  });
}

/** Somebody else was faster; nothing was done. */
export function changedMeanwhile(event: CalendarEvent): ToolError {
  return new ToolError('changed_meanwhile', 'the event has changed since it was looked at; nothing was done', {
    hint: 'Look at it with get_event, and call again with the new etag where the change is still right',
    details: { etag: event.etag ?? null, updatedAt: event.updated ?? null },
  });
}
