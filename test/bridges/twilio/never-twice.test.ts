import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SEED, TEMPLATES } from '../../../bridges/twilio/stand-in/seed.ts';
import { until } from '../../support/until.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const { guests } = SEED;
const ASKED = { prefer: 'reconcile' };
const MESSAGES = `/2010-04-01/Accounts/${SEED.accountSid}/Messages.json`;
const VERIFICATIONS = `/v2/Services/${SEED.verifyService}/Verifications`;

let twilio: Vendor;
let twin: Vendor;

beforeAll(async () => {
  twilio = await startVendor('twilio', { env: { POOL_MAX: '1' } });
  twin = await twilio.twin();
});
afterAll(async () => {
  await twin?.[Symbol.asyncDispose]();
  await twilio?.[Symbol.asyncDispose]();
});
beforeEach(() => twilio.sandbox.reset());

let keys = 0;
/** A key that no other test uses: records outlive a reset of the sandbox. */
const newKey = () => ({ 'idempotency-key': `never-twice-${++keys}` });
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const posts = async () => (await twilio.sandbox.received(MESSAGES)).filter(({ method }) => method === 'POST');

/** How often a text is in the account's list. */
async function timesSent(text: string): Promise<number> {
  const { messages } = await twilio.sandbox.state();
  return messages.filter(({ body }: { body: string }) => body === text).length;
}

const SENDS = [
  ['send_sms', (body: string) => ({ to: guests.mara, body })],
  ['send_sms', (body: string) => ({ to: guests.mara, body, sendAt: inAnHour() })],
  ['send_sms', (body: string) => ({ to: guests.mara, body, from: SEED.numbers.us })],
  ['send_whatsapp', (body: string) => ({ to: guests.mara, body })],
] as const;

describe.each(SENDS)('%s with a key', (tool, argsFor) => {
  test('whose answer is dropped after it took effect is not sent again, and found when it is asked about', async () => {
    const args = argsFor('Dropped after: be there at 18:00');
    const key = newKey();
    await twilio.sandbox.fault({ kind: 'drop_after', method: 'POST', path: MESSAGES });
    const lost = await twilio.call(tool, args, key);
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(lost.data.error.hint).toContain('Prefer: reconcile');
    const again = await twilio.call(tool, args, key);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.data).toEqual(lost.data);
    const found = await twilio.call(tool, args, { ...key, ...ASKED });
    expect(found).toMatchObject({ status: 200, isError: false, data: { to: guests.mara, body: args.body } });
    expect(found.headers['idempotency-reconciled']).toBe('true');
    expect((await twilio.call(tool, args, key)).data).toEqual(found.data);
    expect(await timesSent(args.body)).toBe(1);
    expect(await posts()).toHaveLength(1);
  });

  test('that never reached Twilio is told as not executed, and its key sends it then', async () => {
    const args = argsFor('Dropped before');
    const key = newKey();
    await twilio.sandbox.fault({ kind: 'drop_before', method: 'POST', path: MESSAGES });
    expect((await twilio.call(tool, args, key)).data.error.code).toBe('outcome_unknown');
    const asked = await twilio.call(tool, args, { ...key, ...ASKED });
    expect(asked).toMatchObject({ status: 409, json: { code: 'not_executed', executed: 'no' } });
    expect((await twilio.call(tool, args, key)).data).toMatchObject({ body: args.body });
    expect(await timesSent(args.body)).toBe(1);
  });

  test.each(['malformed', 'status'] as const)(
    'whose answer says nothing (%s) is unknown, and sent once',
    async (kind) => {
      const args = argsFor(`Answer: ${kind}`);
      const key = newKey();
      await twilio.sandbox.fault({ kind, status: 500, method: 'POST', path: MESSAGES });
      const lost = await twilio.call(tool, args, key);
      expect(lost.data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
      await twilio.call(tool, args, key);
      expect(await posts()).toHaveLength(1);
    },
  );
});

