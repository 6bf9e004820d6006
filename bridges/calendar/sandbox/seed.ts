import { createHash } from 'node:crypto';
import { addDays, instantOf, localOf, withOffset } from '../times.ts';
import type { Calendar, Event, World } from './world.ts';

const ZONE = 'Europe/Berlin';
const HOUSE = 'lumen-events.example';

/** The account that the stand-in knows, and its calendars. */
export const calendars = {
  own: { id: `mara.lindqvist@${HOUSE}`, summary: 'Mara Lindqvist', timeZone: ZONE, accessRole: 'owner', primary: true },
  weddings: {
    id: 'c_5f1weddings@group.calendar.google.com',
    summary: 'Weddings',
    description: 'Every wedding with its days of setting up and taking down',
    timeZone: ZONE,
    accessRole: 'owner',
  },
  venues: {
    id: 'c_5f2venues@group.calendar.google.com',
    summary: 'Venue visits',
    description: 'Who looks at which venue with whom',
    timeZone: ZONE,
    accessRole: 'writer',
  },
  staff: {
    id: 'c_5f3staff@group.calendar.google.com',
    summary: 'Staff shifts',
    timeZone: ZONE,
    accessRole: 'owner',
  },
  lisbon: {
    id: 'c_5f4lisbon@group.calendar.google.com',
    summary: 'Lisbon office',
    timeZone: 'Europe/Lisbon',
    accessRole: 'reader',
    hidden: true,
  },
  holidays: {
    id: 'en.german#holiday@group.v.calendar.google.com',
    summary: 'Holidays in Germany',
    timeZone: ZONE,
    accessRole: 'reader',
  },
  jonas: { id: `jonas.weber@${HOUSE}`, summary: 'Jonas Weber', timeZone: ZONE, accessRole: 'freeBusyReader' },
} as const satisfies Readonly<Record<string, Calendar>>;

const people = {
  mara: { email: calendars.own.id, displayName: 'Mara Lindqvist' },
  jonas: { email: calendars.jonas.id, displayName: 'Jonas Weber' },
  aylin: { email: `aylin.kaya@${HOUSE}`, displayName: 'Aylin Kaya' },
  tomas: { email: `tomas.brandt@${HOUSE}`, displayName: 'Tomas Brandt' },
  okafor: { email: 'ngozi.okafor@example.org', displayName: 'Ngozi Okafor' },
  reyes: { email: 'daniel.reyes@gmail.com', displayName: 'Daniel Reyes' },
  seeblick: { email: 'bankett@hotel-seeblick.example', displayName: 'Hotel Seeblick' },
  fair: { email: 'messe@florale.example', displayName: 'Florale Fair' },
} as const;

type Person = (typeof people)[keyof typeof people];

/** When: days from today with wall-clock times, or whole days. */
type When =
  | { readonly day: number; readonly from: string; readonly to: string; readonly endDay?: number }
  | { readonly day: number; readonly days: number };

interface Seed {
  readonly name: string;
  readonly calendar: Calendar;
  readonly when: When;
  readonly guests?: readonly (readonly [Person, 'needsAction' | 'accepted' | 'declined' | 'tentative'])[];
  readonly organizer?: Person;
  readonly more?: Event;
}

