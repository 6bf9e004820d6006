import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/twilio/sandbox.ts';
import { SEED } from '../../../bridges/twilio/stand-in/seed.ts';
import { openStdioServer } from '../../support/stdio-server.ts';
import { until } from '../../support/until.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const ACCOUNT = `/2010-04-01/Accounts/${SEED.accountSid}`;
const BALANCE = `${ACCOUNT}/Balance.json`;
const MESSAGES = `${ACCOUNT}/Messages.json`;

let twilio: Vendor;

beforeAll(async () => {
  // One worker: it is the one that was told to wait.
  twilio = await startVendor('twilio', { env: { POOL_MAX: '1' } });
});
afterAll(() => twilio?.[Symbol.asyncDispose]());
beforeEach(() => twilio.sandbox.reset());

let keys = 0;
const read = (headers: Record<string, string> = {}) => twilio.call('get_balance', {}, headers);
const send = (headers: Record<string, string> = {}) =>
  twilio.call('send_sms', { to: SEED.guests.mara, body: 'x' }, { 'idempotency-key': `faults-${++keys}`, ...headers });

describe('a read', () => {
  test('whose connection breaks is asked once more', async () => {
    await twilio.sandbox.fault({ kind: 'drop_before', path: BALANCE });
    expect((await read()).isError).toBe(false);
    expect(await twilio.sandbox.received(BALANCE)).toHaveLength(2);
  });

  test('whose connection breaks twice is worth repeating later', async () => {
    await twilio.sandbox.fault({ kind: 'drop_before', path: BALANCE, times: 5 });
    expect((await read()).data.error).toMatchObject({ code: 'vendor_unreachable', retryable: true });
    expect(await twilio.sandbox.received(BALANCE)).toHaveLength(2);
  });

  test.each([
    ['status', 'vendor_unavailable'],
    ['malformed', 'vendor_malformed'],
  ] as const)('that fails (%s) is not repeated by the bridge', async (kind, code) => {
    await twilio.sandbox.fault({ kind, status: 500, path: BALANCE });
    expect((await read()).data.error).toMatchObject({ code, retryable: true });
    expect(await twilio.sandbox.received(BALANCE)).toHaveLength(1);
  });

  test('slower than the deadline is given up within it', async () => {
    await twilio.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: BALANCE });
    const answer = await read({ 'x-request-timeout-ms': '500' });
    expect(answer.data?.error.code ?? answer.json.code).toMatch(/^(vendor_timeout|deadline_exceeded)$/);
    expect((await read()).isError).toBe(false);
  });
});

describe('where Twilio limits (429)', () => {
  test('it is told with the time to wait, Twilio is left alone for it, and asked again after it', async () => {
    await twilio.sandbox.fault({ kind: 'status', status: 429, retryAfterSeconds: 1, path: BALANCE, times: 9 });
    const limited = await read();
    expect(limited.data.error).toMatchObject({
      code: 'vendor_rate_limited',
      retryable: true,
      retryAfterMs: 1_000,
      vendorCode: 20429,
    });
    const { data } = await read();
    expect(data.error).toMatchObject({ code: 'vendor_rate_limited', retryable: true });
    expect(data.error.retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(await twilio.sandbox.received(BALANCE)).toHaveLength(1);
    // Other products are not limited by it.
    expect((await twilio.call('list_messaging_services')).isError).toBe(false);
    await until('Twilio is asked again', async () => {
      await read();
      return (await twilio.sandbox.received(BALANCE)).length === 2;
    });
    await twilio.sandbox.reset();
    await until('and takes it', async () => !(await read()).isError);
  });

  test('a send was not done, is not repeated, and may be sent under a new key', async () => {
    await twilio.sandbox.fault({ kind: 'status', status: 429, path: MESSAGES });
    const { data } = await send();
    expect(data.error).toMatchObject({
      code: 'vendor_rate_limited',
      retryable: true,
      executed: 'no',
      retryAfterMs: 1_000,
    });
    expect(data.error.hint).toContain('new Idempotency-Key');
    expect(await twilio.sandbox.received(MESSAGES)).toHaveLength(1);
    expect((await send()).data).toMatchObject({ status: 'accepted' });
  });
});

describe('a send', () => {
  test.each(['drop_before', 'drop_after'] as const)('whose connection breaks (%s) is not repeated', async (kind) => {
    await twilio.sandbox.fault({ kind, path: MESSAGES });
    expect((await send()).data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(await twilio.sandbox.received(MESSAGES)).toHaveLength(1);
  });

  test('slower than its deadline is unknown, and not repeated', async () => {
    await twilio.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: MESSAGES });
    const answer = await send({ 'x-request-timeout-ms': '600' });
    expect(answer.data?.error.code ?? answer.json.code).toMatch(/^(outcome_unknown|deadline_exceeded)$/);
    expect(await twilio.sandbox.received(MESSAGES)).toHaveLength(1);
  });

  test('that cannot reach Twilio at all was not done', async () => {
    const sandbox = await startSandbox({ dataDir: '' });
    await sandbox[Symbol.asyncDispose]();
    await using server = await openStdioServer('twilio', { ...sandbox.env });
    const { data } = await server.call('send_sms', { to: SEED.guests.mara, body: 'x' });
    expect(data.error).toMatchObject({ code: 'vendor_unreachable', retryable: true, executed: 'no' });
    expect(data.error.message).toContain('ECONNREFUSED');
  });

  test('that a slow Twilio may yet do is unknown when the server itself must answer', async () => {
    await using sandbox = await startSandbox({ dataDir: '' });
    await using server = await openStdioServer('twilio', { ...sandbox.env });
    await fetch(`${sandbox.url}/_sandbox/faults`, {
      method: 'POST',
      body: JSON.stringify({ kind: 'slow', delayMs: 20_000 }),
    });
    const { data } = await server.call('send_sms', { to: SEED.guests.mara, body: 'x' }, { deadlineMs: 400 });
    expect(data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
  });
});

test('no answer and no log has the secret, a path of this machine or a stack', async () => {
  await using sandbox = await startSandbox({ dataDir: '' });
  await using server = await openStdioServer('twilio', { ...sandbox.env, TWILIO_LOG_LEVEL: 'debug' });
  const answers: string[] = [];
  for (const kind of ['status', 'malformed', 'drop_before', 'drop_after']) {
    await fetch(`${sandbox.url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify({ kind, times: 2 }) });
    for (const tool of ['get_balance', 'list_messaging_services']) {
      answers.push(JSON.stringify((await server.call(tool)).data));
    }
  }
  const said = answers.join() + server.stderr();
  expect(said).toContain('vendor_');
  expect(said).not.toContain(SEED.apiKeySecret);
  expect(said).not.toContain(SEED.accountSid);
  expect(said).not.toMatch(/node_modules|\.ts:|Basic /);
});