describe('a text that was lost', () => {
  const body = 'See you tomorrow at the boathouse';
  const args = { to: guests.tom, body };

  async function lost(tool = 'send_sms', order: object = args) {
    const key = newKey();
    await twilio.sandbox.fault({ kind: 'drop_after', method: 'POST', path: MESSAGES });
    const answer = await twilio.call(tool, { ...order }, key);
    expect(answer).toMatchObject({ status: 200, data: { error: { code: 'outcome_unknown' } } });
    return key;
  }

  test('is told from the same text that the same process sent under another key', async () => {
    const other = await twilio.call('send_sms', args, newKey());
    const key = await lost();
    const found = await twilio.call('send_sms', args, { ...key, ...ASKED });
    expect(found).toMatchObject({ status: 200, isError: false });
    expect(found.data.sid).not.toBe(other.data.sid);
    expect(await timesSent(body)).toBe(2);
  });

  test('is not taken for the text of another key when it was never sent', async () => {
    await twilio.call('send_sms', args, newKey());
    const key = newKey();
    await twilio.sandbox.fault({ kind: 'drop_before', method: 'POST', path: MESSAGES });
    await twilio.call('send_sms', args, key);
    expect((await twilio.call('send_sms', args, { ...key, ...ASKED })).json.code).toBe('not_executed');
  });

  test('stays unknown where another process sent the same, with what was looked at', async () => {
    await twin.call('send_sms', args, newKey());
    const key = await lost();
    const asked = await twilio.call('send_sms', args, { ...key, ...ASKED });
    expect(asked).toMatchObject({ status: 409, json: { code: 'outcome_unknown', executed: 'maybe' } });
    expect(asked.json.detail).toMatch(/2 messages with this text.*SM[0-9a-f]{32}/);
    expect(asked.json.detail).not.toContain(guests.tom);
    expect(await posts()).toHaveLength(2);
  });

  test('is found by the other process too', async () => {
    const { 'idempotency-key': key } = await lost();
    const found = await twin.call('send_sms', args, { 'idempotency-key': key, ...ASKED });
    expect(found).toMatchObject({ status: 200, data: { body } });
    expect(await timesSent(body)).toBe(1);
  });

  test('of a template has no text to compare: unknown where there is any, not executed where there is none', async () => {
    const template = { to: guests.lea, templateSid: TEMPLATES[0].sid };
    const key = await lost('send_whatsapp', template);
    const asked = await twilio.call('send_whatsapp', template, { ...key, ...ASKED });
    expect(asked).toMatchObject({ status: 409, json: { code: 'outcome_unknown' } });
    expect(asked.json.detail).toMatch(/cannot be compared/);
    const none = { ...template, to: '+41790000000' };
    expect((await twilio.call('send_whatsapp', none, { ...newKey(), ...ASKED })).json.code).toBe('not_executed');
  });

  test('is looked for only: asking never sends', async () => {
    const asked = await twilio.call('send_sms', { ...args, body: 'never' }, { ...newKey(), ...ASKED });
    expect(asked).toMatchObject({ status: 409, json: { code: 'not_executed' } });
    expect(await posts()).toEqual([]);
  });

  test('stays unknown while Twilio cannot be asked', async () => {
    const key = await lost();
    await twilio.sandbox.fault({ kind: 'status', status: 503, method: 'GET' });
    const asked = await twilio.call('send_sms', args, { ...key, ...ASKED });
    expect(asked).toMatchObject({ status: 409, json: { code: 'outcome_unknown' } });
    expect(asked.json.detail).toContain('vendor_unavailable');
    expect((await twilio.call('send_sms', args, { ...key, ...ASKED })).status).toBe(200);
  });

  test('and arrives after the deadline is found once it is there', async () => {
    const key = newKey();
    await twilio.sandbox.fault({ kind: 'slow', delayMs: 1_200, method: 'POST', path: MESSAGES });
    const late = await twilio.call('send_sms', args, { ...key, 'x-request-timeout-ms': '600' });
    expect(late.data?.error.code ?? late.json.code).toMatch(/^(outcome_unknown|deadline_exceeded)$/);
    await until('it has arrived', async () => (await timesSent(body)) === 1);
    const found = await until('it is found', async () => {
      const asked = await twilio.call('send_sms', args, { ...key, ...ASKED });
      return asked.status === 200 ? asked : undefined;
    });
    expect(found.data.body).toBe(body);
    expect(await posts()).toHaveLength(1);
  });
});

