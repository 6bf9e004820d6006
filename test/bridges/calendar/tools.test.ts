import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/calendar/bridge.ts';
import { calendars, seededId } from '../../../bridges/calendar/sandbox/seed.ts';
import type { Received } from '../../../core/sandbox-kit/received-log.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const WEDDINGS = calendars.weddings.id;
const CALL = seededId('Call: terrace of Hotel Seeblick');
const WEDDING = seededId('Wedding Okafor & Reyes');
const FAIR = seededId('Florale: spring fair for florists');
const ROUND = seededId('Planning round');
const BERLIN = { start: '2027-06-12T15:00', end: '2027-06-12T16:30', timeZone: 'Europe/Berlin' };

let calendar: Vendor;

beforeAll(async () => {
  calendar = await startVendor('calendar');
});
afterAll(() => calendar?.[Symbol.asyncDispose]());
beforeEach(() => calendar.sandbox.reset());

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
const writes = async () =>
  (await calendar.sandbox.received()).filter(({ method, path }) => method !== 'GET' && path !== '/token');
const bodyOf = (seen: Received | undefined) => JSON.parse(seen?.body ?? '{}');
const get = async (eventId: string, calendarId = 'primary') =>
  (await calendar.call('get_event', { eventId, calendarId })).data.event;

/** A good call of each tool, and what its answer has. */
const GOOD = [
  [
    'list_calendars',
    {},
    {
      calendars: [{ calendarId: calendars.own.id, role: 'owner', primary: true }, {}, {}, {}, {}, {}],
      nextCursor: null,
    },
  ],
  [
    'list_events',
    { calendarId: WEDDINGS, limit: 1 },
    { events: [{ summary: 'Set-up: Okafor & Reyes', allDay: true, showAs: 'free' }] },
  ],
  [
    'search_events',
    { query: 'seeblick TERRACE' },
    { events: [{ eventId: CALL, guestCount: 2, myResponse: 'accepted' }], nextCursor: null },
  ],
  [
    'get_event',
    { eventId: FAIR },
    {
      event: {
        organizer: 'messe@florale.example',
        myResponse: 'needsAction',
        attendees: [{ self: false }, { self: true }],
      },
    },
  ],
  [
    'create_event',
    { summary: 'Cake tasting', ...BERLIN },
    { event: { start: '2027-06-12T15:00:00+02:00', timeZone: 'Europe/Berlin', status: 'confirmed' } },
  ],
  [
    'update_event',
    { eventId: CALL, summary: 'Call: rain plan', location: 'Phone' },
    { event: { summary: 'Call: rain plan', location: 'Phone', guestCount: 2 } },
  ],
  [
    'move_event',
    { eventId: CALL, destinationCalendarId: WEDDINGS },
    { event: { calendarId: WEDDINGS, organizer: WEDDINGS, eventId: CALL } },
  ],
  ['delete_event', { eventId: CALL }, { eventId: CALL, deleted: true }],
  [
    'free_busy',
    { calendarIds: [calendars.jonas.id, 'nobody@example.org'], timeMin: inDays(0), timeMax: inDays(4) },
    {
      calendars: [
        { busy: [{}, {}], problem: null },
        { busy: [], problem: 'notFound' },
      ],
    },
  ],
  [
    'respond_to_event',
    { eventId: FAIR, response: 'tentative', comment: 'After noon' },
    { event: { myResponse: 'tentative' } },
  ],
  [
    'add_attendees',
    { eventId: CALL, attendees: [{ email: 'new@example.org', optional: true }] },
    { event: { guestCount: 3 } },
  ],
  [
    'check_conflicts',
    { calendarIds: ['primary', calendars.staff.id], start: '2040-01-01', end: '2040-01-02' },
    { free: true, conflicts: [], unreadable: [] },
  ],
] as const;

