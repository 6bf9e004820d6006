import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/stripe/sandbox.ts';
import { openStdioServer } from '../../support/stdio-server.ts';
import { until } from '../../support/until.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const CUSTOMERS = '/v1/customers';
const KEYED = { idempotencyKey: 'f'.repeat(64) };

let stripe: Vendor;

beforeAll(async () => {
  // One worker: it is the one that was told to wait.
  stripe = await startVendor('stripe', { env: { POOL_MAX: '1' } });
});
afterAll(() => stripe?.[Symbol.asyncDispose]());
beforeEach(() => stripe.sandbox.reset());

const read = (headers: Record<string, string> = {}) => stripe.call('list_customers', {}, headers);
const create = (headers: Record<string, string> = {}) => stripe.call('create_customer', { name: 'X' }, headers);
const sent = async () => (await stripe.sandbox.received(CUSTOMERS)).filter(({ method }) => method === 'POST');

describe('a read', () => {
  test.each([
    ['the connection breaks before', { kind: 'drop_before' }],
    ['the connection breaks after', { kind: 'drop_after' }],
    ['Stripe fails', { kind: 'status', status: 500 }],
    ['Stripe is overloaded and names a time', { kind: 'status', status: 503, retryAfterSeconds: 0 }],
  ] as const)('is tried once more where %s', async (_what, fault) => {
    await stripe.sandbox.fault({ ...fault, path: CUSTOMERS });
    expect((await read()).data.customers).toHaveLength(6);
    expect(await stripe.sandbox.received(CUSTOMERS)).toHaveLength(2);
  });

  test.each([
    ['drop_before', 'vendor_unreachable'],
    ['status', 'vendor_unavailable'],
  ] as const)('that meets %s twice is told as worth repeating, and tried no third time', async (kind, code) => {
    await stripe.sandbox.fault({ kind, path: CUSTOMERS, times: 5 });
    expect((await read()).data.error).toMatchObject({ code, retryable: true });
    expect(await stripe.sandbox.received(CUSTOMERS)).toHaveLength(2);
  });

  test('is not tried again where Stripe wants a longer wait than there is time', async () => {
    await stripe.sandbox.fault({ kind: 'status', status: 503, retryAfterSeconds: 30, path: CUSTOMERS });
    expect((await read()).data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true });
    expect(await stripe.sandbox.received(CUSTOMERS)).toHaveLength(1);
  });

  test('whose answer cannot be read is told as worth repeating', async () => {
    await stripe.sandbox.fault({ kind: 'malformed', path: CUSTOMERS, times: 2 });
    expect((await read()).data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true });
  });

  test('slower than the deadline is given up within it', async () => {
    await stripe.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: CUSTOMERS });
    const answer = await read({ 'x-request-timeout-ms': '600' });
    expect(answer.data?.error.code ?? answer.json.code).toMatch(/^(vendor_timeout|deadline_exceeded)$/);
    expect((await read()).data.customers).toHaveLength(6);
  });
});

describe('where Stripe limits (429)', () => {
  test('it is told with the time to wait, Stripe is left alone for it, and asked again after it', async () => {
    await stripe.sandbox.fault({ kind: 'status', status: 429, retryAfterSeconds: 1, path: CUSTOMERS, times: 9 });
    const limited = await read();
    expect(limited.data.error).toMatchObject({
      code: 'vendor_rate_limited',
      vendorCode: 'rate_limit',
      retryable: true,
      retryAfterMs: 1_000,
    });
    const soon = await create();
    expect(soon.data.error).toMatchObject({ code: 'vendor_rate_limited', retryable: true, executed: 'no' });
    expect(soon.data.error.retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(await stripe.sandbox.received()).toHaveLength(1);
    await stripe.sandbox.reset();
    await until('Stripe is asked again', async () => !(await read()).isError);
    expect(await stripe.sandbox.received()).toHaveLength(1);
  });
});

describe('a write without a key', () => {
  test.each(['drop_before', 'drop_after', 'status', 'malformed'] as const)(
    'that meets %s may have been done, and is sent once',
    async (kind) => {
      await stripe.sandbox.fault({ kind, path: CUSTOMERS, method: 'POST' });
      const { data } = await create();
      expect(data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
      expect(data.error.hint).toMatch(/list tools/);
      expect(await sent()).toHaveLength(1);
    },
  );

  test('slower than the deadline may have been done, and is sent once', async () => {
    await stripe.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: CUSTOMERS });
    const answer = await create({ 'x-request-timeout-ms': '600' });
    expect(answer.data?.error.code ?? answer.json.code).toMatch(/^(outcome_unknown|deadline_exceeded)$/);
    expect(answer.data?.error.executed ?? answer.json.executed).toBe('maybe');
    expect(await sent()).toHaveLength(1);
  });

  test('refused for another one under way with the same object is worth repeating', async () => {
    await stripe.sandbox.fault({ kind: 'status', status: 409, path: CUSTOMERS, method: 'POST' });
    const { data } = await create();
    // Stripe's 409 says that the same key is under way: that one may be carried out.
    expect(data.error).toMatchObject({ code: 'outcome_unknown', vendorCode: 'idempotency_key_in_use' });
  });
});

describe('over the pipe', () => {
  test('a write to a Stripe that cannot be reached was not sent', async () => {
    const gone = await startSandbox({});
    await gone[Symbol.asyncDispose]();
    await using server = await openStdioServer('stripe', gone.env);
    const { data } = await server.call('create_customer', { name: 'X' }, KEYED);
    expect(data.error).toMatchObject({ code: 'vendor_unreachable', retryable: true, executed: 'no' });
    expect(server.stderr()).toBe('');
  });

  test('a write is not begun where the deadline leaves no time for its answer', async () => {
    await using server = await openStdioServer('stripe', stripe.sandbox.env);
    const { data } = await server.call('create_customer', { name: 'X' }, { ...KEYED, deadlineMs: 250 });
    expect(data.error).toMatchObject({ code: 'deadline_exceeded', retryable: true, executed: 'no' });
    expect(await sent()).toEqual([]);
  });

  test('the time for one answer has a limit of its own', async () => {
    await using server = await openStdioServer('stripe', { ...stripe.sandbox.env, STRIPE_REQUEST_TIMEOUT_MS: '150' });
    await stripe.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: '/v1/balance' });
    const { data } = await server.call('get_balance');
    expect(data.error).toMatchObject({ code: 'vendor_timeout', retryable: true });
  });
});

test('a fault tells nothing of the key, on stderr, in the log or in an answer', async () => {
  const secret = stripe.sandbox.env.STRIPE_SECRET_KEY ?? 'none';
  const texts: string[] = [];
  for (const kind of ['status', 'drop_after', 'malformed'] as const) {
    await stripe.sandbox.fault({ kind, path: CUSTOMERS, method: 'POST' });
    texts.push((await create()).text);
  }
  for (const status of [401, 403]) {
    await stripe.sandbox.fault({ kind: 'status', status, path: CUSTOMERS });
    texts.push((await read()).text);
  }
  expect([stripe.fleet.everything(), ...texts].join('\n')).not.toContain(secret);
  expect(texts.join('\n')).not.toMatch(/sk_test|rk_test|node_modules|\.ts:|at async/);
});
