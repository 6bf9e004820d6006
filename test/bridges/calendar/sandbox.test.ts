import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calendars, seededId } from '../../../bridges/calendar/sandbox/seed.ts';
import { startSandbox } from '../../../bridges/calendar/sandbox.ts';
import type { Sandbox } from '../../../core/manifest.ts';

const EVENTS = '/calendar/v3/calendars/primary/events';
const CALL = seededId('Call: terrace of Hotel Seeblick');
const TIMES = { start: { dateTime: '2027-06-12T15:00:00Z' }, end: { dateTime: '2027-06-12T16:00:00Z' } };

let sandbox: Sandbox;
let token: string;

beforeAll(async () => {
  sandbox = await startSandbox();
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: sandbox.env.GOOGLE_CLIENT_ID ?? '',
    client_secret: sandbox.env.GOOGLE_CLIENT_SECRET ?? '',
    refresh_token: sandbox.env.GOOGLE_REFRESH_TOKEN ?? '',
  });
  const answer = await fetch(`${sandbox.url}/token`, { method: 'POST', body: form });
  token = ((await answer.json()) as { access_token: string }).access_token;
});
afterAll(() => sandbox?.[Symbol.asyncDispose]());
beforeEach(() => fetch(`${sandbox.url}/_sandbox/reset`, { method: 'POST' }));

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${sandbox.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  return { status: answer.status, json: (text === '' ? undefined : JSON.parse(text)) as any };
}
const no = (status: number, reason: string) => ({
  status,
  json: { error: { code: status, message: expect.any(String), errors: [{ reason, domain: expect.any(String) }] } },
});

describe('the stand-in says no as Google does', () => {
  test.each([
    ['without a token', 'GET', EVENTS, undefined, { authorization: 'Bearer nothing' }, 401, 'authError'],
    ['to an unknown calendar', 'GET', '/calendar/v3/calendars/nobody/events', undefined, {}, 404, 'notFound'],
    [
      'to a change of what can only be read',
      'DELETE',
      `/calendar/v3/calendars/${encodeURIComponent(calendars.holidays.id)}/events/x`,
      undefined,
      {},
      403,
      'requiredAccessLevel',
    ],
    [
      'to another version',
      'PATCH',
      `${EVENTS}/${CALL}`,
      { summary: 'X' },
      { 'if-match': '"1"' },
      412,
      'conditionNotMet',
    ],
    ['to an id that is there', 'POST', EVENTS, { id: CALL, ...TIMES }, {}, 409, 'duplicate'],
    ['to an id outside of base32hex', 'POST', EVENTS, { id: 'xyz-12345', ...TIMES }, {}, 400, 'invalid'],
    ['to an event without an end', 'POST', EVENTS, { start: TIMES.start }, {}, 400, 'required'],
    ['to an end before its start', 'POST', EVENTS, { start: TIMES.end, end: TIMES.start }, {}, 400, 'timeRangeEmpty'],
    ['to a series without a zone', 'POST', EVENTS, { ...TIMES, recurrence: ['RRULE:FREQ=DAILY'] }, {}, 400, 'required'],
    ['to a rule it cannot read', 'POST', EVENTS, { ...TIMES, recurrence: ['FREQ=DAILY'] }, {}, 400, 'invalid'],
    ['to what is no JSON', 'POST', EVENTS, '{', {}, 400, 'parseError'],
    ['to an order without occurrences', 'GET', `${EVENTS}?orderBy=startTime`, undefined, {}, 400, 'invalid'],
    ['to a time without an offset', 'GET', `${EVENTS}?timeMin=2027-06-12T15:00:00`, undefined, {}, 400, 'invalid'],
    ['to a page of nothing', 'GET', `${EVENTS}?pageToken=x`, undefined, {}, 400, 'invalid'],
    [
      'to a time of no length',
      'POST',
      '/calendar/v3/freeBusy',
      { timeMin: '2027-06-12T15:00:00Z', timeMax: '2027-06-12T15:00:00Z' },
      {},
      400,
      'timeRangeEmpty',
    ],
  ])('%s', async (_, method, path, body, headers, status, reason) => {
    expect(await ask(method, path, body, headers as unknown as Record<string, string>)).toMatchObject(
      no(status, reason),
    );
  });

  test('to deleting twice, and shows what was deleted as cancelled', async () => {
    expect((await ask('DELETE', `${EVENTS}/${CALL}`)).status).toBe(204);
    expect(await ask('DELETE', `${EVENTS}/${CALL}`)).toMatchObject(no(410, 'deleted'));
    expect((await ask('GET', `${EVENTS}/${CALL}`)).json).toMatchObject({
      status: 'cancelled',
      summary: expect.any(String),
    });
    expect(await ask('POST', EVENTS, { id: CALL, ...TIMES })).toMatchObject(no(409, 'duplicate'));
  });

  test('to a page token of another question', async () => {
    const { json } = await ask('GET', `${EVENTS}?maxResults=2`);
    expect((await ask('GET', `${EVENTS}?maxResults=2&pageToken=${json.nextPageToken}`)).status).toBe(200);
    expect(await ask('GET', `${EVENTS}?q=x&pageToken=${json.nextPageToken}`)).toMatchObject(no(400, 'invalid'));
  });
});

