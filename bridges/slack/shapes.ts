import type { MessageElement } from '@slack/web-api/dist/types/response/ConversationsHistoryResponse.js';
import type { Channel } from '@slack/web-api/dist/types/response/ConversationsListResponse.js';
import type { Member } from '@slack/web-api/dist/types/response/UsersListResponse.js';
import { z } from '../../core/server-kit/schema.ts';
import { timeOut } from './schemas.ts';
import { isoOfSeconds, isoOfTs } from './times.ts';

const MAX_TEXT = 4_000;
const MAX_REACTIONS = 25;

export const messageShape = z.object({
  ts: z.string().describe('Names the message within its channel'),
  postedAt: timeOut,
  userId: z.string().nullable(),
  botId: z.string().nullable().describe('Set where a bot wrote it'),
  text: z.string(),
  truncated: z.boolean().describe(`True when the text is longer than the ${MAX_TEXT} characters shown`),
  threadTs: z.string().nullable().describe('ts of the message the thread hangs on; its own where replies hang on it'),
  replyCount: z.number().int(),
  editedAt: timeOut.nullable(),
  reactions: z.array(z.object({ name: z.string(), count: z.number().int() })),
});

/** A message as tools answer it. */
export function toMessage(message: MessageElement): z.input<typeof messageShape> {
  const { ts = '', text = '', user, bot_id, thread_ts, reply_count, edited, reactions = [] } = message;
  return {
    ts,
    postedAt: isoOfTs(ts),
    userId: user ?? null,
    botId: bot_id ?? null,
    text: text.slice(0, MAX_TEXT),
    truncated: text.length > MAX_TEXT,
    threadTs: thread_ts ?? null,
    replyCount: reply_count ?? 0,
    editedAt: edited?.ts === undefined ? null : isoOfTs(edited.ts),
    reactions: reactions.slice(0, MAX_REACTIONS).map(({ name = '', count = 0 }) => ({ name, count })),
  };
}

export const channelShape = z.object({
  id: z.string(),
  name: z.string().describe('Without #'),
  isPrivate: z.boolean(),
  isMember: z.boolean().describe('Whether this bot is in it: elsewhere it can neither read nor post'),
  isArchived: z.boolean(),
  members: z.number().int().nullable(),
  topic: z.string(),
  purpose: z.string(),
});

/** A channel as tools answer it. */
export function toChannel(channel: Channel): z.input<typeof channelShape> {
  return {
    id: channel.id ?? '',
    name: channel.name ?? '',
    isPrivate: channel.is_private ?? false,
    isMember: channel.is_member ?? false,
    isArchived: channel.is_archived ?? false,
    members: channel.num_members ?? null,
    topic: channel.topic?.value ?? '',
    purpose: channel.purpose?.value ?? '',
  };
}

export const userShape = z.object({
  id: z.string(),
  name: z.string().describe('Handle, without @'),
  realName: z.string(),
  displayName: z.string(),
  email: z.string().nullable().describe('null where it is not set, or the token lacks users:read.email'),
  title: z.string(),
  timeZone: z.string().nullable().describe('IANA name'),
  isBot: z.boolean(),
  isGuest: z.boolean(),
  isActive: z.boolean(),
  updatedAt: timeOut.nullable(),
});

/** A user as tools answer it. */
export function toUser(user: Member): z.input<typeof userShape> {
  const { profile } = user;
  return {
    id: user.id ?? '',
    name: user.name ?? '',
    realName: user.real_name ?? profile?.real_name ?? '',
    displayName: profile?.display_name ?? '',
    email: profile?.email ?? null,
    title: profile?.title ?? '',
    timeZone: user.tz ?? null,
    isBot: user.is_bot ?? false,
    isGuest: (user.is_restricted ?? false) || (user.is_ultra_restricted ?? false),
    isActive: !(user.deleted ?? false),
    updatedAt: user.updated === undefined ? null : isoOfSeconds(user.updated),
  };
}