describe('what the bridge lists', () => {
  test('is every tool of the manifest with annotations of its effect', async () => {
    const tools = await calendar.tools();
    expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(manifest.tools).sort());
    for (const { name, description, annotations, inputSchema } of tools) {
      const effect = manifest.tools[name]?.effect;
      expect(annotations).toMatchObject({ readOnlyHint: effect === 'read', idempotentHint: effect !== 'write' });
      expect(annotations.destructiveHint).toBe(name === 'delete_event' || name === 'update_event');
      expect(inputSchema).toMatchObject({ additionalProperties: false });
      expect(description.length).toBeGreaterThan(120);
    }
  });

  test('has an example that works on the sandbox', async () => {
    const { tool = '', arguments: args = {} } = manifest.example ?? {};
    const { data } = await calendar.call(tool, args);
    expect(data.events).toHaveLength(3);
    expect(data.nextCursor).toEqual(expect.any(String));
  });
});

describe('every tool', () => {
  test.each(GOOD)('%s answers what its output schema says', async (tool, args, expected) => {
    const answer = await calendar.call(tool, args);
    expect(answer).toMatchObject({ status: 200, isError: false, data: expected });
    expect(JSON.parse(answer.json.content[0].text)).toEqual(answer.data);
  });

  test.each([
    ['list_calendars', { limit: 0 }],
    ['list_events', { timeMin: '2027-06-12' }],
    ['search_events', {}],
    ['get_event', { eventId: '../calendars' }],
    ['create_event', { summary: 'X', ...BERLIN, timeZone: 'Berlin' }],
    ['create_event', { summary: 'X', ...BERLIN, timeZone: '+02:00' }],
    ['create_event', { summary: 'X', ...BERLIN, attendees: [{ email: 'nobody' }] }],
    ['create_event', { summary: 'X', ...BERLIN, recurrence: { frequency: 'hourly', count: 3 } }],
    ['create_event', { summary: 'X', ...BERLIN, sendUpdates: 'all' }],
    ['update_event', { eventId: CALL, status: 'cancelled' }],
    ['move_event', { eventId: CALL }],
    ['delete_event', { eventId: CALL, calendarId: 'a/../b' }],
    ['free_busy', { timeMin: 'today', timeMax: 'tomorrow' }],
    ['respond_to_event', { eventId: FAIR, response: 'maybe' }],
    ['add_attendees', { eventId: CALL, attendees: [] }],
    ['check_conflicts', { ...BERLIN, bufferMinutes: -1 }],
  ])('%s refuses %j before anything is sent', async (tool, args) => {
    const answer = await calendar.call(tool, args);
    if (answer.status === 200) expect(answer.data.error).toMatchObject({ code: 'invalid_arguments', retryable: false });
    else expect([answer.status, answer.json.code]).toEqual([422, 'invalid_arguments']);
    expect(await calendar.sandbox.received()).toEqual([]);
  });

  test.each([
    ['list_calendars', { cursor: 'bm9uc2Vuc2U' }, 'invalid_cursor'],
    ['list_events', { calendarId: 'nobody@example.org' }, 'not_found'],
    ['search_events', { calendarId: calendars.jonas.id, query: 'x' }, 'permission_denied'],
    ['get_event', { eventId: 'nothing0here' }, 'not_found'],
    ['create_event', { calendarId: calendars.holidays.id, summary: 'X', ...BERLIN }, 'permission_denied'],
    ['update_event', { eventId: 'nothing0here', summary: 'X' }, 'not_found'],
    ['update_event', { eventId: FAIR, summary: 'Not mine' }, 'permission_denied'],
    ['move_event', { eventId: CALL, destinationCalendarId: calendars.holidays.id }, 'permission_denied'],
    ['move_event', { eventId: 'nothing0here', destinationCalendarId: WEDDINGS }, 'not_found'],
    ['delete_event', { eventId: CALL, calendarId: 'nobody@example.org' }, 'not_found'],
    ['respond_to_event', { eventId: WEDDING, calendarId: WEDDINGS, response: 'accepted' }, 'not_invited'],
    ['add_attendees', { eventId: 'nothing0here', attendees: [{ email: 'a@example.org' }] }, 'not_found'],
  ])('%s tells what Google says to %j: %3$s', async (tool, args, code) => {
    const answer = await calendar.call(tool, args);
    expect(answer).toMatchObject({ status: 200, isError: true, data: { error: { code, retryable: false } } });
    expect(answer.data.error.hint).toEqual(expect.any(String));
  });

  test('of two that only read, an error of the vendor is told with its reason', async () => {
    for (const [tool, args] of [
      ['free_busy', { timeMin: inDays(0), timeMax: inDays(1) }],
      ['check_conflicts', BERLIN],
    ] as const) {
      await calendar.sandbox.fault({ kind: 'status', path: '/calendar/v3/freeBusy', status: 403 });
      const { data } = await calendar.call(tool, args);
      expect(data.error).toMatchObject({ code: 'permission_denied', vendorStatus: 403, vendorCode: 'forbidden' });
    }
  });
});

