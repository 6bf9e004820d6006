import type { ChannelRecord, MessageRecord, ScheduledRecord, UserRecord } from './records.ts';
import { BOT_ID, BOT_USER, seedChannels, seedUsers } from './seed.ts';
import { SlackRefusal } from './slack-refusal.ts';
import { keptText } from './slack-text.ts';

/** What is posted. */
export interface NewMessage {
  readonly text: string;
  readonly threadTs?: string | undefined;
  readonly broadcast?: boolean;
  readonly metadata?: object | undefined;
}

const MAX_TEXT = 40_000;
const MAX_AHEAD_S = 120 * 24 * 3_600;
const MAX_IN_WINDOW = 30;
const WINDOW_S = 300;

/** One workspace in memory, seen by its bot. Ids count up from the seed, so that a run is like the one before. */
export class Workspace {
  users: UserRecord[] = [];
  channels: ChannelRecord[] = [];
  scheduled: ScheduledRecord[] = [];
  readonly #now: () => number;
  #lastTsMicros = 0;
  #count = 0;

  /** @param now ms since 1970 */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.reset();
  }

  get nowSeconds(): number {
    return Math.floor(this.#now() / 1_000);
  }

  reset(): void {
    this.users = seedUsers();
    this.channels = seedChannels(this.nowSeconds);
    this.scheduled = [];
    this.#count = 0;
  }

  /** A channel the bot can see. @throws SlackRefusal `channel_not_found` */
  channel(id: string | null): ChannelRecord {
    const channel = this.channels.find((one) => one.id === id);
    const hidden = channel?.kind !== 'public' && channel?.members.includes(BOT_USER) === false;
    if (channel === undefined || hidden) throw new SlackRefusal('channel_not_found');
    return channel;
  }

  /** A channel the bot is in. @throws SlackRefusal `channel_not_found`, `not_in_channel` */
  joined(id: string | null): ChannelRecord {
    const channel = this.channel(id);
    if (!channel.members.includes(BOT_USER)) throw new SlackRefusal('not_in_channel');
    return channel;
  }

  /** @throws SlackRefusal `message_not_found` */
  message(channel: ChannelRecord, ts: string | null): MessageRecord {
    const message = channel.messages.find((one) => one.ts === ts);
    if (message === undefined) throw new SlackRefusal('message_not_found');
    return message;
  }

  /** @throws SlackRefusal `is_archived`, `no_text`, `msg_too_long`, `thread_not_found` and what {@link joined} throws */
  post(channelId: string | null, { text, threadTs, broadcast = false, metadata }: NewMessage): MessageRecord {
    const channel = this.#writable(channelId, text);
    let hangsOn: string | undefined;
    if (threadTs !== undefined) {
      const parent = channel.messages.findIndex((one) => one.ts === threadTs);
      const message = channel.messages[parent];
      if (message === undefined) throw new SlackRefusal('thread_not_found');
      hangsOn = message.threadTs ?? message.ts;
      if (message.threadTs === undefined) channel.messages[parent] = { ...message, threadTs: hangsOn };
    }
    const message: MessageRecord = {
      ts: this.#nextTs(),
      user: BOT_USER,
      botId: BOT_ID,
      text: keptText(text),
      threadTs: hangsOn,
      broadcast,
      metadata,
      editedTs: undefined,
      reactions: [],
    };
    channel.messages.push(message);
    return message;
  }

  /** The bot's own message. @throws SlackRefusal `message_not_found`, or `code` where it is somebody else's */
  own(channel: ChannelRecord, ts: string | null, code: string): MessageRecord {
    const message = this.message(channel, ts);
    if (message.user !== BOT_USER) throw new SlackRefusal(code);
    return message;
  }

  update(channelId: string | null, ts: string | null, text: string, metadata: object | undefined): MessageRecord {
    const message = this.own(this.#writable(channelId, text), ts, 'cant_update_message');
    message.text = keptText(text);
    message.editedTs = this.#nextTs();
    if (metadata !== undefined) message.metadata = metadata;
    return message;
  }

  delete(channelId: string | null, ts: string | null): void {
    const channel = this.joined(channelId);
    const message = this.own(channel, ts, 'cant_delete_message');
    channel.messages.splice(channel.messages.indexOf(message), 1);
  }

  react(channelId: string | null, ts: string | null, name: string): void {
    const message = this.message(this.joined(channelId), ts);
    if (!/^[a-z0-9_+'-]+(?:::skin-tone-[2-6])?$/.test(name) || name.startsWith('no_such_')) {
      throw new SlackRefusal('invalid_name');
    }
    const reaction = message.reactions.find((one) => one.name === name);
    if (reaction?.users.includes(BOT_USER)) throw new SlackRefusal('already_reacted');
    if (reaction === undefined) message.reactions.push({ name, users: [BOT_USER] });
    else reaction.users.push(BOT_USER);
  }

  schedule(channelId: string | null, postAt: number, { text, threadTs, metadata }: NewMessage): ScheduledRecord {
    const channel = this.#writable(channelId, text);
    if (!Number.isInteger(postAt)) throw new SlackRefusal('invalid_time');
    if (postAt <= this.nowSeconds) throw new SlackRefusal('time_in_past');
    if (postAt > this.nowSeconds + MAX_AHEAD_S) throw new SlackRefusal('time_too_far');
    const near = this.scheduled.filter((one) => one.channel === channel.id && Math.abs(one.postAt - postAt) < WINDOW_S);
    if (near.length >= MAX_IN_WINDOW) throw new SlackRefusal('restricted_too_many');
    const scheduled: ScheduledRecord = {
      id: `Q0SANDBOX${this.#next()}`,
      channel: channel.id,
      postAt,
      created: this.nowSeconds,
      text: keptText(text),
      threadTs,
      withMetadata: metadata !== undefined,
    };
    this.scheduled.push(scheduled);
    return scheduled;
  }

  /** @throws SlackRefusal `invalid_scheduled_message_id`: also in the last minute before it is sent */
  unschedule(channelId: string | null, id: string | null): void {
    const channel = this.channel(channelId);
    const n = this.scheduled.findIndex((one) => one.id === id && one.channel === channel.id);
    const found = this.scheduled[n];
    if (found === undefined || found.postAt - this.nowSeconds < 60) {
      throw new SlackRefusal('invalid_scheduled_message_id');
    }
    this.scheduled.splice(n, 1);
  }

  /** The direct message with these people; the same people have the same one. */
  openDm(userIds: readonly string[]): { readonly channel: ChannelRecord; readonly alreadyOpen: boolean } {
    const members = [...new Set([...userIds, BOT_USER])].sort();
    for (const id of userIds) {
      const user = this.users.find((one) => one.id === id);
      if (user === undefined) throw new SlackRefusal('user_not_found');
      if (user.deleted) throw new SlackRefusal('user_disabled');
      if (user.isBot) throw new SlackRefusal('cannot_dm_bot');
    }
    const kind = userIds.length === 1 ? 'im' : 'mpim';
    const open = this.channels.find((one) => one.kind === kind && [...one.members].sort().join() === members.join());
    if (open !== undefined) return { channel: open, alreadyOpen: true };
    const channel: ChannelRecord = {
      id: `${kind === 'im' ? 'D' : 'G'}0SANDBOX${this.#next()}`,
      name: kind === 'im' ? '' : `mpdm-${this.#count}`,
      kind,
      members,
      isArchived: false,
      topic: '',
      purpose: '',
      created: this.nowSeconds,
      messages: [],
    };
    this.channels.push(channel);
    return { channel, alreadyOpen: false };
  }

  /** Sends what was scheduled for a time that has come. */
  deliverDue(): void {
    const due = this.scheduled.filter((one) => one.postAt <= this.nowSeconds);
    if (due.length === 0) return;
    this.scheduled = this.scheduled.filter((one) => !due.includes(one));
    for (const { channel, text, threadTs, withMetadata } of due) {
      if (!withMetadata) this.post(channel, { text, threadTs });
    }
  }

  #writable(channelId: string | null, text: string): ChannelRecord {
    const channel = this.joined(channelId);
    if (channel.isArchived) throw new SlackRefusal('is_archived');
    if (text.trim() === '') throw new SlackRefusal('no_text');
    if (text.length > MAX_TEXT) throw new SlackRefusal('msg_too_long');
    return channel;
  }

  #nextTs(): string {
    this.#lastTsMicros = Math.max(Math.floor(this.#now() * 1_000), this.#lastTsMicros + 1);
    const text = String(this.#lastTsMicros);
    return `${text.slice(0, -6)}.${text.slice(-6)}`;
  }

  #next(): string {
    this.#count += 1;
    return String(this.#count).padStart(4, '0');
  }
}
