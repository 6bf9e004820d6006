import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/slack/bridge.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const GENERAL = 'C0GENERAL01';
const AURORA = 'C0AURORA002';
const DAY_MS = 86_400_000;

let slack: Vendor;

beforeAll(async () => {
  slack = await startVendor('slack');
});
afterAll(() => slack?.[Symbol.asyncDispose]());
beforeEach(() => slack.sandbox.reset());

/** Reads around the cache. */
const call = (tool: string, args: object = {}) => slack.call(tool, { ...args }, { 'cache-control': 'no-cache' });
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();

async function messagesOf(channel: string): Promise<{ ts: string; text: string; threadTs?: string; user: string }[]> {
  const { channels } = await slack.sandbox.state();
  return channels.find((one: { id: string }) => one.id === channel).messages;
}

async function seeded(channel: string, text: string): Promise<string> {
  const found = (await messagesOf(channel)).find((message) => message.text.includes(text));
  if (found === undefined) throw new Error(`no message with ${text}`);
  return found.ts;
}

describe('what the bridge lists', () => {
  test('is every tool of the manifest, each with schemas, a description and annotations of its effect', async () => {
    const tools = await slack.tools();
    expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(manifest.tools).sort());
    for (const { name, description, annotations, policy, inputSchema } of tools) {
      const { effect } = policy;
      expect(effect).toBe(manifest.tools[name]?.effect);
      expect(annotations).toMatchObject({ readOnlyHint: effect === 'read', idempotentHint: effect !== 'write' });
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(description.length).toBeGreaterThan(80);
    }
  });

  test("the manifest's example works on the sandbox", async () => {
    const { data } = await call(manifest.example?.tool ?? '', { ...manifest.example?.arguments });
    expect(data.channel).toMatchObject({ id: GENERAL, name: 'general', isMember: true });
  });
});

