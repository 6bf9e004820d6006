import { channelAnswer, messageAnswer, scheduledAnswer, userAnswer } from './answers.ts';
import { pageOf } from './pages.ts';
import type { ChannelRecord, MessageRecord } from './records.ts';
import { APP, BOT_ID, BOT_USER, TEAM } from './seed.ts';
import { SlackRefusal } from './slack-refusal.ts';
import type { Workspace } from './workspace.ts';

/** One method of Slack's Web API. @throws SlackRefusal */
export interface Method {
  /** Any one of them is enough. */
  readonly scopes: readonly string[];
  readonly answer: (workspace: Workspace, args: URLSearchParams) => object;
}

const HISTORY = ['channels:history', 'groups:history', 'im:history', 'mpim:history'];
const READ = ['channels:read', 'groups:read', 'im:read', 'mpim:read'];
const WRITE = ['chat:write'];

function metadataOf(args: URLSearchParams): object | undefined {
  const text = args.get('metadata');
  if (text === null) return undefined;
  const given = JSON.parse(text) as { readonly event_type?: unknown; readonly event_payload?: unknown } | null;
  if (typeof given?.event_type !== 'string' || typeof given.event_payload !== 'object') {
    throw new SlackRefusal('invalid_metadata_format');
  }
  return given;
}

function within(messages: readonly MessageRecord[], args: URLSearchParams): readonly MessageRecord[] {
  const oldest = Number(args.get('oldest') ?? '0');
  const latest = Number(args.get('latest') ?? 'Infinity');
  const inclusive = args.get('inclusive') === 'true';
  return messages.filter(({ ts }) =>
    inclusive ? Number(ts) >= oldest && Number(ts) <= latest : Number(ts) > oldest && Number(ts) < latest,
  );
}

function messagePage(channel: ChannelRecord, ordered: readonly MessageRecord[], args: URLSearchParams): object {
  const { items, nextCursor } = pageOf(ordered, ({ ts }) => ts, args);
  const withMetadata = args.get('include_all_metadata') === 'true';
  return {
    messages: items.map((message) => messageAnswer(message, channel.messages, withMetadata)),
    has_more: nextCursor !== '',
    ...(nextCursor === '' ? {} : { response_metadata: { next_cursor: nextCursor } }),
  };
}

function newMessage(args: URLSearchParams) {
  return {
    text: args.get('text') ?? '',
    threadTs: args.get('thread_ts') ?? undefined,
    broadcast: args.get('reply_broadcast') === 'true',
    metadata: metadataOf(args),
  };
}

