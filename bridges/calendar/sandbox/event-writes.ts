import { randomBytes } from 'node:crypto';
import { checkedTimes } from './event-times.ts';
import { ruleOf } from './occurrences.ts';
import { alreadyDeleted, conditionNotMet, duplicate, invalid, Refusal } from './refusal.ts';
import type { Calendar, Event, Mail, World } from './world.ts';

type Attendee = NonNullable<Event['attendees']>[number];

/** A write as it arrived. */
export interface Write {
  readonly calendar: Calendar;
  /** `If-Match` */
  readonly ifMatch: string | undefined;
  readonly sendUpdates: string;
  /** For links. */
  readonly url: string;
}

const ID = /^[0-9a-v]{5,1024}$/;
const EMAIL = /^[^\s@]+@[^\s@]+$/;
/** Whoever has an address here sees events at Google; the others are told by mail only. */
const AT_GOOGLE = /@(?:lumen-events\.example|gmail\.com)$/;

const READ_ONLY = [
  'kind',
  'etag',
  'id',
  'created',
  'updated',
  'creator',
  'organizer',
  'htmlLink',
  'hangoutLink',
  'iCalUID',
  'sequence',
  'recurringEventId',
  'originalStartTime',
  'locked',
  'attendeesOmitted',
  'eventType',
] as const;

function writable(body: Event): Event {
  const rest: Record<string, unknown> = { ...body };
  for (const name of READ_ONLY) delete rest[name];
  return rest;
}

function checkedAttendees(attendees: readonly Attendee[] | undefined, calendar: Calendar, organizer: string) {
  return attendees?.map((attendee) => {
    const { email, self: _self, organizer: _organizer, responseStatus = 'needsAction', ...rest } = attendee;
    if (typeof email !== 'string' || !EMAIL.test(email)) throw invalid('Invalid attendee email.');
    return {
      ...rest,
      email,
      ...(email === calendar.id ? { self: true } : {}),
      ...(email === organizer ? { organizer: true } : {}),
      responseStatus,
    };
  });
}

function checked(event: Event, calendar: Calendar): Event {
  if (event.recurrence != null) ruleOf(event.recurrence);
  if (!['confirmed', 'tentative', 'cancelled'].includes(event.status ?? '')) throw invalid('Invalid status value.');
  const attendees = checkedAttendees(event.attendees, calendar, event.organizer?.email ?? '');
  const { attendees: _, ...rest } = event;
  return { ...rest, ...checkedTimes(event, calendar.timeZone), ...(attendees?.length ? { attendees } : {}) };
}

function mailsOf(about: Mail['about'], event: Event, { calendar, sendUpdates }: Write): readonly Mail[] {
  if (sendUpdates !== 'all' && sendUpdates !== 'externalOnly') return [];
  return (event.attendees ?? [])
    .map(({ email }) => email ?? '')
    .filter((email) => email !== calendar.id && (sendUpdates === 'all' || !AT_GOOGLE.test(email)))
    .map((to) => ({ to, about, eventId: event.id ?? '' }));
}

function requireMatch(event: Event, { ifMatch }: Write): void {
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== event.etag) throw conditionNotMet();
}

function touched(world: World, event: Event): Event {
  return { ...event, etag: world.nextEtag(), updated: new Date().toISOString() };
}

/** `events.insert` */
export function insertEvent(world: World, write: Write, body: Event): Event {
  const { calendar, url } = write;
  const id = body.id ?? randomBytes(13).toString('hex');
  if (!ID.test(id)) throw invalid('Invalid resource id value.');
  if (world.find(calendar, id) !== undefined) throw duplicate();
  const who = { email: calendar.id, displayName: calendar.summary, self: true };
  const event = touched(
    world,
    checked(
      {
        ...writable(body),
        kind: 'calendar#event',
        id,
        status: body.status ?? 'confirmed',
        htmlLink: `${url}/calendar/event?eid=${id}`,
        created: new Date().toISOString(),
        creator: who,
        organizer: who,
        iCalUID: `${id}@google.com`,
        sequence: 0,
        reminders: body.reminders ?? { useDefault: true },
        eventType: 'default',
      },
      calendar,
    ),
  );
  world.post(mailsOf('invitation', event, write));
  return world.put(calendar, event);
}