describe('guests', () => {
  const attendees = [
    { email: 'guest@example.org' },
    { email: 'GUEST@example.org' },
    { email: 'aylin.kaya@lumen-events.example' },
  ];
  const CHANGES = [
    ['create_event', { summary: 'X', ...BERLIN, attendees }],
    ['update_event', { eventId: CALL, summary: 'X' }],
    ['add_attendees', { eventId: CALL, attendees }],
    ['respond_to_event', { eventId: FAIR, response: 'accepted' }],
    ['move_event', { eventId: CALL, destinationCalendarId: WEDDINGS }],
    ['delete_event', { eventId: WEDDING, calendarId: WEDDINGS }],
  ] as const;

  test.each(CHANGES)('%s mails nobody by default, and says so to Google', async (tool, args) => {
    expect((await calendar.call(tool, args)).isError).toBe(false);
    expect((await writes()).map(({ query }) => query.sendUpdates)).toEqual(['none']);
    expect((await calendar.sandbox.state()).mails).toEqual([]);
  });

  test.each(CHANGES)('%s mails the guests when asked to', async (tool, args) => {
    await calendar.call(tool, { ...args, notifyGuests: 'all' });
    expect((await writes()).map(({ query }) => query.sendUpdates)).toEqual(['all']);
    expect((await calendar.sandbox.state()).mails.length).toBeGreaterThan(0);
  });

  test('only those who are not at Google are mailed where that is asked for', async () => {
    await calendar.call('create_event', { summary: 'X', ...BERLIN, attendees, notifyGuests: 'external' });
    const { mails } = await calendar.sandbox.state();
    expect(mails.map((mail: { to: string }) => mail.to)).toEqual(['guest@example.org']);
    expect((await writes())[0]?.query.sendUpdates).toBe('externalOnly');
  });

  test('are added beside those who are there, each once, with the answers left as they are', async () => {
    const before = await get(CALL);
    const { data } = await calendar.call('add_attendees', { eventId: CALL, attendees });
    expect(data.event.attendees.slice(0, 2)).toEqual(before.attendees);
    expect(data.event.attendees.slice(2).map((one: { email: string }) => one.email)).toEqual([
      'guest@example.org',
      'aylin.kaya@lumen-events.example',
    ]);
    await calendar.call('add_attendees', { eventId: CALL, attendees });
    expect(await writes()).toHaveLength(1);
  });

  test('are taken off by update_event, and nobody else with them', async () => {
    const { data } = await calendar.call('update_event', {
      eventId: CALL,
      removeAttendees: ['Bankett@Hotel-Seeblick.example'],
    });
    expect(data.event.attendees.map((one: { email: string }) => one.email)).toEqual([calendars.own.id]);
  });

  test("an answer changes one's own answer only, and the same one again sends nothing", async () => {
    const { data } = await calendar.call('respond_to_event', { eventId: FAIR, response: 'declined' });
    expect(data.event.attendees).toMatchObject([{ response: 'accepted' }, { response: 'declined', self: true }]);
    await calendar.call('respond_to_event', { eventId: FAIR, response: 'declined' });
    expect(await writes()).toHaveLength(1);
  });

  test('their addresses are in no log line', async () => {
    await calendar.call('create_event', { summary: 'X', ...BERLIN, attendees });
    await calendar.call('add_attendees', { eventId: 'nothing0here', attendees });
    expect(calendar.fleet.everything()).not.toMatch(/guest@example\.org|ya29\.|sandbox-client-secret|refresh-token/i);
  });
});