describe('messages', () => {
  test('post_message posts into a channel, to be read, replied to, updated and deleted', async () => {
    const { data: posted } = await call('post_message', { channel: GENERAL, text: 'Doors open at 18:00' });
    expect(posted).toEqual({
      channel: GENERAL,
      ts: expect.stringMatching(/^\d{10}\.\d{6}$/),
      postedAt: expect.stringMatching(/Z$/),
    });
    const { data: reply } = await call('reply_in_thread', {
      channel: GENERAL,
      threadTs: posted.ts,
      text: 'and at 17:30 for crew',
    });
    expect(reply).toMatchObject({ channel: GENERAL, threadTs: posted.ts });
    const { data: updated } = await call('update_message', {
      channel: GENERAL,
      ts: posted.ts,
      text: 'Doors open at 18:30',
    });
    expect(updated).toEqual({ channel: GENERAL, ts: posted.ts });
    const { data: thread } = await call('thread_replies', { channel: GENERAL, threadTs: posted.ts });
    expect(thread).toMatchObject({
      messages: [
        { ts: posted.ts, text: 'Doors open at 18:30', replyCount: 1, botId: 'B0PLANBOT01', threadTs: posted.ts },
        { ts: reply.ts, text: 'and at 17:30 for crew', threadTs: posted.ts },
      ],
      nextCursor: null,
    });
    expect(thread.messages[0].editedAt).not.toBeNull();
    const { data: deleted } = await call('delete_message', { channel: GENERAL, ts: reply.ts });
    expect(deleted).toEqual({ channel: GENERAL, ts: reply.ts, status: 'deleted' });
    const again = await call('delete_message', { channel: GENERAL, ts: reply.ts });
    expect(again).toMatchObject({ isError: false, data: { status: 'not_found' } });
  });

  test('a reply shows in the channel only where that is asked for', async () => {
    const threadTs = await seeded(AURORA, 'confirms the stage');
    await call('reply_in_thread', { channel: AURORA, threadTs, text: 'only here' });
    await call('reply_in_thread', { channel: AURORA, threadTs, text: 'everywhere', alsoToChannel: true });
    const { data } = await call('channel_history', { channel: AURORA, limit: 2 });
    expect(data.messages.map(({ text }: { text: string }) => text)).toEqual([
      'everywhere',
      expect.stringContaining('Seating plan'),
    ]);
  });

  test.each([
    ['post_message', { channel: GENERAL, text: 'now <!here>' }],
    ['post_message', { channel: GENERAL, text: '<!subteam^S012|@crew> now' }],
    ['schedule_message', { channel: GENERAL, text: '<!channel>', postAt: '2027-01-01T09:00:00Z' }],
  ])('%s rings nobody by accident', async (tool, args) => {
    expect((await call(tool, args)).data.error).toMatchObject({ code: 'broadcast_not_allowed', retryable: false });
    expect(await slack.sandbox.received()).toEqual([]);
  });

  test('a mention of everybody is posted where it is meant', async () => {
    await call('post_message', { channel: GENERAL, text: '<!channel> fire drill', notifyEveryone: true });
    expect((await messagesOf(GENERAL)).at(-1)?.text).toBe('<!channel> fire drill');
  });

  test('channel_history goes from page to page, newest first, without a gap or a repeat', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const args = { channel: AURORA, limit: 2, ...(cursor === null ? {} : { cursor }) };
      const { data } = await call('channel_history', args);
      seen.push(...data.messages.map(({ ts }: { ts: string }) => ts));
      cursor = data.nextCursor;
    } while (cursor !== null);
    const inChannel = (await messagesOf(AURORA)).filter(
      ({ ts, threadTs }) => threadTs === undefined || threadTs === ts,
    );
    expect(seen).toEqual(inChannel.map(({ ts }) => ts).reverse());
  });

  test('channel_history keeps to a span of time', async () => {
    const from = new Date(Date.now() - 4.5 * DAY_MS).toISOString();
    const to = new Date(Date.now() - 0.5 * DAY_MS).toISOString();
    const { data } = await call('channel_history', { channel: AURORA, from, to });
    expect(data.messages.map(({ text }: { text: string }) => text.slice(0, 12))).toEqual([
      '4 late cance',
      'The Glasshou',
    ]);
  });

  test('a long text is cut and says so', async () => {
    await call('post_message', { channel: GENERAL, text: 'x'.repeat(5_000) });
    const { data } = await call('channel_history', { channel: GENERAL, limit: 1 });
    expect(data.messages[0]).toMatchObject({ text: 'x'.repeat(4_000), truncated: true });
  });

  test('add_reaction adds once and is content with what is there', async () => {
    const ts = await seeded(GENERAL, 'Welcome');
    const args = { channel: GENERAL, ts, emoji: 'tada' };
    expect((await call('add_reaction', args)).data).toEqual({ ...args, status: 'added' });
    expect((await call('add_reaction', args)).data).toEqual({ ...args, status: 'already_there' });
    const { data } = await call('channel_history', { channel: GENERAL });
    expect(data.messages.at(-1).reactions).toEqual([{ name: 'tada', count: 3 }]);
  });
});

describe('scheduled messages', () => {
  test('are scheduled, listed and cancelled', async () => {
    const postAt = '2026-12-31T09:00:00+02:00';
    const soon = inHours(1);
    const far = await call('schedule_message', { channel: GENERAL, text: 'Tickets are out', postAt: soon });
    expect(far.data).toMatchObject({ channel: GENERAL, status: 'scheduled', ts: null });
    expect(Date.parse(far.data.postAt)).toBe(Math.floor(Date.parse(soon) / 1_000) * 1_000);
    await call('schedule_message', { channel: AURORA, text: 'Load-in', postAt: inHours(2) });
    const { data: all } = await call('list_scheduled_messages', { limit: 1 });
    expect(all.scheduledMessages).toHaveLength(1);
    const { data: rest } = await call('list_scheduled_messages', { limit: 1, cursor: all.nextCursor });
    expect(rest).toMatchObject({ scheduledMessages: [{ channel: AURORA, text: 'Load-in' }], nextCursor: null });
    const id = { channel: GENERAL, scheduledMessageId: far.data.scheduledMessageId };
    expect((await call('cancel_scheduled_message', id)).data).toEqual({ ...id, status: 'cancelled' });
    expect((await call('cancel_scheduled_message', id)).data).toEqual({ ...id, status: 'not_scheduled' });
    expect((await call('list_scheduled_messages', { channel: GENERAL })).data.scheduledMessages).toEqual([]);
    expect(Date.parse(postAt)).toBe(Date.parse('2026-12-31T07:00:00Z'));
  });

  test('are sent by Slack at their time: the metadata that would keep them back is never given', async () => {
    await slack.call(
      'schedule_message',
      { channel: GENERAL, text: 'with a key', postAt: inHours(1) },
      { 'idempotency-key': 'scheduled-without-metadata' },
    );
    const [sent] = await slack.sandbox.received('/api/chat.scheduleMessage');
    expect(sent?.body).not.toContain('metadata');
    expect((await slack.sandbox.state()).scheduled).toMatchObject([{ withMetadata: false }]);
  });
});

