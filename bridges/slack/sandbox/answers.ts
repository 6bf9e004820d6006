import type { ChannelRecord, MessageRecord, ScheduledRecord, UserRecord } from './records.ts';
import { APP, BOT_USER, TEAM } from './seed.ts';

/** A message as Slack tells it. @param all the channel's, to count replies */
export function messageAnswer(message: MessageRecord, all: readonly MessageRecord[], withMetadata: boolean): object {
  const { ts, user, botId, text, threadTs, metadata, editedTs, reactions } = message;
  const replies = all.filter((one) => one.threadTs === ts && one.ts !== ts);
  return {
    type: 'message',
    user,
    ts,
    text,
    team: TEAM,
    ...(botId === undefined ? {} : { bot_id: botId, app_id: APP }),
    ...(threadTs === undefined || (threadTs === ts && replies.length === 0) ? {} : { thread_ts: threadTs }),
    ...(replies.length === 0
      ? {}
      : {
          reply_count: replies.length,
          reply_users: [...new Set(replies.map((one) => one.user))],
          latest_reply: replies.at(-1)?.ts,
        }),
    ...(threadTs === undefined || threadTs === ts
      ? {}
      : { parent_user_id: all.find((one) => one.ts === threadTs)?.user }),
    ...(editedTs === undefined ? {} : { edited: { user: BOT_USER, ts: editedTs } }),
    ...(reactions.length === 0
      ? {}
      : { reactions: reactions.map(({ name, users }) => ({ name, users, count: users.length })) }),
    ...(withMetadata && metadata !== undefined ? { metadata } : {}),
  };
}

export function channelAnswer({ id, name, kind, members, isArchived, topic, purpose, created }: ChannelRecord): object {
  return {
    id,
    name,
    is_channel: kind === 'public',
    is_group: kind === 'private',
    is_im: false,
    is_mpim: false,
    is_private: kind === 'private',
    is_archived: isArchived,
    is_general: name === 'general',
    is_shared: false,
    is_ext_shared: false,
    is_org_shared: false,
    is_pending_ext_shared: false,
    is_member: members.includes(BOT_USER),
    created,
    creator: 'U0ANNIKA001',
    name_normalized: name,
    previous_names: [],
    context_team_id: TEAM,
    topic: { value: topic, creator: '', last_set: 0 },
    purpose: { value: purpose, creator: '', last_set: 0 },
    num_members: members.length,
    updated: created * 1_000,
  };
}

export function userAnswer(user: UserRecord, created: number): object {
  const { id, name, realName, title, email, tz, isBot, isGuest, deleted } = user;
  return {
    id,
    team_id: TEAM,
    name,
    deleted,
    ...(deleted ? {} : { real_name: realName, tz, is_restricted: isGuest, is_ultra_restricted: false }),
    profile: {
      title,
      real_name: realName,
      display_name: name.split('.')[0] ?? name,
      ...(email === undefined ? {} : { email }),
      team: TEAM,
    },
    is_bot: isBot,
    is_app_user: false,
    updated: created,
  };
}

export function scheduledAnswer({ id, channel, postAt, created, text }: ScheduledRecord): object {
  return { id, channel_id: channel, post_at: postAt, date_created: created, text };
}
