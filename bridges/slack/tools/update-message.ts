import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { SlackClient } from '../client.ts';
import { once } from '../once.ts';
import { channelId, messageText, messageTs, notifyEveryone } from '../schemas.ts';
import { requireQuiet, sameText } from '../text.ts';

interface Target {
  readonly channel: string;
  readonly ts: string;
}

/** One message by its ts, wherever it hangs. */
async function textOf(slack: SlackClient, context: ToolContext, { channel, ts }: Target): Promise<string | undefined> {
  // `replies` finds a message of the channel and a reply alike; `history` only the former.
  const answer = await slack
    .ask(context, 'read', (client) =>
      client.conversations.replies({ channel, ts, latest: ts, oldest: ts, inclusive: true, limit: 10 }),
    )
    .catch((error: unknown) => {
      if (error instanceof ToolError && error.code === 'thread_not_found') return { messages: [] };
      throw error;
    });
  return answer.messages?.find((message) => message.ts === ts)?.text;
}

/** `update_message` */
export function updateMessageTool(slack: SlackClient): DefinedTool {
  const done = async (context: ToolContext, target: Target, text: string) =>
    sameText(await textOf(slack, context, target), text) ? { channel: target.channel, ts: target.ts } : undefined;
  return defineTool({
    name: 'update_message',
    title: 'Update a message',
    description:
      "Replaces the whole text of one of the bot's own messages; nobody is notified, and people see it as edited. Needs its channel and ts. " +
      'It cannot change messages of others. To take a message back use delete_message, to add to it reply_in_thread.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({
      channel: channelId,
      ts: messageTs.describe('The message, as post_message or channel_history told it'),
      text: messageText,
      notifyEveryone,
    }),
    output: z.object({ channel: z.string(), ts: z.string() }),
    run: async ({ channel, ts, text, notifyEveryone: loud }, context) => {
      requireQuiet(text, loud);
      return once(
        context,
        () => done(context, { channel, ts }, text),
        async () => {
          // Without `metadata` Slack keeps what the message has: the key it was posted with.
          const answer = await slack.ask(context, 'idempotent', (client) => client.chat.update({ channel, ts, text }));
          return { channel: answer.channel ?? channel, ts: answer.ts ?? ts };
        },
      );
    },
    // Never `not_executed`: another text may mean that the change is still on its way, or that somebody came after it.
    reconcile: async ({ channel, ts, text }, context) => {
      const result = await done(context, { channel, ts }, text);
      return result === undefined
        ? {
            found: 'unknown',
            looked: 'the message, which has another text or is gone; the change may still be on its way',
          }
        : { found: 'executed', result };
    },
  });
}