describe('events of the stand-in', () => {
  test('have the shape of the API, and links that lead nowhere else', async () => {
    const { json } = await ask('POST', EVENTS, { summary: 'X', ...TIMES });
    expect(json).toMatchObject({
      kind: 'calendar#event',
      etag: expect.stringMatching(/^"\d+"$/),
      id: expect.stringMatching(/^[0-9a-v]{26}$/),
      status: 'confirmed',
      start: { dateTime: '2027-06-12T17:00:00+02:00', timeZone: 'Europe/Berlin' },
      organizer: { email: calendars.own.id, self: true },
      iCalUID: `${json.id}@google.com`,
      sequence: 0,
    });
    expect(json.htmlLink.startsWith(`${sandbox.url}/`)).toBe(true);
    const later = { dateTime: '2027-06-12T18:00:00Z' };
    const moved = await ask('PATCH', `${EVENTS}/${json.id}`, { end: later });
    expect(moved.json).toMatchObject({ sequence: 1, summary: 'X' });
    expect(moved.json.etag).not.toBe(json.etag);
  });

  test.each([
    ['RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3', ['12', '14', '16']],
    ['RRULE:FREQ=WEEKLY;BYDAY=MO,SA;COUNT=3', ['12', '14', '19']],
    ['RRULE:FREQ=WEEKLY;UNTIL=20270626T150000Z', ['12', '19', '26']],
    ['RRULE:FREQ=MONTHLY;COUNT=2', ['12', '12']],
  ])('of a series by %s are on the days %j', async (rule, days) => {
    const zoned = {
      start: { ...TIMES.start, timeZone: 'Europe/Berlin' },
      end: { ...TIMES.end, timeZone: 'Europe/Berlin' },
    };
    const { json } = await ask('POST', EVENTS, { summary: 'Series', recurrence: [rule], ...zoned });
    const { json: all } = await ask('GET', `${EVENTS}/${json.id}/instances`);
    expect(all.items.map((one: { start: { dateTime: string } }) => one.start.dateTime.slice(8, 10))).toEqual(days);
    expect(all.items[0].id).toBe(`${json.id}_20270612T150000Z`);
    expect((await ask('GET', `${EVENTS}/${all.items[1].id}`)).json).toEqual({ ...all.items[1], status: 'confirmed' });
  });

  test('monthly on the 31st leave out the months that have none', async () => {
    const days = { start: { date: '2027-01-31' }, end: { date: '2027-02-01' } };
    const { json } = await ask('POST', EVENTS, { recurrence: ['RRULE:FREQ=MONTHLY;COUNT=3'], ...days });
    const { json: all } = await ask('GET', `${EVENTS}/${json.id}/instances`);
    expect(all.items.map((one: { start: { date: string } }) => one.start.date)).toEqual([
      '2027-01-31',
      '2027-03-31',
      '2027-05-31',
    ]);
  });

  test('the seed is always the same, around today, and reset brings it back', async () => {
    const names = async () => (await ask('GET', EVENTS)).json.items.map((one: { id: string }) => one.id).sort();
    const before = await names();
    await ask('POST', EVENTS, { summary: 'X', ...TIMES });
    expect(await names()).toHaveLength(before.length + 1);
    await fetch(`${sandbox.url}/_sandbox/reset`, { method: 'POST' });
    expect(await names()).toEqual(before);
  });
});
