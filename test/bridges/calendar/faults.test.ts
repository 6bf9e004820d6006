import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calendars, seededId } from '../../../bridges/calendar/sandbox/seed.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const EVENTS = '/calendar/v3/calendars/primary/events';
const CALL = seededId('Call: terrace of Hotel Seeblick');
const CREATE = { summary: 'X', start: '2027-06-12T15:00:00Z', end: '2027-06-12T16:00:00Z' };

let calendar: Vendor;

beforeAll(async () => {
  calendar = await startVendor('calendar');
});
afterAll(() => calendar?.[Symbol.asyncDispose]());
beforeEach(() => calendar.sandbox.reset());

const at = async (path: string) => (await calendar.sandbox.received(path)).length;

test('a vendor that limits is left alone as long as it says, and load is never multiplied', async () => {
  // A process of its own: what Google asks for holds for all calls of a process.
  await using limited = await startVendor('calendar');
  const sent = async () => (await limited.sandbox.received(EVENTS)).length;
  const limit = (retryAfterSeconds: number, times: number) =>
    limited.sandbox.fault({ kind: 'status', status: 429, retryAfterSeconds, path: EVENTS, times });

  // A read waits for a moment where the call has the time, and is sent once more.
  await limit(1, 1);
  const startedAt = performance.now();
  expect((await limited.call('list_events', {})).isError).toBe(false);
  expect(performance.now() - startedAt).toBeGreaterThan(950);
  expect(await sent()).toBe(2);

  // A write is sent once and told how long to wait; until then nothing is sent.
  await limit(30, 5);
  const write = await limited.call('create_event', CREATE);
  expect(write.data.error).toMatchObject({
    code: 'vendor_rate_limited',
    retryable: true,
    retryAfterMs: 30_000,
    executed: 'no',
  });
  const read = await limited.call('list_events', {});
  expect(read.data.error).toMatchObject({ code: 'vendor_rate_limited', retryable: true });
  expect(read.data.error.retryAfterMs).toBeGreaterThan(1_000);
  expect(await sent()).toBe(3);
});

describe('a vendor that fails', () => {
  test('a create that ends in 500 is unknown, a change that may be repeated is worth repeating', async () => {
    await calendar.sandbox.fault({ kind: 'status', status: 500, method: 'POST', path: EVENTS });
    expect((await calendar.call('create_event', CREATE)).data.error).toMatchObject({
      code: 'outcome_unknown',
      retryable: false,
      vendorStatus: 500,
    });
    await calendar.sandbox.fault({ kind: 'status', status: 500, method: 'DELETE' });
    expect((await calendar.call('delete_event', { eventId: CALL })).data.error).toMatchObject({
      code: 'vendor_unavailable',
      retryable: true,
    });
    expect(await calendar.call('delete_event', { eventId: CALL })).toMatchObject({ isError: false });
  });

  test('an answer that cannot be read is unknown to a write, and asked for again by a read', async () => {
    await calendar.sandbox.fault({ kind: 'malformed', method: 'POST', path: EVENTS });
    expect((await calendar.call('create_event', CREATE)).data.error.code).toBe('outcome_unknown');
    await calendar.sandbox.fault({ kind: 'malformed', method: 'GET', path: EVENTS });
    expect((await calendar.call('list_events', {})).isError).toBe(false);
  });

  test('a read whose connection breaks is sent a second time, and no more', async () => {
    await calendar.sandbox.fault({ kind: 'drop_before', path: EVENTS });
    expect((await calendar.call('list_events', {})).isError).toBe(false);
    await calendar.sandbox.fault({ kind: 'drop_after', path: EVENTS, times: 3 });
    expect((await calendar.call('list_events', {})).data.error).toMatchObject({
      code: 'vendor_unreachable',
      retryable: true,
    });
    expect(await at(EVENTS)).toBe(4);
  });

  test('one that is slower than the deadline costs the deadline', async () => {
    await calendar.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: EVENTS });
    const startedAt = performance.now();
    const answer = await calendar.call('list_events', {}, { 'x-request-timeout-ms': '400' });
    // The server and the bridge keep the same deadline; either may be the first to say so.
    expect(answer.json.code ?? answer.data.error.code).toBe('deadline_exceeded');
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect((await calendar.call('list_events', {})).isError).toBe(false);
  });

  test('a keyed create beyond its deadline can be asked about', async () => {
    const key = { 'idempotency-key': 'slow-create' };
    await calendar.sandbox.fault({ kind: 'slow', delayMs: 1_000, method: 'POST', path: EVENTS });
    const answer = await calendar.call('create_event', CREATE, { ...key, 'x-request-timeout-ms': '300' });
    expect(answer.json.executed ?? answer.data.error.executed).toBe('maybe');
    // The stand-in carries it out although nobody waits for it any more: wait until it has.
    await expect
      .poll(async () => (await calendar.sandbox.received(EVENTS))[0]?.tookEffect, { timeout: 5_000, interval: 20 })
      .toBe(true);
    const asked = await calendar.call('create_event', CREATE, { ...key, prefer: 'reconcile' });
    expect(asked).toMatchObject({ status: 200, isError: false, data: { event: { summary: 'X' } } });
    expect((await calendar.sandbox.received(EVENTS)).filter(({ method }) => method === 'POST')).toHaveLength(1);
  });
});

test('a read that fails again is not sent a third time', async () => {
  await calendar.sandbox.fault({ kind: 'status', status: 503, path: EVENTS, times: 5 });
  const { data } = await calendar.call('list_events', {});
  expect(data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true, vendorStatus: 503 });
  expect(await at(EVENTS)).toBe(2);
});

describe('the sign-in', () => {
  test('a token that Google no longer takes is renewed without a word', async () => {
    await calendar.call('list_calendars', {});
    await calendar.sandbox.fault({ kind: 'status', status: 401, path: EVENTS });
    expect((await calendar.call('create_event', CREATE)).isError).toBe(false);
    const seen = await calendar.sandbox.received(EVENTS);
    expect(seen.filter(({ tookEffect }) => tookEffect)).toHaveLength(1);
  });

  test('names the variable to look at where it is refused, and never shows its value', async () => {
    await using other = await startVendor('calendar', { env: { GOOGLE_REFRESH_TOKEN: '1//of-yesterday' } });
    const { data } = await other.call('list_events', { calendarId: calendars.staff.id });
    expect(data.error).toMatchObject({ code: 'credentials_refused', retryable: false, vendorCode: 'invalid_grant' });
    expect(data.error.hint).toContain('GOOGLE_REFRESH_TOKEN');
    expect(JSON.stringify(data) + other.fleet.everything()).not.toMatch(/of-yesterday|sandbox-client-secret/);
  });
});
