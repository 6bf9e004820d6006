import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import type { SlackClient } from './client.ts';
import type { Looked } from './look.ts';
import { sameText } from './text.ts';
import { isoOfSeconds } from './times.ts';

/** A message that is to be sent later. */
export interface Plan {
  readonly channel: string;
  readonly text: string;
  /** Whole seconds since 1970. */
  readonly postAt: number;
}

/** What became of a plan. */
export interface Planned {
  readonly channel: string;
  readonly postAt: string;
  readonly status: 'scheduled' | 'sent';
  readonly scheduledMessageId: string | null;
  readonly ts: string | null;
}

/** Slack sends a scheduled message at its time or shortly after. */
const MAX_LATE_S = 300;

/**
 * Looks for a plan among the scheduled messages and, once its time has come, in the channel. Slack does not send a
 * scheduled message that carries metadata, so it is known by channel, second and text: the same text for the same
 * second in the same channel is taken for the same message, whoever planned it with this bot.
 */
export async function lookForPlan(slack: SlackClient, context: ToolContext, plan: Plan): Promise<Looked<Planned>> {
  const { channel, text, postAt } = plan;
  const at = isoOfSeconds(postAt);
  const { scheduled_messages = [] } = await slack.ask(context, 'read', (client) =>
    client.chat.scheduledMessages.list({ channel, oldest: String(postAt - 1), latest: String(postAt + 1), limit: 100 }),
  );
  const waiting = scheduled_messages.find((one) => Number(one.post_at) === postAt && sameText(one.text, text));
  if (waiting?.id !== undefined) {
    return {
      found: { channel, postAt: at, status: 'scheduled', scheduledMessageId: waiting.id, ts: null },
      looked: 'the scheduled messages',
    };
  }
  if (postAt * 1_000 > Date.now()) {
    return { found: undefined, looked: `the messages scheduled in this channel for ${at}; it may still be on its way` };
  }
  const { messages = [] } = await slack.ask(context, 'read', (client) =>
    client.conversations.history({
      channel,
      oldest: String(postAt - 1),
      latest: String(postAt + MAX_LATE_S),
      limit: 200,
    }),
  );
  const sent = messages.find((message) => message.bot_id !== undefined && sameText(message.text, text));
  return {
    found:
      sent?.ts === undefined
        ? undefined
        : { channel, postAt: at, status: 'sent', scheduledMessageId: null, ts: sent.ts },
    looked: `the scheduled messages, and what was sent in this channel from ${at} on for ${MAX_LATE_S} s`,
  };
}