test('a send whose worker is killed is tried by no other worker, and found afterwards', async () => {
  const args = { to: guests.lea, body: 'Killed while it was sent' };
  const key = newKey();
  await twilio.sandbox.fault({ kind: 'slow', delayMs: 1_000, method: 'POST', path: MESSAGES });
  const sending = twilio.call('send_sms', args, key);
  await until('it is on its way', async () => (await posts()).length === 1);
  const { pid } = twilio.fleet.process;
  const workers = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  for (const worker of workers.trim().split(/\s+/)) process.kill(Number(worker), 'SIGKILL');
  expect(await sending).toMatchObject({ status: 502, json: { code: 'child_crashed', executed: 'maybe' } });
  await until('Twilio has done it all the same', async () => (await timesSent(args.body)) === 1);
  const found = await twilio.call('send_sms', args, { ...key, ...ASKED });
  expect(found).toMatchObject({ status: 200, data: { body: args.body } });
  expect(await posts()).toHaveLength(1);
});

describe('one-time codes', () => {
  const args = { to: guests.mara };
  const started = async () => (await twilio.sandbox.received(VERIFICATIONS)).filter(({ method }) => method === 'POST');

  test('whose sending was lost are found by the list of codes, and sent once', async () => {
    const key = newKey();
    await twilio.sandbox.fault({ kind: 'drop_after', method: 'POST', path: VERIFICATIONS });
    expect((await twilio.call('start_verification', args, key)).data.error.code).toBe('outcome_unknown');
    expect((await twilio.call('start_verification', args, key)).data.error.code).toBe('outcome_unknown');
    const found = await twilio.call('start_verification', args, { ...key, ...ASKED });
    expect(found).toMatchObject({ status: 200, data: { status: 'pending', codesSent: 1 } });
    expect(await started()).toHaveLength(1);
  });

  test('are found after they were used too', async () => {
    await twilio.call('start_verification', args, newKey());
    await twilio.call('check_verification', { ...args, code: SEED.code }, newKey());
    const found = await twilio.call('start_verification', args, { ...newKey(), ...ASKED });
    expect(found).toMatchObject({ status: 200, data: { status: 'approved' } });
  });

  test('are never told as not sent', async () => {
    const asked = await twilio.call('start_verification', args, { ...newKey(), ...ASKED });
    expect(asked).toMatchObject({ status: 409, json: { code: 'outcome_unknown' } });
    expect(asked.json.detail).toMatch(/0 codes/);
  });

  test('are checked once under one key, and an unknown check cannot be asked about', async () => {
    await twilio.call('start_verification', args, newKey());
    const key = newKey();
    const check = { ...args, code: SEED.code };
    await twilio.sandbox.fault({ kind: 'drop_after', path: '*/VerificationCheck' });
    const lost = await twilio.call('check_verification', check, key);
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    expect((await twilio.call('check_verification', check, key)).data).toEqual(lost.data);
    expect(await twilio.sandbox.received(`/v2/Services/${SEED.verifyService}/VerificationCheck`)).toHaveLength(1);
  });
});

test('cancelling may be repeated, also where its answer was dropped after it took effect', async () => {
  const { data } = await twilio.call('send_sms', { to: guests.lea, body: 'later', sendAt: inAnHour() }, newKey());
  await twilio.sandbox.fault({ kind: 'drop_after', method: 'POST' });
  const lost = await twilio.call('cancel_scheduled_message', { sid: data.sid });
  expect(lost.data.error).toMatchObject({ code: 'vendor_unreachable', retryable: true });
  expect((await twilio.call('cancel_scheduled_message', { sid: data.sid })).data.status).toBe('canceled');
});