describe('channels and people', () => {
  test('list_channels tells what the bot can see, private ones it is in and archived ones on demand', async () => {
    const names = async (args: object) =>
      (await call('list_channels', args)).data.channels.map(({ name }: { name: string }) => name);
    expect(await names({})).toEqual(['general', 'event-aurora-launch', 'catering', 'venues', 'random', 'budget']);
    expect(await names({ kinds: ['private'] })).toEqual(['budget']);
    expect(await names({ kinds: ['public'], includeArchived: true })).toContain('event-winter-fair');
    const first = await call('list_channels', { limit: 4 });
    const second = await call('list_channels', { limit: 4, cursor: first.data.nextCursor });
    expect([...first.data.channels, ...second.data.channels]).toHaveLength(6);
    expect(second.data.nextCursor).toBeNull();
  });

  test('find_channel finds by name, with or without #, and tells what is like it', async () => {
    expect((await call('find_channel', { name: '#Catering' })).data).toMatchObject({
      channel: { id: 'C0CATERI003', members: 8 },
      complete: true,
    });
    expect((await call('find_channel', { name: 'event' })).data).toMatchObject({
      channel: null,
      similar: [{ id: AURORA, topic: 'Thursday, The Glasshouse, 140 guests' }],
    });
  });

  test('list_users tells people, guests, bots and who has left', async () => {
    const { data } = await call('list_users', { limit: 100 });
    const of = (id: string) => data.users.find((user: { id: string }) => user.id === id);
    expect(of('U0CATERI006')).toMatchObject({ isGuest: true, email: 'sofia@quinta-catering.example' });
    expect(of('U0FORMER008')).toMatchObject({ isActive: false });
    expect(of('U0PLANBOT01')).toMatchObject({ isBot: true, email: null });
  });

  test('a person is found by address, and written to in one direct message', async () => {
    const { data } = await call('lookup_user_by_email', { email: 'priya.raman@fenwick-events.example' });
    expect(data.user).toMatchObject({ id: 'U0PRIYA0003', realName: 'Priya Raman', timeZone: 'Europe/London' });
    const { data: dm } = await call('open_dm', { users: [data.user.id] });
    expect(dm).toEqual({ channel: expect.stringMatching(/^D/), alreadyOpen: false });
    expect((await call('open_dm', { users: [data.user.id] })).data).toEqual({ ...dm, alreadyOpen: true });
    expect((await call('post_message', { channel: dm.channel, text: 'The florist!' })).isError).toBe(false);
    expect((await call('channel_history', { channel: dm.channel })).data.messages).toMatchObject([
      { text: 'The florist!' },
    ]);
  });
});

const TS = '1700000000.000100';

describe('bad input is refused before Slack is asked', () => {
  test.each([
    ['post_message', { channel: '#general', text: 'x' }, '/channel'],
    ['post_message', { channel: GENERAL, text: '' }, '/text'],
    ['post_message', { channel: GENERAL, text: 'x', blocks: [] }, ''],
    ['reply_in_thread', { channel: GENERAL, threadTs: '17', text: 'x' }, '/threadTs'],
    ['update_message', { channel: GENERAL, ts: TS, text: 7 }, '/text'],
    ['delete_message', { channel: 'U0ANNIKA001', ts: TS }, '/channel'],
    ['schedule_message', { channel: GENERAL, text: 'x', postAt: '2027-01-01 09:00' }, '/postAt'],
    ['list_scheduled_messages', { limit: 0 }, '/limit'],
    ['cancel_scheduled_message', { channel: GENERAL, scheduledMessageId: 'q1' }, '/scheduledMessageId'],
    ['add_reaction', { channel: GENERAL, ts: TS, emoji: ':tada:' }, '/emoji'],
    ['list_channels', { kinds: ['im'] }, '/kinds/0'],
    ['find_channel', { name: 'two words' }, '/name'],
    ['channel_history', { channel: GENERAL, limit: 101 }, '/limit'],
    ['thread_replies', { channel: GENERAL }, ''],
    ['list_users', { cursor: '' }, '/cursor'],
    ['lookup_user_by_email', { email: 'priya' }, '/email'],
    ['open_dm', { users: [] }, '/users'],
  ])('%s %j', async (tool, args, pointer) => {
    const answer = await call(tool, args);
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({ code: 'invalid_arguments', executed: 'no' });
    expect(answer.json.errors[0].pointer).toBe(pointer);
    expect(await slack.sandbox.received()).toEqual([]);
  });
});

