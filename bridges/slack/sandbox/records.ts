/** A user as Slack tells it, as far as the stand-in knows one. */
export interface UserRecord {
  readonly id: string;
  readonly name: string;
  readonly realName: string;
  readonly title: string;
  readonly email: string | undefined;
  readonly tz: string;
  readonly isBot: boolean;
  readonly isGuest: boolean;
  readonly deleted: boolean;
}

export interface ReactionRecord {
  readonly name: string;
  readonly users: string[];
}

export interface MessageRecord {
  readonly ts: string;
  readonly user: string;
  readonly botId: string | undefined;
  text: string;
  /** Of the message it hangs on. */
  readonly threadTs: string | undefined;
  /** A reply that is shown in the channel too. */
  readonly broadcast: boolean;
  metadata: object | undefined;
  editedTs: string | undefined;
  readonly reactions: ReactionRecord[];
}

export interface ChannelRecord {
  readonly id: string;
  readonly name: string;
  readonly kind: 'public' | 'private' | 'im' | 'mpim';
  /** The bot's own membership is what Slack asks for. */
  readonly members: readonly string[];
  readonly isArchived: boolean;
  readonly topic: string;
  readonly purpose: string;
  readonly created: number;
  /** In order of their ts. */
  readonly messages: MessageRecord[];
}

export interface ScheduledRecord {
  readonly id: string;
  readonly channel: string;
  readonly postAt: number;
  readonly created: number;
  readonly text: string;
  readonly threadTs: string | undefined;
  /** Slack takes it and then never sends the message. */
  readonly withMetadata: boolean;
}