/** The methods the stand-in knows, by name. */
export const methods: Readonly<Record<string, Method>> = {
  'auth.test': {
    scopes: [],
    answer: () => ({
      url: 'https://fenwick-events.slack.com/',
      team: 'Fenwick Events',
      user: 'planbot',
      team_id: TEAM,
      user_id: BOT_USER,
      bot_id: BOT_ID,
      is_enterprise_install: false,
    }),
  },
  'chat.postMessage': {
    scopes: WRITE,
    answer: (workspace, args) => {
      const channel = args.get('channel');
      const message = workspace.post(channel, newMessage(args));
      const { messages } = workspace.channel(channel);
      return { channel, ts: message.ts, message: { ...messageAnswer(message, messages, true), app_id: APP } };
    },
  },
  'chat.update': {
    scopes: WRITE,
    answer: (workspace, args) => {
      const channel = args.get('channel');
      const message = workspace.update(channel, args.get('ts'), args.get('text') ?? '', metadataOf(args));
      const { messages } = workspace.channel(channel);
      return { channel, ts: message.ts, text: message.text, message: messageAnswer(message, messages, true) };
    },
  },
  'chat.delete': {
    scopes: WRITE,
    answer: (workspace, args) => {
      workspace.delete(args.get('channel'), args.get('ts'));
      return { channel: args.get('channel'), ts: args.get('ts') };
    },
  },
  'chat.scheduleMessage': {
    scopes: WRITE,
    answer: (workspace, args) => {
      const { id, channel, postAt, text } = workspace.schedule(
        args.get('channel'),
        Number(args.get('post_at')),
        newMessage(args),
      );
      return {
        channel,
        scheduled_message_id: id,
        post_at: postAt,
        message: { type: 'delayed_message', user: BOT_USER, bot_id: BOT_ID, team: TEAM, text },
      };
    },
  },
  'chat.scheduledMessages.list': {
    scopes: [],
    answer: (workspace, args) => {
      const channel = args.get('channel');
      if (channel !== null) workspace.channel(channel);
      const all = workspace.scheduled
        .filter((one) => channel === null || one.channel === channel)
        .filter((one) => one.postAt >= Number(args.get('oldest') ?? '0'))
        .filter((one) => one.postAt <= Number(args.get('latest') ?? 'Infinity'))
        .sort((a, b) => a.postAt - b.postAt);
      const { items, nextCursor } = pageOf(all, ({ id }) => id, args);
      return { scheduled_messages: items.map(scheduledAnswer), response_metadata: { next_cursor: nextCursor } };
    },
  },
  'chat.deleteScheduledMessage': {
    scopes: WRITE,
    answer: (workspace, args) => {
      workspace.unschedule(args.get('channel'), args.get('scheduled_message_id'));
      return {};
    },
  },
  'reactions.add': {
    scopes: ['reactions:write'],
    answer: (workspace, args) => {
      workspace.react(args.get('channel'), args.get('timestamp'), args.get('name') ?? '');
      return {};
    },
  },
  'conversations.list': {
    scopes: READ,
    answer: (workspace, args) => {
      const types = (args.get('types') ?? 'public_channel').split(',');
      const all = workspace.channels
        .filter(({ kind }) => types.includes(`${kind}_channel`))
        .filter(({ kind, members }) => kind === 'public' || members.includes(BOT_USER))
        .filter(({ isArchived }) => !isArchived || args.get('exclude_archived') !== 'true');
      const { items, nextCursor } = pageOf(all, ({ id }) => id, args);
      return { channels: items.map(channelAnswer), response_metadata: { next_cursor: nextCursor } };
    },
  },
  'conversations.history': {
    scopes: HISTORY,
    answer: (workspace, args) => {
      const channel = workspace.joined(args.get('channel'));
      const own = channel.messages.filter(
        (one) => one.threadTs === undefined || one.threadTs === one.ts || one.broadcast,
      );
      return messagePage(channel, within(own, args).toReversed(), args);
    },
  },
  'conversations.replies': {
    scopes: HISTORY,
    answer: (workspace, args) => {
      const channel = workspace.joined(args.get('channel'));
      const asked = channel.messages.find(({ ts }) => ts === args.get('ts'));
      if (asked === undefined) throw new SlackRefusal('thread_not_found');
      const parent = asked.threadTs ?? asked.ts;
      const thread = channel.messages.filter((one) => one.ts === parent || one.threadTs === parent);
      const chosen = new Set(within(thread, args));
      // Slack tells the message a thread hangs on whatever the span of time.
      return messagePage(
        channel,
        thread.filter((one) => one.ts === parent || chosen.has(one)),
        args,
      );
    },
  },
  'conversations.open': {
    scopes: ['im:write', 'mpim:write'],
    answer: (workspace, args) => {
      const users = (args.get('users') ?? '').split(',').filter((id) => id !== '');
      if (users.length === 0) throw new SlackRefusal('users_list_not_supplied');
      const { channel, alreadyOpen } = workspace.openDm(users);
      return { channel: { id: channel.id }, ...(alreadyOpen ? { no_op: true, already_open: true } : {}) };
    },
  },
  'users.list': {
    scopes: ['users:read'],
    answer: (workspace, args) => {
      const { items, nextCursor } = pageOf(workspace.users, ({ id }) => id, args);
      return {
        members: items.map((user) => userAnswer(user, workspace.nowSeconds)),
        cache_ts: workspace.nowSeconds,
        response_metadata: { next_cursor: nextCursor },
      };
    },
  },
  'users.lookupByEmail': {
    scopes: ['users:read.email'],
    answer: (workspace, args) => {
      const user = workspace.users.find(({ email, deleted }) => email === args.get('email') && !deleted);
      if (user === undefined) throw new SlackRefusal('users_not_found');
      return { user: userAnswer(user, workspace.nowSeconds) };
    },
  },
};
