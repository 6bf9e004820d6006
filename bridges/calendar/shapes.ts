import type { calendar_v3 } from '@googleapis/calendar';
import { z } from '../../core/server-kit/schema.ts';

export type CalendarEvent = calendar_v3.Schema$Event;

const RESPONSES = ['needsAction', 'declined', 'tentative', 'accepted'] as const;
const STATUSES = ['confirmed', 'tentative', 'cancelled'] as const;

const response = z.enum(RESPONSES).describe("A guest's answer; needsAction: none yet");

/** An event as lists show it: small, and without anybody's address. */
export const eventSummary = z.object({
  calendarId: z.string(),
  eventId: z.string(),
  etag: z.string().describe('Changes with every change; for ifEtag'),
  status: z.enum(STATUSES).describe('cancelled: it was deleted'),
  summary: z.string().nullable().describe('Title'),
  start: z.string().nullable().describe('A day, or a time with its offset'),
  end: z.string().nullable().describe('Not part of it any more: an all-day event ends the day before'),
  allDay: z.boolean(),
  timeZone: z.string().nullable(),
  location: z.string().nullable(),
  showAs: z.enum(['busy', 'free']),
  guestCount: z.number().int(),
  myResponse: response.nullable().describe('Of the account or calendar itself, where it is a guest'),
  recurringEventId: z.string().nullable().describe('The series this is one occurrence of'),
  htmlLink: z.string().nullable(),
});

/** Everything about one event. */
export const eventDetail = eventSummary.extend({
  description: z.string().nullable(),
  visibility: z.string(),
  eventType: z.string(),
  recurrence: z.array(z.string()).describe('RFC 5545 lines of a series; empty for a single event'),
  organizer: z.string().nullable(),
  attendees: z.array(
    z.object({
      email: z.string(),
      name: z.string().nullable(),
      response,
      optional: z.boolean(),
      organizer: z.boolean(),
      self: z.boolean(),
      comment: z.string().nullable(),
    }),
  ),
  attendeesOmitted: z.boolean().describe('True where Google leaves guests out'),
  videoLink: z.string().nullable(),
  sequence: z.number().int(),
  createdAt: z.string().nullable(),
  updatedAt: z.string().nullable(),
});

/** What most writes answer. */
export const changedEvent = z.object({ event: eventDetail });

export type EventSummary = z.input<typeof eventSummary>;
export type EventDetail = z.input<typeof eventDetail>;

function oneOf<const T extends readonly string[]>(values: T, given: string | null | undefined, otherwise: T[number]) {
  return values.find((value): value is T[number] => value === given) ?? otherwise;
}

function filled(text: string | null | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

/** An event of Google's as lists show it. */
export function summaryOf(event: CalendarEvent, calendarId: string): EventSummary {
  const { start, end, attendees = [] } = event;
  const self = attendees.find((attendee) => attendee.self === true);
  return {
    calendarId,
    eventId: event.id ?? '',
    etag: event.etag ?? '',
    status: oneOf(STATUSES, event.status, 'confirmed'),
    summary: filled(event.summary),
    start: filled(start?.dateTime ?? start?.date),
    end: filled(end?.dateTime ?? end?.date),
    allDay: typeof start?.date === 'string',
    timeZone: filled(start?.timeZone),
    location: filled(event.location),
    showAs: event.transparency === 'transparent' ? 'free' : 'busy',
    guestCount: attendees.filter((attendee) => attendee.resource !== true).length,
    myResponse: self === undefined ? null : oneOf(RESPONSES, self.responseStatus, 'needsAction'),
    recurringEventId: filled(event.recurringEventId),
    htmlLink: filled(event.htmlLink),
  };
}

/** An event of Google's with everything. */
export function detailOf(event: CalendarEvent, calendarId: string): EventDetail {
  return {
    ...summaryOf(event, calendarId),
    description: filled(event.description),
    visibility: event.visibility ?? 'default',
    eventType: event.eventType ?? 'default',
    recurrence: event.recurrence ?? [],
    organizer: filled(event.organizer?.email),
    attendees: (event.attendees ?? []).map((attendee) => ({
      email: attendee.email ?? '',
      name: filled(attendee.displayName),
      response: oneOf(RESPONSES, attendee.responseStatus, 'needsAction'),
      optional: attendee.optional === true,
      organizer: attendee.organizer === true,
      self: attendee.self === true,
      comment: filled(attendee.comment),
    })),
    attendeesOmitted: event.attendeesOmitted === true,
    videoLink: filled(event.hangoutLink),
    sequence: event.sequence ?? 0,
    createdAt: filled(event.created),
    updatedAt: filled(event.updated),
  };
}