describe('times', () => {
  test('an event of days becomes one with times, and back', async () => {
    const { data: timed } = await calendar.call('update_event', { eventId: CALL, ...BERLIN });
    expect(timed.event).toMatchObject({ allDay: false, start: '2027-06-12T15:00:00+02:00' });
    const { data: days } = await calendar.call('update_event', {
      eventId: CALL,
      start: '2027-06-12',
      end: '2027-06-13',
    });
    expect(days.event).toMatchObject({ allDay: true, start: '2027-06-12', end: '2027-06-13' });
    const { data: again } = await calendar.call('update_event', { eventId: CALL, ...BERLIN });
    expect(again.event).toMatchObject({ allDay: false, end: '2027-06-12T16:30:00+02:00' });
  });

  test.each([
    [{ start: '2027-06-12T15:00', end: '2027-06-12T16:00' }, '/start'],
    [{ start: '2027-06-12', end: '2027-06-12T16:00:00Z' }, '/end'],
    [{ start: '2027-06-12', end: '2027-06-12' }, '/end'],
    [{ start: '2027-06-12T16:00:00Z', end: '2027-06-12T17:00:00+02:00' }, '/end'],
    [{ ...BERLIN, recurrence: { frequency: 'weekly' } }, '/recurrence'],
    [{ ...BERLIN, recurrence: { frequency: 'daily', weekdays: ['MO'], count: 2 } }, '/recurrence/weekdays'],
    [
      { start: '2027-06-12T15:00:00Z', end: '2027-06-12T16:00:00Z', recurrence: { frequency: 'daily', count: 2 } },
      '/timeZone',
    ],
  ])('%j are refused at %s', async (times, pointer) => {
    const { data } = await calendar.call('create_event', { summary: 'X', ...times });
    expect(data.error).toMatchObject({ code: 'invalid_arguments', errors: [{ pointer }] });
    expect(await writes()).toEqual([]);
  });

  test('a series keeps its wall clock where the clocks change, and one occurrence can be changed by itself', async () => {
    const { data } = await calendar.call('create_event', {
      summary: 'Rehearsal',
      start: '2027-03-26T18:00',
      end: '2027-03-26T19:00',
      timeZone: 'Europe/Berlin',
      recurrence: { frequency: 'weekly', weekdays: ['FR'], until: '2027-04-09' },
    });
    expect(data.event.recurrence).toEqual(['RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20270409T215959Z']);
    const range = { timeMin: '2027-03-20T00:00:00Z', timeMax: '2027-05-01T00:00:00Z' };
    const rehearsals = async () => (await calendar.call('search_events', { query: 'rehearsal', ...range })).data.events;
    const all = await rehearsals();
    expect(all.map((one: { start: string }) => one.start)).toEqual([
      '2027-03-26T18:00:00+01:00',
      '2027-04-02T18:00:00+02:00',
      '2027-04-09T18:00:00+02:00',
    ]);
    await calendar.call('update_event', { eventId: all[1].eventId, summary: 'Dress rehearsal' });
    await calendar.call('delete_event', { eventId: all[2].eventId });
    expect((await rehearsals()).map((one: { summary: string }) => one.summary)).toEqual([
      'Rehearsal',
      'Dress rehearsal',
    ]);
    expect((await get(data.event.eventId)).summary).toBe('Rehearsal');
  });

  test('a time is free or taken, with the events in the way; the one to be moved does not count', async () => {
    const event = await get(CALL);
    const when = { start: event.start, end: event.end };
    expect((await calendar.call('check_conflicts', when)).data).toMatchObject({
      free: false,
      conflicts: [{ eventId: CALL, summary: 'Call: terrace of Hotel Seeblick' }],
    });
    expect((await calendar.call('check_conflicts', { ...when, ignoreEventId: CALL })).data.free).toBe(true);
    const after = { start: event.end, end: new Date(Date.parse(event.end) + 60_000).toISOString() };
    expect((await calendar.call('check_conflicts', after)).data.free).toBe(true);
    expect((await calendar.call('check_conflicts', { ...after, bufferMinutes: 1 })).data.free).toBe(false);
  });

  test('of a calendar whose events cannot be seen the time alone is told', async () => {
    const { data } = await calendar.call('check_conflicts', {
      calendarIds: [calendars.jonas.id, 'nobody@example.org'],
      start: inDays(0),
      end: inDays(4),
    });
    expect(data).toMatchObject({
      free: false,
      conflicts: [{ eventId: null, summary: null }, { eventId: null }],
      unreadable: [{ calendarId: 'nobody@example.org', problem: 'notFound' }],
    });
  });
});

