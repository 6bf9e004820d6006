import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { instant, z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { SlackClient } from '../client.ts';
import { once } from '../once.ts';
import { lookForPlan } from '../scheduled.ts';
import {
  channelId,
  cursor,
  limit,
  messageText,
  nextCursor,
  nextCursorOf,
  notifyEveryone,
  timeOut,
} from '../schemas.ts';
import { requireQuiet } from '../text.ts';
import { isoOfSeconds, secondsOf } from '../times.ts';

const MAX_TEXT = 4_000;
const scheduledMessageId = z.string().regex(/^[A-Z0-9]{3,40}$/);

/** `schedule_message` */
export function scheduleMessageTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'schedule_message',
    title: 'Schedule a message',
    description:
      'Has Slack post one message as the bot at a later time, to the second, at most 120 days ahead. Needs the id of a channel the bot is in ' +
      'and an ISO 8601 time with its zone. Use post_message to send at once, list_scheduled_messages and cancel_scheduled_message until it is sent. ' +
      'With an Idempotency-Key the same text for the same second in the same channel is scheduled once.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      channel: channelId,
      text: messageText,
      postAt: instant.describe('When, e.g. 2027-06-12T09:00:00+02:00; parts of a second are dropped'),
      notifyEveryone,
    }),
    output: z.object({
      channel: z.string(),
      postAt: timeOut,
      status: z.enum(['scheduled', 'sent']).describe('sent only where a repeat or a look finds it after its time'),
      scheduledMessageId: z.string().nullable().describe('For cancel_scheduled_message; null once it is sent'),
      ts: z.string().nullable().describe('Of the message once it is sent'),
    }),
    run: async ({ channel, text, postAt, notifyEveryone: loud }, context) => {
      requireQuiet(text, loud);
      const plan = { channel, text, postAt: secondsOf(postAt) };
      return once(
        context,
        async () => (await lookForPlan(slack, context, plan)).found,
        async () => {
          const answer = await slack.ask(context, 'write', (client) =>
            client.chat.scheduleMessage({ channel, text, post_at: plan.postAt }),
          );
          return {
            channel: answer.channel ?? channel,
            postAt: isoOfSeconds(Number(answer.post_at ?? plan.postAt)),
            status: 'scheduled' as const,
            scheduledMessageId: answer.scheduled_message_id ?? null,
            ts: null,
          };
        },
      );
    },
    // Never `not_executed`: a request may still be on its way, and what was planned may have been cancelled again.
    reconcile: async ({ channel, text, postAt }, context) => {
      const { found, looked } = await lookForPlan(slack, context, { channel, text, postAt: secondsOf(postAt) });
      return found === undefined ? { found: 'unknown', looked } : { found: 'executed', result: found };
    },
  });
}

/** `list_scheduled_messages` */
export function listScheduledMessagesTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'list_scheduled_messages',
    title: 'List scheduled messages',
    description:
      "Lists this bot's messages that Slack is to send later, of one channel or of all, page by page. Messages that were sent are in channel_history; " +
      'those that people scheduled themselves are shown to nobody else. cancel_scheduled_message takes one back.',
    effect: 'read',
    openWorld: true,
    input: z.object({ channel: channelId.optional(), limit, cursor }),
    output: z.object({
      scheduledMessages: z.array(
        z.object({
          scheduledMessageId: z.string(),
          channel: z.string(),
          postAt: timeOut,
          createdAt: timeOut.nullable(),
          text: z.string().describe(`At most ${MAX_TEXT} characters of it`),
        }),
      ),
      nextCursor,
    }),
    run: async ({ channel, limit: max, cursor: from }, context) => {
      const answer = await slack.ask(context, 'read', (client) =>
        client.chat.scheduledMessages.list({
          limit: max,
          ...(channel === undefined ? {} : { channel }),
          ...(from === undefined ? {} : { cursor: from }),
        }),
      );
      return {
        scheduledMessages: (answer.scheduled_messages ?? []).map(({ id, channel_id, post_at, date_created, text }) => ({
          scheduledMessageId: id ?? '',
          channel: channel_id ?? '',
          postAt: isoOfSeconds(Number(post_at ?? 0)),
          createdAt: date_created === undefined ? null : isoOfSeconds(date_created),
          text: (text ?? '').slice(0, MAX_TEXT),
        })),
        nextCursor: nextCursorOf(answer),
      };
    },
  });
}

/** `cancel_scheduled_message` */
export function cancelScheduledMessageTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'cancel_scheduled_message',
    title: 'Cancel a scheduled message',
    description:
      'Takes back a message before Slack sends it. Needs its channel and the scheduledMessageId that schedule_message or list_scheduled_messages told. ' +
      'not_scheduled means that no such message waits: it was sent, cancelled before, or never was; channel_history shows whether it was sent. ' +
      'In its last minute Slack no longer gives a message back. Use delete_message for one that was sent.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({ channel: channelId, scheduledMessageId }),
    output: z.object({
      channel: z.string(),
      scheduledMessageId: z.string(),
      status: z.enum(['cancelled', 'not_scheduled']),
    }),
    run: async ({ channel, scheduledMessageId: id }, context) => {
      try {
        await slack.ask(context, 'idempotent', (client) =>
          client.chat.deleteScheduledMessage({ channel, scheduled_message_id: id }),
        );
        return { channel, scheduledMessageId: id, status: 'cancelled' as const };
      } catch (error) {
        if (!(error instanceof ToolError) || error.code !== 'invalid_scheduled_message_id') throw error;
        return { channel, scheduledMessageId: id, status: 'not_scheduled' as const };
      }
    },
  });
}