/** Members of `change` into `old`, as a patch means them: null takes away, maps are merged, lists replaced. */
function merged(old: Readonly<Record<string, unknown>>, change: Readonly<Record<string, unknown>>) {
  const result: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(change)) {
    const before = result[name];
    if (value === null) delete result[name];
    else if (isMap(value)) result[name] = merged(isMap(before) ? before : {}, value);
    else result[name] = value;
  }
  return result;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A list that says it is incomplete changes the answers of those in it. */
function answered(event: Event, body: Event): Event {
  const attendees = (event.attendees ?? []).map((attendee) => ({
    ...attendee,
    ...body.attendees?.find(({ email }) => email === attendee.email),
  }));
  return { ...body, attendees };
}

/** `events.patch` */
export function patchEvent(world: World, write: Write, id: string, body: Event): Event {
  const { calendar } = write;
  const old = world.get(calendar, id);
  requireMatch(old, write);
  const change = writable(body.attendeesOmitted === true ? answered(old, body) : body);
  const mine = old.organizer?.self === true;
  const allowed = new Set(['attendees', 'extendedProperties', 'reminders', 'transparency', 'colorId', 'status']);
  if (!mine && Object.keys(change).some((name) => !allowed.has(name))) {
    throw new Refusal(
      403,
      'forbiddenForNonOrganizer',
      'Shared properties can only be changed by the organizer of the event.',
      'calendar',
    );
  }
  const next = checked(merged(old as Record<string, unknown>, change as Record<string, unknown>), calendar);
  const rescheduled =
    JSON.stringify([old.start, old.end, old.recurrence]) !== JSON.stringify([next.start, next.end, next.recurrence]);
  const event = touched(world, { ...next, sequence: (old.sequence ?? 0) + (rescheduled ? 1 : 0) });
  world.post(mailsOf(mine ? 'update' : 'response', event, write));
  return world.put(calendar, event);
}

/** `events.update`: what is not given is taken away. */
export function replaceEvent(world: World, write: Write, id: string, body: Event): Event {
  const old = world.get(write.calendar, id);
  const gone = Object.fromEntries(
    Object.keys(writable(old))
      .filter((name) => name !== 'status' && !(name in body))
      .map((name) => [name, null]),
  );
  return patchEvent(world, write, id, { ...(gone as Event), ...body });
}

/** `events.delete` */
export function deleteEvent(world: World, write: Write, id: string): void {
  const { calendar } = write;
  const event = world.get(calendar, id);
  if (event.status === 'cancelled') throw alreadyDeleted();
  requireMatch(event, write);
  const cancelled = (one: Event) =>
    world.put(calendar, touched(world, { ...one, status: 'cancelled', sequence: (one.sequence ?? 0) + 1 }));
  cancelled(event);
  for (const other of world.stored(calendar)) if (other.recurringEventId === id) cancelled(other);
  world.post(mailsOf('cancellation', event, write));
}

/** `events.move` */
export function moveEvent(world: World, write: Write, id: string, destination: Calendar): Event {
  const { calendar } = write;
  const old = world.get(calendar, id);
  if (old.status === 'cancelled') throw alreadyDeleted();
  if (old.recurringEventId != null) throw invalid('Cannot move an instance of a recurring event.');
  if (old.organizer?.self !== true) {
    throw new Refusal(403, 'forbiddenForNonOrganizer', 'Only the organizer can move an event.', 'calendar');
  }
  if (destination.id === calendar.id) throw invalid('The source and destination calendar cannot be the same.');
  if (world.find(destination, id) !== undefined) throw duplicate();
  const organizer = { email: destination.id, displayName: destination.summary, self: true };
  const event = touched(world, checked({ ...old, organizer, sequence: (old.sequence ?? 0) + 1 }, destination));
  world.put(destination, event);
  // What is left behind is down to its id.
  world.put(calendar, touched(world, { kind: 'calendar#event', id, status: 'cancelled' }));
  world.post(mailsOf('update', event, write));
  return event;
}