describe('pages', () => {
  test('of events follow each other without gap, though "now" has gone on', async () => {
    const range = { calendarId: calendars.staff.id, timeMax: inDays(30) };
    const { data: whole } = await calendar.call('list_events', { ...range, limit: 100 });
    const seen: unknown[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < 10; pages++) {
      const { data } = await calendar.call('list_events', {
        ...range,
        limit: 4,
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...data.events);
      if (data.nextCursor === null) break;
      cursor = data.nextCursor;
    }
    expect(seen).toEqual(whole.events);
    expect(seen.length).toBeGreaterThan(8);
  });

  test('of calendars too, with hidden ones where they are asked for', async () => {
    const { data: first } = await calendar.call('list_calendars', { limit: 4, includeHidden: true });
    const { data: second } = await calendar.call('list_calendars', {
      limit: 4,
      includeHidden: true,
      cursor: first.nextCursor,
    });
    expect([...first.calendars, ...second.calendars]).toHaveLength(7);
    expect(second.nextCursor).toBeNull();
    const { data: own } = await calendar.call('list_calendars', { minRole: 'owner' });
    expect(own.calendars).toHaveLength(3);
  });
});

describe('versions', () => {
  test('a change of the version that was seen is made, of another one refused with the new etag', async () => {
    const { etag } = await get(CALL);
    const { data: first } = await calendar.call('update_event', { eventId: CALL, ifEtag: etag, summary: 'One' });
    expect(first.event.etag).not.toBe(etag);
    for (const [tool, args] of [
      ['update_event', { summary: 'Two' }],
      ['add_attendees', { attendees: [{ email: 'a@example.org' }] }],
      ['delete_event', {}],
    ] as const) {
      const { data } = await calendar.call(tool, { eventId: CALL, ifEtag: etag, ...args });
      expect(data.error).toMatchObject({ code: 'changed_meanwhile', etag: first.event.etag, retryable: false });
    }
    expect((await get(CALL)).summary).toBe('One');
  });

  test('somebody else who changes the event between look and change is not overwritten', async () => {
    await calendar.sandbox.fault({ kind: 'status', method: 'PATCH', status: 412 });
    const { data } = await calendar.call('add_attendees', { eventId: CALL, attendees: [{ email: 'a@example.org' }] });
    expect(data.event.guestCount).toBe(3);
    expect((await writes()).every(({ headers }) => /^"\d+"$/.test(headers['if-match'] ?? ''))).toBe(true);
    await calendar.sandbox.fault({ kind: 'status', method: 'PATCH', status: 412, times: 3 });
    const refused = await calendar.call('update_event', { eventId: CALL, summary: 'X' });
    expect(refused.data.error).toMatchObject({ code: 'changed_meanwhile', etag: data.event.etag });
  });

  test('what is deleted is deleted again without a word, shown as cancelled and not changed any more', async () => {
    await calendar.call('delete_event', { eventId: CALL });
    expect((await calendar.call('delete_event', { eventId: CALL })).data).toMatchObject({ deleted: true });
    expect((await calendar.call('delete_event', { eventId: 'never0was0there' })).data).toMatchObject({ deleted: true });
    expect((await get(CALL)).status).toBe('cancelled');
    const { data } = await calendar.call('update_event', { eventId: CALL, summary: 'X' });
    expect(data.error).toMatchObject({ code: 'event_deleted' });
  });

  test('a series and its occurrences are told apart', async () => {
    const { data } = await calendar.call('list_events', { timeMin: inDays(-40), timeMax: inDays(-20) });
    expect(data.events[0]).toMatchObject({ recurringEventId: ROUND });
    expect(await get(ROUND)).toMatchObject({ recurringEventId: null, recurrence: ['RRULE:FREQ=WEEKLY;COUNT=60'] });
  });

  test('what a change sends is only what was given', async () => {
    await calendar.call('update_event', { eventId: CALL, description: null, showAs: 'free' });
    expect(bodyOf((await writes())[0])).toEqual({ description: null, transparency: 'transparent' });
  });
});