describe("Slack's own no is told with its code and what to do", () => {
  test.each([
    ['post_message', { channel: 'C0NOWHERE99', text: 'x' }, 'channel_not_found', /find_channel/],
    ['post_message', { channel: 'C0BOARD0008', text: 'x' }, 'channel_not_found', /invited/],
    ['post_message', { channel: 'C0RANDOM005', text: 'x' }, 'not_in_channel', /\/invite/],
    ['post_message', { channel: 'C0OLDFAIR06', text: 'x' }, 'is_archived', /archived/],
    ['post_message', { channel: GENERAL, text: '   ' }, 'no_text', /text/],
    ['reply_in_thread', { channel: GENERAL, threadTs: TS, text: 'x' }, 'thread_not_found', /ts/],
    ['update_message', { channel: GENERAL, ts: TS, text: 'x' }, 'message_not_found', /channel_history/],
    ['delete_message', { channel: 'C0RANDOM005', ts: TS }, 'not_in_channel', /\/invite/],
    ['schedule_message', { channel: GENERAL, text: 'x', postAt: '2020-01-01T00:00:00Z' }, 'time_in_past', /future/],
    ['schedule_message', { channel: GENERAL, text: 'x', postAt: '2099-01-01T00:00:00Z' }, 'time_too_far', /120 days/],
    ['list_scheduled_messages', { cursor: 'bm9uc2Vuc2U=' }, 'invalid_cursor', /nextCursor/],
    ['cancel_scheduled_message', { channel: 'C0NOWHERE99', scheduledMessageId: 'Q12' }, 'channel_not_found', /id/],
    ['add_reaction', { channel: GENERAL, ts: TS, emoji: 'tada' }, 'message_not_found', /ts/],
    ['list_channels', { cursor: 'bm9uc2Vuc2U=' }, 'invalid_cursor', /nextCursor/],
    ['channel_history', { channel: 'C0RANDOM005' }, 'not_in_channel', /\/invite/],
    ['thread_replies', { channel: GENERAL, threadTs: TS }, 'thread_not_found', /ts/],
    ['list_users', { cursor: 'bm9uc2Vuc2U=' }, 'invalid_cursor', /nextCursor/],
    ['lookup_user_by_email', { email: 'nobody@example.org' }, 'users_not_found', /list_users/],
    ['open_dm', { users: ['U0NOBODY999'] }, 'user_not_found', /list_users/],
    ['open_dm', { users: ['U0PLANBOT01'] }, 'cannot_dm_bot', /bot/],
  ])('%s %j is %s', async (tool, args, code, hint) => {
    const answer = await call(tool, args);
    expect(answer.isError).toBe(true);
    expect(answer.headers['x-tool-error']).toBe('true');
    const { error } = answer.data;
    expect(error).toMatchObject({ code, retryable: false, vendor: 'slack', vendorCode: code });
    expect(error.hint).toMatch(hint);
  });

  test('messages of others are left alone', async () => {
    const ts = await seeded(GENERAL, 'Welcome');
    const update = await call('update_message', { channel: GENERAL, ts, text: 'x' });
    expect(update.data.error).toMatchObject({ code: 'cant_update_message' });
    expect((await call('delete_message', { channel: GENERAL, ts })).data.error.code).toBe('cant_delete_message');
  });

  test('an emoji that is not there is told as that', async () => {
    const ts = await seeded(GENERAL, 'Welcome');
    const { data } = await call('add_reaction', { channel: GENERAL, ts, emoji: 'no_such_emoji' });
    expect(data.error).toMatchObject({ code: 'invalid_name', hint: expect.stringContaining('colons') });
  });
});
