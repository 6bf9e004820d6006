import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { changeEvent } from '../change-event.ts';
import { findEvent, isDeleted } from '../events.ts';
import { attendeesOf, guestListError, newGuests } from '../guest-list.ts';
import { calendarIdOrOwn, eventId, guests, ifEtag, notifyGuests } from '../schemas.ts';
import { changedEvent, detailOf } from '../shapes.ts';

/** `add_attendees` */
export function addAttendeesTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'add_attendees',
    title: 'Add guests',
    description:
      'Adds guests to an event and leaves those who are on it, with their answers, as they are. Whoever is invited already is left alone, so a repeat changes nothing. ' +
      'Nobody is mailed unless notifyGuests asks for it; then Google may write to the guests who were there before too. Guests are taken off with update_event.',
    effect: 'idempotent',
    destructive: false,
    openWorld: true,
    input: z.object({
      calendarId: calendarIdOrOwn,
      eventId,
      attendees: guests.min(1),
      ifEtag,
      notifyGuests,
    }),
    output: changedEvent,
    run: async ({ calendarId, eventId: id, attendees, ifEtag: etag, notifyGuests: notify }, context) => {
      const event = await changeEvent(api, context, {
        address: { calendarId, eventId: id },
        ifEtag: etag,
        notifyGuests: notify,
        effect: 'idempotent',
        patch: (current) => {
          const added = newGuests(current, attendees);
          if (added.length === 0) return undefined;
          if (current.attendeesOmitted === true) throw guestListError();
          return { attendees: [...(current.attendees ?? []), ...attendeesOf(added)] };
        },
      });
      return { event: detailOf(event, calendarId) };
    },
    reconcile: async ({ calendarId, eventId: id, attendees }, context) => {
      const event = await findEvent(api, context, { calendarId, eventId: id });
      if (event === undefined || isDeleted(event)) {
        return { found: 'unknown', looked: 'the event is not there any more' };
      }
      return newGuests(event, attendees).length === 0
        ? { found: 'executed', result: { event: detailOf(event, calendarId) } }
        : // A request under way carries If-Match and adds these same guests: running it again adds nobody twice.
          { found: 'not_executed' };
    },
  });
}
