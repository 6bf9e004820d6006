import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const GENERAL = 'C0GENERAL01';
const AURORA = 'C0AURORA002';
const ASKED = { prefer: 'reconcile' };

let slack: Vendor;
let twin: Vendor;

beforeAll(async () => {
  slack = await startVendor('slack');
  twin = await slack.twin();
});
afterAll(async () => {
  await twin?.[Symbol.asyncDispose]();
  await slack?.[Symbol.asyncDispose]();
});
beforeEach(() => slack.sandbox.reset());

let keys = 0;
/** A key that no other test uses: records outlive a reset of the sandbox. */
const newKey = () => ({ 'idempotency-key': `never-twice-${++keys}` });
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

interface State {
  readonly channels: {
    id: string;
    messages: { ts: string; text: string; reactions: unknown[]; editedTs?: string }[];
  }[];
  readonly scheduled: { text: string }[];
}

/** How often a text stands in the workspace, posted or scheduled. */
async function timesThere(text: string): Promise<number> {
  const { channels, scheduled }: State = await slack.sandbox.state();
  return [...channels.flatMap(({ messages }) => messages), ...scheduled].filter((one) => one.text === text).length;
}

async function firstTs(channel: string, text: string): Promise<string> {
  const { channels }: State = await slack.sandbox.state();
  const messages = channels.find(({ id }) => id === channel)?.messages ?? [];
  return messages.find((message) => message.text.includes(text))?.ts ?? '';
}

/** The three tools that send something people see, each with its method and how it is looked for. */
const SENDS = [
  ['post_message', 'chat.postMessage', 'conversations.history', async (text: string) => ({ channel: GENERAL, text })],
  [
    'reply_in_thread',
    'chat.postMessage',
    'conversations.replies',
    async (text: string) => ({ channel: AURORA, threadTs: await firstTs(AURORA, 'confirms the stage'), text }),
  ],
  [
    'schedule_message',
    'chat.scheduleMessage',
    'chat.scheduledMessages.list',
    async (text: string) => ({ channel: GENERAL, text, postAt: inAnHour() }),
  ],
] as const;

describe.each(SENDS)('%s with a key', (tool, method, look, argsFor) => {
  test('is sent once by two processes that know nothing of each other', async () => {
    const args = await argsFor('over two processes');
    const key = newKey();
    const first = await slack.call(tool, args, key);
    const second = await twin.call(tool, args, key);
    expect(second).toMatchObject({ status: 200, isError: false });
    expect(second.data).toEqual(first.data);
    expect(await timesThere('over two processes')).toBe(1);
    expect(await slack.sandbox.received(`/api/${method}`)).toHaveLength(1);
  });

  test('whose answer is dropped after it took effect is found, and sent once whoever repeats it', async () => {
    const args = await argsFor('dropped after');
    const key = newKey();
    await slack.sandbox.fault({ kind: 'drop_after', path: `/api/${method}` });
    const first = await slack.call(tool, args, key);
    expect(first).toMatchObject({ status: 200, isError: false });
    const again = await slack.call(tool, args, key);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.data).toEqual(first.data);
    expect((await twin.call(tool, args, key)).data).toEqual(first.data);
    expect(await timesThere('dropped after')).toBe(1);
    expect(await slack.sandbox.received(`/api/${method}`)).toHaveLength(1);
  });

  test('of unknown outcome is asked about with Prefer: reconcile, found, and recorded as found', async () => {
    const args = await argsFor('asked about');
    const key = newKey();
    // The look before the send is good; the one after it fails.
    await slack.sandbox.fault({ kind: 'slow', delayMs: 0, path: `/api/${look}` });
    await slack.sandbox.fault({ kind: 'status', status: 500, path: `/api/${look}` });
    await slack.sandbox.fault({ kind: 'drop_after', path: `/api/${method}` });
    const lost = await slack.call(tool, args, key);
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(lost.data.error.hint).toContain('Prefer: reconcile');
    expect((await slack.call(tool, args, key)).data).toEqual(lost.data);
    const found = await slack.call(tool, args, { ...key, ...ASKED });
    expect(found).toMatchObject({ status: 200, isError: false, data: { channel: args.channel } });
    expect(found.headers['idempotency-reconciled']).toBe('true');
    expect((await slack.call(tool, args, key)).data).toEqual(found.data);
    expect(await timesThere('asked about')).toBe(1);
    expect(await slack.sandbox.received(`/api/${method}`)).toHaveLength(1);
  });

  test('that nobody knows of is told as unknown with what was looked at, and nothing is sent', async () => {
    const answer = await slack.call(tool, await argsFor('never sent'), { ...newKey(), ...ASKED });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    expect(answer.json.detail).toMatch(/messages/);
    expect(await timesThere('never sent')).toBe(0);
  });

  test('is not sent where it cannot be looked for', async () => {
    await slack.sandbox.fault({ kind: 'status', status: 503, path: `/api/${look}`, times: 2 });
    const { data } = await slack.call(tool, await argsFor('not looked for'), newKey());
    expect(data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true, executed: 'no' });
    expect(await slack.sandbox.received(`/api/${method}`)).toEqual([]);
  });

  test('costs one request more than without', async () => {
    await slack.call(tool, await argsFor('with'), newKey());
    expect(await slack.sandbox.received()).toHaveLength(2);
    await slack.sandbox.reset();
    await slack.call(tool, await argsFor('without'));
    expect(await slack.sandbox.received()).toHaveLength(1);
  });
});

