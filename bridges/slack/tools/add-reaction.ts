import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { SlackClient } from '../client.ts';
import { channelId, messageTs } from '../schemas.ts';

/** `add_reaction` */
export function addReactionTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'add_reaction',
    title: 'React to a message',
    description:
      'Adds one emoji of the bot to a message, a quiet way to say seen or done. Needs channel, ts and the name of the emoji without colons. ' +
      'A reaction that is there already stays and is no error. Use reply_in_thread to say something in words.',
    effect: 'idempotent',
    destructive: false,
    openWorld: true,
    input: z.object({
      channel: channelId,
      ts: messageTs,
      emoji: z
        .string()
        .regex(/^[a-z0-9_+'-]{1,100}(?:::skin-tone-[2-6])?$/)
        .describe('Name without colons, e.g. white_check_mark'),
    }),
    output: z.object({
      channel: z.string(),
      ts: z.string(),
      emoji: z.string(),
      status: z.enum(['added', 'already_there']),
    }),
    run: async ({ channel, ts, emoji }, context) => {
      try {
        await slack.ask(context, 'idempotent', (client) =>
          client.reactions.add({ channel, timestamp: ts, name: emoji }),
        );
        return { channel, ts, emoji, status: 'added' as const };
      } catch (error) {
        if (!(error instanceof ToolError) || error.code !== 'already_reacted') throw error;
        return { channel, ts, emoji, status: 'already_there' as const };
      }
    },
  });
}
