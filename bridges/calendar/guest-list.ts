import type { calendar_v3 } from '@googleapis/calendar';
import type { z } from '../../core/server-kit/schema.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { guest } from './schemas.ts';
import type { CalendarEvent } from './shapes.ts';

type Attendee = calendar_v3.Schema$EventAttendee;
type Guest = z.output<typeof guest>;

/** Whether two addresses are the same mailbox for Google. */
export function sameAddress(one: string | null | undefined, other: string | null | undefined): boolean {
  return one?.toLowerCase() === other?.toLowerCase();
}

/** Guests as Google takes them. */
export function attendeesOf(guests: readonly Guest[]): Attendee[] {
  return guests.map(({ email, name, optional }) => ({
    email,
    ...(name === undefined ? {} : { displayName: name }),
    ...(optional ? { optional } : {}),
  }));
}

/** Those who are not invited yet, each once. */
export function newGuests({ attendees = [] }: CalendarEvent, guests: readonly Guest[]): readonly Guest[] {
  const known = new Set(attendees.map(({ email }) => email?.toLowerCase()));
  return guests.filter(({ email }) => {
    const address = email.toLowerCase();
    if (known.has(address)) return false;
    known.add(address);
    return true;
  });
}

/** A list that is not whole must not be sent back: whoever is left out would be uninvited. */
export function guestListError(): ToolError {
  return new ToolError('guest_list_incomplete', 'Google does not show all guests of this event; nothing was changed', {
    hint: "Have the organizer change the guests, or use the organizer's calendar",
  });
}
