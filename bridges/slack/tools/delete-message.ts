import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { SlackClient } from '../client.ts';
import { channelId, messageTs } from '../schemas.ts';

/** `delete_message` */
export function deleteMessageTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'delete_message',
    title: 'Delete a message',
    description:
      "Deletes one of the bot's own messages for everybody, for good; replies in its thread stay. Needs its channel and ts. It cannot delete messages " +
      'of others. not_found means that no such message is there (any more), whether it was deleted before or the ts is wrong. ' +
      'Use update_message to correct a message, cancel_scheduled_message for one that is not sent yet.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({ channel: channelId, ts: messageTs }),
    output: z.object({ channel: z.string(), ts: z.string(), status: z.enum(['deleted', 'not_found']) }),
    run: async ({ channel, ts }, context) => {
      try {
        await slack.ask(context, 'idempotent', (client) => client.chat.delete({ channel, ts }));
        return { channel, ts, status: 'deleted' as const };
      } catch (error) {
        if (error instanceof ToolError && error.code === 'message_not_found')
          return { channel, ts, status: 'not_found' as const };
        throw error;
      }
    },
  });
}