test('a post that is still on its way when its deadline ends is unknown until it arrives, and then found', async () => {
  const args = { channel: GENERAL, text: 'late' };
  const key = newKey();
  await slack.sandbox.fault({ kind: 'slow', delayMs: 1_500, path: '/api/chat.postMessage' });
  const lost = await slack.call('post_message', args, { ...key, 'x-request-timeout-ms': '700' });
  expect(lost.data?.error.code ?? lost.json.code).toMatch(/^(outcome_unknown|deadline_exceeded)$/);
  const found = await until('it is found', async () => {
    const answer = await slack.call('post_message', args, { ...key, ...ASKED });
    expect([200, 409]).toContain(answer.status);
    return answer.status === 200 ? answer : undefined;
  });
  expect(found.data).toMatchObject({ channel: GENERAL, ts: await firstTs(GENERAL, 'late') });
  expect(await timesThere('late')).toBe(1);
});

test('without a key a message is sent once and never again, and what is known is told', async () => {
  for (const kind of ['drop_before', 'drop_after', 'malformed'] as const) {
    await slack.sandbox.reset();
    await slack.sandbox.fault({ kind, path: '/api/chat.postMessage' });
    const { data } = await slack.call('post_message', { channel: GENERAL, text: kind });
    expect(data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(data.error.hint).toContain('channel_history');
    expect(await slack.sandbox.received('/api/chat.postMessage')).toHaveLength(1);
  }
});

describe('update_message with a key', () => {
  const updated = async () => {
    const { data } = await slack.call('post_message', { channel: GENERAL, text: 'first' });
    return { channel: GENERAL, ts: data.ts, text: 'second & last: https://plan.example/a 🎉' };
  };
  const updates = () => slack.sandbox.received('/api/chat.update');

  test('changes once over two processes, also where the answer is dropped after it took effect', async () => {
    const args = await updated();
    const key = newKey();
    await slack.sandbox.fault({ kind: 'drop_after', path: '/api/chat.update' });
    const first = await slack.call('update_message', args, key);
    expect(first.data).toEqual({ channel: GENERAL, ts: args.ts });
    expect((await twin.call('update_message', args, key)).data).toEqual(first.data);
    expect(await updates()).toHaveLength(1);
  });

  test('is found by its text, and unknown where another one stands there', async () => {
    const args = await updated();
    await slack.call('update_message', args);
    const found = await slack.call('update_message', args, { ...newKey(), ...ASKED });
    expect(found).toMatchObject({ status: 200, data: { ts: args.ts } });
    const other = await slack.call('update_message', { ...args, text: 'third' }, { ...newKey(), ...ASKED });
    expect(other).toMatchObject({ status: 409, json: { code: 'outcome_unknown' } });
    expect(await updates()).toHaveLength(1);
  });

  test('leaves the key that the message was posted with', async () => {
    const key = newKey();
    const args = { channel: GENERAL, text: 'posted with a key' };
    const { data } = await slack.call('post_message', args, key);
    await slack.call('update_message', { channel: GENERAL, ts: data.ts, text: 'changed' }, newKey());
    expect((await twin.call('post_message', args, key)).data).toEqual(data);
    expect(await slack.sandbox.received('/api/chat.postMessage')).toHaveLength(1);
  });
});

describe('what may be done twice ends the same, and says so when the answer is lost', () => {
  test.each([
    ['delete_message', 'chat.delete', 'deleted', async (ts: string) => ({ channel: GENERAL, ts })],
    ['add_reaction', 'reactions.add', 'added', async (ts: string) => ({ channel: GENERAL, ts, emoji: 'eyes' })],
    [
      'cancel_scheduled_message',
      'chat.deleteScheduledMessage',
      'cancelled',
      async () => {
        const args = { channel: GENERAL, text: 'to be cancelled', postAt: inAnHour() };
        const { data } = await slack.call('schedule_message', args);
        return { channel: GENERAL, scheduledMessageId: data.scheduledMessageId };
      },
    ],
    ['open_dm', 'conversations.open', undefined, async () => ({ users: ['U0MAREN0005', 'U0LEONHA004'] })],
  ])('%s', async (tool, method, done, argsFor) => {
    const posted = await slack.call('post_message', { channel: GENERAL, text: 'anything' });
    const args = await argsFor(posted.data.ts);
    await slack.sandbox.fault({ kind: 'drop_after', path: `/api/${method}` });
    const key = newKey();
    const lost = await slack.call(tool, args, key);
    expect(lost.data.error).toMatchObject({ code: 'vendor_unavailable', retryable: true, executed: 'maybe' });
    const again = await slack.call(tool, args, key);
    expect(again.isError).toBe(false);
    if (done !== undefined) expect(again.data.status).not.toBe(done);
    const taken = (await slack.sandbox.received(`/api/${method}`)).map(({ status }) => status);
    expect(taken).toEqual([200, 200]);
    const { channels, scheduled }: State = await slack.sandbox.state();
    expect(scheduled).toEqual([]);
    expect(channels.filter(({ id }) => id.startsWith('G'))).toHaveLength(tool === 'open_dm' ? 1 : 0);
  });
});
