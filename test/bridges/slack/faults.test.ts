import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/slack/sandbox.ts';
import { openStdioServer } from '../../support/stdio-server.ts';
import { until } from '../../support/until.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const GENERAL = 'C0GENERAL01';
const HISTORY = '/api/conversations.history';
const POST = '/api/chat.postMessage';

let slack: Vendor;

beforeAll(async () => {
  // One worker: it is the one that was told to wait.
  slack = await startVendor('slack', { env: { POOL_MAX: '1' } });
});
afterAll(() => slack?.[Symbol.asyncDispose]());
beforeEach(() => slack.sandbox.reset());

const read = (headers: Record<string, string> = {}) => slack.call('channel_history', { channel: GENERAL }, headers);
const post = (headers: Record<string, string> = {}) =>
  slack.call('post_message', { channel: GENERAL, text: 'x' }, headers);

describe('a read', () => {
  test('whose connection breaks is asked once more', async () => {
    await slack.sandbox.fault({ kind: 'drop_before', path: HISTORY });
    expect((await read()).data.messages).toHaveLength(4);
    expect(await slack.sandbox.received(HISTORY)).toHaveLength(2);
  });

  test('whose connection breaks twice is worth repeating later', async () => {
    await slack.sandbox.fault({ kind: 'drop_before', path: HISTORY, times: 5 });
    expect((await read()).data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true });
    expect(await slack.sandbox.received(HISTORY)).toHaveLength(2);
  });

  test.each(['status', 'malformed'] as const)('that fails (%s) is not repeated by the bridge', async (kind) => {
    await slack.sandbox.fault({ kind, status: 503, path: HISTORY });
    expect((await read()).data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true, vendor: 'slack' });
    expect(await slack.sandbox.received(HISTORY)).toHaveLength(1);
  });

  test('slower than the deadline is given up within it', async () => {
    await slack.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: HISTORY });
    const answer = await read({ 'x-request-timeout-ms': '500' });
    expect(answer.data?.error.code ?? answer.json.code).toMatch(/^(vendor_unavailable|deadline_exceeded)$/);
    expect((await read()).data.messages).toHaveLength(4);
  });
});

describe('where Slack limits (429)', () => {
  test('it is told with the time to wait, Slack is left alone for it, and asked again after it', async () => {
    const reactions = '/api/reactions.add';
    const react = () => slack.call('add_reaction', { channel: GENERAL, ts: '1700000000.000100', emoji: 'eyes' });
    await slack.sandbox.fault({ kind: 'status', status: 429, retryAfterSeconds: 1, path: reactions, times: 9 });
    const limited = await react();
    expect(limited.data.error).toMatchObject({
      code: 'vendor_rate_limited',
      vendorCode: 'ratelimited',
      retryable: true,
      retryAfterMs: 1_000,
      executed: 'no',
    });
    const soon = await react();
    expect(soon.data.error).toMatchObject({ code: 'vendor_rate_limited', retryable: true });
    expect(soon.data.error.retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(await slack.sandbox.received(reactions)).toHaveLength(1);
    await slack.sandbox.reset();
    await until('Slack is asked again', async () => (await react()).data.error.code === 'message_not_found');
    expect(await slack.sandbox.received(reactions)).toHaveLength(1);
  });

  test('other methods are asked as ever, and a write that was refused was not done', async () => {
    await slack.sandbox.fault({ kind: 'status', status: 429, retryAfterSeconds: 1, path: '/api/chat.scheduleMessage' });
    const args = { channel: GENERAL, text: 'x', postAt: new Date(Date.now() + 3_600_000).toISOString() };
    const { data } = await slack.call('schedule_message', args);
    expect(data.error).toMatchObject({ code: 'vendor_rate_limited', executed: 'no', method: 'chat.scheduleMessage' });
    expect((await slack.sandbox.state()).scheduled).toEqual([]);
    expect((await post()).isError).toBe(false);
  });

  test('without a time to wait, half a minute is kept', async () => {
    await slack.sandbox.fault({ kind: 'status', status: 429, path: '/api/chat.delete' });
    const { data } = await slack.call('delete_message', { channel: GENERAL, ts: '1700000000.000100' });
    expect(data.error).toMatchObject({ code: 'vendor_rate_limited', retryAfterMs: 30_000 });
  });
});

describe('a write', () => {
  test.each([500, 502])('answered with HTTP %d may have been done, and is sent once', async (status) => {
    await slack.sandbox.fault({ kind: 'status', status, path: POST });
    expect((await post()).data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(await slack.sandbox.received(POST)).toHaveLength(1);
  });

  test('slower than the deadline may have been done, and is sent once', async () => {
    await slack.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: POST });
    const answer = await post({ 'x-request-timeout-ms': '500' });
    expect(answer.data?.error.code ?? answer.json.code).toMatch(/^(outcome_unknown|deadline_exceeded)$/);
    expect(answer.data?.error.executed ?? answer.json.executed).toBe('maybe');
    expect(await slack.sandbox.received(POST)).toHaveLength(1);
  });

  test('refused by something in between was not done', async () => {
    await slack.sandbox.fault({ kind: 'status', status: 403, path: POST });
    expect((await post()).data.error).toMatchObject({ code: 'vendor_refused', httpStatus: 403, retryable: false });
  });

  test('to a Slack that cannot be reached was not sent', async () => {
    const gone = await startSandbox({ dataDir: '' });
    await gone[Symbol.asyncDispose]();
    await using server = await openStdioServer('slack', gone.env);
    const { data } = await server.call('post_message', { channel: GENERAL, text: 'x' });
    expect(data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true, executed: 'no' });
    expect(server.stderr()).toBe('');
  });
});

test('a fault tells nothing of the token, on stderr, in the log or in an answer', async () => {
  const token = slack.sandbox.env.SLACK_BOT_TOKEN ?? 'none';
  const texts: string[] = [];
  for (const kind of ['status', 'drop_after', 'malformed'] as const) {
    await slack.sandbox.fault({ kind, path: POST });
    texts.push((await post()).text);
  }
  expect([slack.fleet.everything(), ...texts].join('\n')).not.toContain(token);
  expect(texts.join('\n')).not.toMatch(/node_modules|\.ts:|at async/);
});
