import { instantParameter, msOf } from './event-times.ts';
import { occurrences } from './occurrences.ts';
import { emptyRange, invalid, Refusal, required } from './refusal.ts';
import { allows, type Calendar, type Event, type World } from './world.ts';

/** How far a series without an end is followed where nobody says. */
const HORIZON_MS = 2 * 366 * 86_400_000;
const MAX_RANGE_MS = 92 * 86_400_000;
const MAX_ITEMS = 50;

/** One page of anything. The token holds for the same question only. @throws Refusal */
export function paged<T>(all: readonly T[], query: URLSearchParams, otherwise: number, most: number) {
  const size = query.has('maxResults') ? Number(query.get('maxResults')) : otherwise;
  if (!Number.isInteger(size) || size < 1) throw invalid('Invalid value for maxResults.');
  const question = [...query]
    .filter(([name]) => name !== 'pageToken' && name !== 'maxResults')
    .sort()
    .join('&');
  const token = query.get('pageToken');
  let from = 0;
  if (token !== null) {
    const [offset, asked] = decoded(token);
    if (asked !== question || typeof offset !== 'number') throw invalid('Invalid page token value.');
    from = offset;
  }
  const to = from + Math.min(size, most);
  const next = Buffer.from(JSON.stringify([to, question])).toString('base64url');
  return { items: all.slice(from, to), ...(to < all.length ? { nextPageToken: next } : {}) };
}

function decoded(token: string): readonly unknown[] {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    throw invalid('Invalid page token value.');
  }
}

function startOf(event: Event, { timeZone }: Calendar): number {
  return msOf(event.start, timeZone, 'start');
}

function overlaps(event: Event, calendar: Calendar, fromMs: number, toMs: number): boolean {
  return msOf(event.end, calendar.timeZone, 'end') > fromMs && startOf(event, calendar) < toMs;
}

/** Single events and occurrences within a time, in the order of their start; no deleted ones. */
export function singleEvents(world: World, calendar: Calendar, fromMs: number, toMs: number): readonly Event[] {
  const stored = world.stored(calendar);
  const apart = new Set(stored.filter((event) => event.recurringEventId != null).map((event) => event.id));
  const found: Event[] = [];
  for (const event of stored) {
    if (event.status === 'cancelled') continue;
    if (event.recurrence == null) {
      if (overlaps(event, calendar, fromMs, toMs)) found.push(event);
      continue;
    }
    for (const one of occurrences(event, calendar.timeZone, toMs)) {
      if (!apart.has(one.id) && overlaps(one, calendar, fromMs, toMs)) found.push(one);
    }
  }
  return found.sort((a, b) => startOf(a, calendar) - startOf(b, calendar) || ((a.id ?? '') < (b.id ?? '') ? -1 : 1));
}

function says(event: Event, words: readonly string[]): boolean {
  const { summary, description, location, organizer, attendees = [] } = event;
  const people = [organizer, ...attendees].flatMap((one) => [one?.displayName, one?.email]);
  const text = [summary, description, location, ...people].join('\n').toLowerCase();
  return words.every((word) => text.includes(word));
}

/** `events.list` @throws Refusal */
export function listEvents(world: World, calendar: Calendar, query: URLSearchParams) {
  const fromMs = instantParameter(query.get('timeMin'));
  const toMs = instantParameter(query.get('timeMax'));
  if (fromMs !== undefined && toMs !== undefined && toMs <= fromMs) throw emptyRange();
  const single = query.get('singleEvents') === 'true';
  const order = query.get('orderBy');
  if (order === 'startTime' && !single) {
    throw invalid('The requested ordering is not available for the particular query.');
  }
  const begin = fromMs ?? 0;
  const end = toMs ?? Math.max(begin, Date.now()) + HORIZON_MS;
  const words = (query.get('q') ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const marks = query.getAll('privateExtendedProperty').map((mark) => mark.split('=', 2));
  const all = single
    ? singleEvents(world, calendar, begin, end)
    : world
        .stored(calendar)
        .filter((event) => event.status !== 'cancelled' || query.get('showDeleted') === 'true')
        .filter(
          (event) => event.start === undefined || event.recurrence != null || overlaps(event, calendar, begin, end),
        );
  const found = all.filter(
    (event) =>
      says(event, words) && marks.every(([name = '', value]) => event.extendedProperties?.private?.[name] === value),
  );
  const { items, nextPageToken } = paged(found, query, 250, 2_500);
  return {
    kind: 'calendar#events',
    etag: `"p${found.length}"`,
    summary: calendar.summary,
    updated: new Date().toISOString(),
    timeZone: calendar.timeZone,
    accessRole: calendar.accessRole,
    defaultReminders: [],
    ...(nextPageToken === undefined ? { nextSyncToken: `sync-${Date.now()}` } : { nextPageToken }),
    items,
  };
}

/** `events.instances` @throws Refusal */
export function listInstances(world: World, calendar: Calendar, id: string, query: URLSearchParams) {
  const series = world.get(calendar, id);
  const all = singleEvents(world, calendar, 0, Date.now() + HORIZON_MS).filter((one) => one.recurringEventId === id);
  const { items, nextPageToken } = paged(all, query, 250, 2_500);
  return {
    kind: 'calendar#events',
    etag: series.etag,
    summary: calendar.summary,
    timeZone: calendar.timeZone,
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
    items,
  };
}

function blocks(event: Event): boolean {
  const self = event.attendees?.find((attendee) => attendee.self === true);
  return event.transparency !== 'transparent' && self?.responseStatus !== 'declined';
}

function busyOf(world: World, calendar: Calendar, fromMs: number, toMs: number) {
  const busy: { start: number; end: number }[] = [];
  for (const event of singleEvents(world, calendar, fromMs, toMs).filter(blocks)) {
    const start = Math.max(fromMs, startOf(event, calendar));
    const end = Math.min(toMs, msOf(event.end, calendar.timeZone, 'end'));
    const last = busy.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else busy.push({ start, end });
  }
  const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
  return busy.map(({ start, end }) => ({ start: text(start), end: text(end) }));
}

/** `freebusy.query` @throws Refusal */
export function freeBusy(
  world: World,
  body: { timeMin?: string; timeMax?: string; items?: readonly { readonly id?: string }[] },
) {
  const { timeMin, timeMax, items = [] } = body;
  const fromMs = instantParameter(timeMin);
  const toMs = instantParameter(timeMax);
  if (fromMs === undefined || toMs === undefined) throw required('Required');
  if (toMs <= fromMs) throw emptyRange();
  if (toMs - fromMs > MAX_RANGE_MS) {
    throw new Refusal(400, 'timeRangeTooLong', 'The requested time range is too long.', 'calendar');
  }
  if (items.length > MAX_ITEMS)
    throw new Refusal(400, 'tooManyCalendarsRequested', 'Too many calendars requested.', 'calendar');
  const calendars = items.map(({ id = '' }) => {
    const calendar =
      id === 'primary' ? [...world.calendars.values()].find((one) => one.primary) : world.calendars.get(id);
    return [
      id,
      calendar === undefined || !allows(calendar.accessRole, 'freeBusyReader')
        ? { errors: [{ domain: 'global', reason: 'notFound' }], busy: [] }
        : { busy: busyOf(world, calendar, fromMs, toMs) },
    ];
  });
  return { kind: 'calendar#freeBusy', timeMin, timeMax, calendars: Object.fromEntries(calendars) };
}