const seeds: readonly Seed[] = [
  {
    name: 'Planning round',
    calendar: calendars.own,
    when: { day: -28, from: '09:00', to: '09:30' },
    guests: [
      [people.mara, 'accepted'],
      [people.jonas, 'accepted'],
      [people.aylin, 'accepted'],
    ],
    more: { recurrence: ['RRULE:FREQ=WEEKLY;COUNT=60'], description: 'What is on this week, what is late' },
  },
  {
    name: 'Call: terrace of Hotel Seeblick',
    calendar: calendars.own,
    when: { day: 1, from: '10:00', to: '10:45' },
    guests: [
      [people.mara, 'accepted'],
      [people.seeblick, 'accepted'],
    ],
    more: {
      description: 'Heating, rain plan, last round at 23:00',
      hangoutLink: 'https://meet.google.com/aaa-bbbb-ccc',
    },
  },
  {
    name: 'Dentist',
    calendar: calendars.own,
    when: { day: 2, from: '08:15', to: '09:00' },
    more: { visibility: 'private' },
  },
  {
    name: 'Budget: Okafor and Reyes',
    calendar: calendars.own,
    when: { day: 3, from: '14:00', to: '15:30' },
    guests: [
      [people.mara, 'accepted'],
      [people.okafor, 'accepted'],
      [people.reyes, 'needsAction'],
      [people.tomas, 'tentative'],
    ],
    more: { location: 'Lumen Events, Torstraße 1, Berlin' },
  },
  {
    name: 'Florale: spring fair for florists',
    calendar: calendars.own,
    when: { day: 6, from: '11:00', to: '18:00' },
    organizer: people.fair,
    guests: [
      [people.fair, 'accepted'],
      [people.mara, 'needsAction'],
    ],
    more: { location: 'Messe Berlin, Halle 3' },
  },
  {
    name: 'Tasting: menu for the cooperative',
    calendar: calendars.own,
    when: { day: 8, from: '17:00', to: '19:00' },
    more: { status: 'tentative', location: 'Küche Nord, Berlin' },
  },
  { name: 'Mara on leave', calendar: calendars.own, when: { day: 20, days: 5 } },
  {
    name: 'Old invoices',
    calendar: calendars.own,
    when: { day: -3, from: '16:00', to: '17:00' },
    more: { transparency: 'transparent' },
  },
  {
    name: 'Wedding Okafor & Reyes',
    calendar: calendars.weddings,
    when: { day: 12, from: '14:00', to: '02:00', endDay: 13 },
    guests: [
      [people.okafor, 'accepted'],
      [people.reyes, 'accepted'],
      [people.aylin, 'accepted'],
    ],
    more: { location: 'Hotel Seeblick, Potsdam', description: '96 guests, ceremony on the terrace at 15:00' },
  },
  {
    name: 'Set-up: Okafor & Reyes',
    calendar: calendars.weddings,
    when: { day: 11, days: 1 },
    more: { transparency: 'transparent', location: 'Hotel Seeblick, Potsdam' },
  },
  {
    name: 'Wedding Haddad & Sommer',
    calendar: calendars.weddings,
    when: { day: 33, from: '12:30', to: '23:30' },
    more: { location: 'Gut Lindenhof, Nauen' },
  },
  {
    name: 'Wedding Novak & Petersen',
    calendar: calendars.weddings,
    when: { day: 61, days: 2 },
    more: { status: 'tentative', description: 'Held until the contract is signed' },
  },
  {
    name: 'Visit: Gut Lindenhof, barn',
    calendar: calendars.venues,
    when: { day: 2, from: '13:00', to: '15:00' },
    guests: [[people.tomas, 'accepted']],
    more: { location: 'Gut Lindenhof, Nauen' },
  },
  {
    name: 'Visit: Spreespeicher, loft',
    calendar: calendars.venues,
    when: { day: 4, from: '09:30', to: '11:00' },
    guests: [[people.aylin, 'needsAction']],
    more: { location: 'Spreespeicher, Berlin' },
  },
  {
    name: 'Fire safety round, Spreespeicher',
    calendar: calendars.venues,
    when: { day: -10, from: '08:00', to: '09:00' },
    more: { recurrence: ['RRULE:FREQ=MONTHLY;COUNT=12'] },
  },
  {
    name: 'Late crew',
    calendar: calendars.staff,
    when: { day: -7, from: '16:00', to: '23:30' },
    guests: [[people.jonas, 'accepted']],
    more: { recurrence: ['RRULE:FREQ=DAILY;INTERVAL=2;COUNT=40'] },
  },
  {
    name: 'First aid training',
    calendar: calendars.staff,
    when: { day: 9, days: 1 },
    guests: [[people.aylin, 'accepted']],
  },
  { name: 'Stocktaking', calendar: calendars.lisbon, when: { day: 5, from: '10:00', to: '12:00' } },
  {
    name: 'Public holiday',
    calendar: calendars.holidays,
    when: { day: 15, days: 1 },
    more: { transparency: 'transparent' },
  },
  { name: 'Client lunch', calendar: calendars.jonas, when: { day: 1, from: '12:00', to: '13:30' } },
  { name: 'Driving to Nauen', calendar: calendars.jonas, when: { day: 2, from: '11:30', to: '15:30' } },
];

/** The id that a seeded event has, always the same. */
export function seededId(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 26);
}

function timesOf(when: When, today: string): Pick<Event, 'start' | 'end'> {
  const day = addDays(today, when.day);
  if ('days' in when) return { start: { date: day }, end: { date: addDays(day, when.days) } };
  const at = (date: string, time: string) => ({
    dateTime: withOffset(instantOf(`${date}T${time}:00`, ZONE), ZONE),
    timeZone: ZONE,
  });
  return { start: at(day, when.from), end: at(addDays(today, when.endDay ?? when.day), when.to) };
}

function eventOf({ name, calendar, when, guests = [], organizer, more = {} }: Seed, world: World, url: string): Event {
  const nowMs = Date.now();
  const id = seededId(name);
  const own = organizer === undefined;
  const host = organizer ?? { email: calendar.id, displayName: calendar.summary };
  return {
    kind: 'calendar#event',
    etag: world.nextEtag(),
    id,
    status: 'confirmed',
    htmlLink: `${url}/calendar/event?eid=${id}`,
    created: new Date(nowMs - 30 * 86_400_000).toISOString(),
    updated: new Date(nowMs - 7 * 86_400_000).toISOString(),
    summary: name,
    creator: { email: own ? calendars.own.id : host.email },
    organizer: { ...host, ...(own ? { self: true } : {}) },
    ...timesOf(when, localOf(nowMs, ZONE).slice(0, 10)),
    iCalUID: `${id}@google.com`,
    sequence: 0,
    ...(guests.length === 0
      ? {}
      : {
          attendees: guests.map(([person, responseStatus]) => ({
            ...person,
            ...(person.email === host.email ? { organizer: true } : {}),
            ...(person.email === calendar.id ? { self: true } : {}),
            responseStatus,
          })),
        }),
    reminders: { useDefault: true },
    eventType: 'default',
    ...more,
  };
}

/** An event planner's calendars: weddings, visits of venues, shifts, invitations; all of it around today. */
export function seedPlanner(world: World, url: string): void {
  for (const calendar of Object.values(calendars)) world.add(calendar);
  for (const seed of seeds) world.put(seed.calendar, eventOf(seed, world, url));
}
