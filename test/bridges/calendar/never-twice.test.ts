import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calendars, seededId } from '../../../bridges/calendar/sandbox/seed.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const WEDDINGS = calendars.weddings.id;
const EVENTS = `/calendar/v3/calendars/primary/events`;
const CALL = seededId('Call: terrace of Hotel Seeblick');
const FAIR = seededId('Florale: spring fair for florists');
const ASKED = { prefer: 'reconcile' };

let calendar: Vendor;
let twin: Vendor;

beforeAll(async () => {
  calendar = await startVendor('calendar');
  twin = await calendar.twin();
});
afterAll(async () => {
  await twin?.[Symbol.asyncDispose]();
  await calendar?.[Symbol.asyncDispose]();
});
beforeEach(() => calendar.sandbox.reset());

let keys = 0;
/** A key that no other test uses: records outlive a reset of the sandbox. */
const newKey = () => ({ 'idempotency-key': `never-twice-${++keys}` });
const effects = async () =>
  (await calendar.sandbox.received()).filter(
    ({ method, path, tookEffect }) => method !== 'GET' && path !== '/token' && tookEffect,
  );
const mails = async () => (await calendar.sandbox.state()).mails;

const CREATE = {
  summary: 'Menu tasting',
  start: '2027-06-12T15:00:00+02:00',
  end: '2027-06-12T16:00:00+02:00',
  attendees: [{ email: 'guest@example.org' }],
  notifyGuests: 'all',
};

/** Every tool that writes: the request it sends, and how many mails one effect means. */
const WRITES = [
  ['create_event', CREATE, 'POST', EVENTS, 1],
  ['update_event', { eventId: CALL, summary: 'Later', notifyGuests: 'all' }, 'PATCH', `${EVENTS}/${CALL}`, 1],
  [
    'move_event',
    { eventId: CALL, destinationCalendarId: WEDDINGS, notifyGuests: 'all' },
    'POST',
    `${EVENTS}/${CALL}/move`,
    1,
  ],
  ['delete_event', { eventId: CALL, notifyGuests: 'all' }, 'DELETE', `${EVENTS}/${CALL}`, 1],
  ['respond_to_event', { eventId: FAIR, response: 'accepted', notifyGuests: 'all' }, 'PATCH', `${EVENTS}/${FAIR}`, 1],
  [
    'add_attendees',
    { eventId: CALL, attendees: [{ email: 'guest@example.org' }], notifyGuests: 'all' },
    'PATCH',
    `${EVENTS}/${CALL}`,
    2,
  ],
] as const;

