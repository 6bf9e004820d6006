import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { CalendarApi } from './calendar-api.ts';
import {
  changedMeanwhile,
  deletedError,
  type EventAddress,
  getEvent,
  isDeleted,
  repeatable,
  sendUpdatesOf,
} from './events.ts';
import { changeMarks, hasChange } from './key-marks.ts';
import type { NotifyGuests } from './schemas.ts';
import type { CalendarEvent } from './shapes.ts';

/** One change of one event. */
export interface Change {
  readonly address: EventAddress;
  /** The version the caller has in mind; undefined: whichever is there. */
  readonly ifEtag: string | undefined;
  readonly notifyGuests: NotifyGuests;
  /** What repeating the change does. A `write` is marked with its key, so that it is found to have been done. */
  readonly effect: 'write' | 'idempotent';
  /** What to send, from the event as it is; undefined where it is so already. @throws ToolError where it cannot be */
  patch(event: CalendarEvent): CalendarEvent | undefined;
}

/** How often a change is worked out anew because somebody else changed the event in between. */
const MAX_TRIES = 3;

/**
 * Changes an event by looking at it first and sending the change with `If-Match`, so that no other change is lost, and so
 * that of two requests with the same key, wherever they are, Google takes one.
 * @returns the event as it is afterwards
 * @throws ToolError `changed_meanwhile`, `event_deleted`, `not_found` and what the request fails with
 */
export async function changeEvent(api: CalendarApi, context: ToolContext, change: Change): Promise<CalendarEvent> {
  const { address, ifEtag, effect } = change;
  const key = effect === 'write' ? context.idempotencyKey : undefined;
  for (let left = MAX_TRIES; ; left--) {
    const event = await getEvent(api, context, address);
    if (key !== undefined && hasChange(event, key)) return event;
    if (isDeleted(event)) throw deletedError();
    if (ifEtag !== undefined && event.etag !== ifEtag) throw changedMeanwhile(event);
    const patch = change.patch(event);
    if (patch === undefined) return event;
    const marked = key === undefined ? patch : withMark(patch, event, key);
    try {
      return await send(api, context, change, event, marked);
    } catch (error) {
      // Google did nothing; what is there now may be this very change, sent before and arrived late.
      if (!(error instanceof ToolError) || error.code !== 'changed_meanwhile') throw error;
      if (left <= 1) throw changedMeanwhile(await getEvent(api, context, address));
    }
  }
}

function withMark(patch: CalendarEvent, event: CalendarEvent, key: string): CalendarEvent {
  return { ...patch, extendedProperties: { private: { ...changeMarks(event, key) } } };
}

function send(
  api: CalendarApi,
  context: ToolContext,
  { address, notifyGuests, effect }: Change,
  { etag }: CalendarEvent,
  requestBody: CalendarEvent,
): Promise<CalendarEvent> {
  return api.ask(effect === 'write' ? effect : repeatable(context), context, (calendar, options) =>
    calendar.events.patch(
      { ...address, sendUpdates: sendUpdatesOf(notifyGuests), requestBody },
      { ...options, ...(typeof etag === 'string' ? { headers: { 'If-Match': etag } } : {}) },
    ),
  );
}