describe.each(WRITES)('%s with a key', (tool, args, method, path, mailed) => {
  test('is carried out once by two processes that know nothing of each other', async () => {
    const key = newKey();
    const first = await calendar.call(tool, args, key);
    const second = await twin.call(tool, args, key);
    expect(first).toMatchObject({ status: 200, isError: false });
    expect(second).toMatchObject({ status: 200, isError: false, data: first.data });
    expect(await effects()).toHaveLength(1);
    expect(await mails()).toHaveLength(mailed);
  });

  test('is carried out once where both begin at the same time', async () => {
    const key = newKey();
    const answers = await Promise.all([calendar.call(tool, args, key), twin.call(tool, args, key)]);
    expect(answers.map(({ isError }) => isError)).toEqual([false, false]);
    expect(await effects()).toHaveLength(1);
    expect(await mails()).toHaveLength(mailed);
  });

  test('whose answer is dropped after it took effect is unknown, and once whoever repeats it', async () => {
    const key = newKey();
    await calendar.sandbox.fault({ kind: 'drop_after', method, path });
    const first = await calendar.call(tool, args, key);
    expect(first).toMatchObject({ status: 200, isError: true });
    expect(first.data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(first.data.error.hint).toContain('Prefer: reconcile');
    const second = await twin.call(tool, args, key);
    expect(second).toMatchObject({ status: 200, isError: false });
    expect(await effects()).toHaveLength(1);
    expect(await mails()).toHaveLength(mailed);
  });

  test('is found to have happened when asked about, as it would have been answered', async () => {
    const key = newKey();
    await calendar.sandbox.fault({ kind: 'drop_after', method, path });
    await calendar.call(tool, args, key);
    const asked = await calendar.call(tool, args, { ...key, ...ASKED });
    expect(asked).toMatchObject({ status: 200, isError: false, headers: { 'idempotency-reconciled': 'true' } });
    const again = await calendar.call(tool, args, key);
    expect(again).toMatchObject({ status: 200, isError: false, data: asked.data });
    expect(await effects()).toHaveLength(1);
  });

  test('is found not to have happened where Google never got it, and then runs', async () => {
    const key = newKey();
    await calendar.sandbox.fault({ kind: 'drop_before', method, path });
    const first = await calendar.call(tool, args, key);
    expect(first.data.error.code).toBe('outcome_unknown');
    const asked = await calendar.call(tool, args, { ...key, ...ASKED });
    expect([asked.status, asked.json.code]).toEqual([409, 'not_executed']);
    expect(await effects()).toEqual([]);
    expect(await calendar.call(tool, args, key)).toMatchObject({ status: 200, isError: false });
    expect(await effects()).toHaveLength(1);
  });
});

describe('create_event with a key', () => {
  test('makes an event whose id is the key, and marks it for the API alone', async () => {
    const { data } = await calendar.call('create_event', CREATE, newKey());
    expect(data.event.eventId).toMatch(/^mcp[0-9a-f]{64}$/);
    const { events } = await calendar.sandbox.state();
    const made = events[calendars.own.id].find((event: { id: string }) => event.id === data.event.eventId);
    expect(made.extendedProperties.private.mcpBridgeKey).toBe(data.event.eventId.slice(3));
    expect(JSON.stringify(made)).not.toContain('never-twice');
  });

  test('says so where the event was deleted since', async () => {
    const key = newKey();
    const { data } = await calendar.call('create_event', CREATE, key);
    await calendar.call('delete_event', { eventId: data.event.eventId });
    const again = await twin.call('create_event', CREATE, key);
    expect(again.data.error).toMatchObject({ code: 'event_deleted', retryable: false });
    expect((await effects()).filter(({ method }) => method === 'POST')).toHaveLength(1);
    const asked = await twin.call('create_event', CREATE, { ...newKey(), ...ASKED });
    expect([asked.status, asked.json.code]).toEqual([409, 'not_executed']);
  });

  test('refuses other arguments under the same key, also where the record of it is gone', async () => {
    const key = newKey();
    await calendar.call('create_event', CREATE, key);
    const other = await twin.call('create_event', { ...CREATE, summary: 'Another' }, key);
    expect(other.data.error).toMatchObject({ code: 'key_reused', retryable: false });
    expect(await effects()).toHaveLength(1);
  });

  test('without a key, what is dropped is never sent again', async () => {
    await calendar.sandbox.fault({ kind: 'drop_before', method: 'POST', path: EVENTS });
    const { data } = await calendar.call('create_event', CREATE);
    expect(data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(await calendar.sandbox.received(EVENTS)).toHaveLength(1);
  });
});

describe('update_event with a key', () => {
  test('does not undo what a person changed since, when it is repeated', async () => {
    const key = newKey();
    await calendar.call('update_event', { eventId: CALL, summary: 'By the bridge' }, key);
    await calendar.call('update_event', { eventId: CALL, summary: 'By a person' });
    const again = await twin.call('update_event', { eventId: CALL, summary: 'By the bridge' }, key);
    expect(again.data.event.summary).toBe('By a person');
    expect(await effects()).toHaveLength(2);
  });

  test('is found among many others, and other private properties stay', async () => {
    const first = newKey();
    await calendar.call('update_event', { eventId: CALL, summary: 'First' }, first);
    for (let n = 0; n < 4; n++) await calendar.call('update_event', { eventId: CALL, summary: `Next ${n}` }, newKey());
    const again = await twin.call('update_event', { eventId: CALL, summary: 'First' }, first);
    expect(again.data.event.summary).toBe('Next 3');
    const { data } = await calendar.call('create_event', CREATE, newKey());
    await calendar.call('update_event', { eventId: data.event.eventId, summary: 'Changed' }, newKey());
    const { events } = await calendar.sandbox.state();
    const made = events[calendars.own.id].find((event: { id: string }) => event.id === data.event.eventId);
    expect(Object.keys(made.extendedProperties.private).sort()).toEqual([
      'mcpBridgeBody',
      'mcpBridgeChanges',
      'mcpBridgeKey',
    ]);
  });

  test('nobody can say whether it happened before the event was deleted', async () => {
    const key = newKey();
    const args = { eventId: CALL, summary: 'X' };
    await calendar.sandbox.fault({ kind: 'drop_before', method: 'PATCH' });
    await calendar.call('update_event', args, key);
    await calendar.call('delete_event', { eventId: CALL });
    const asked = await calendar.call('update_event', args, { ...key, ...ASKED });
    expect([asked.status, asked.json.code]).toEqual([409, 'outcome_unknown']);
    expect(asked.json.detail).toContain('deleted since');
  });
});
