import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { message, messageSid } from '../schemas.ts';
import { toMessage } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** `cancel_scheduled_message` */
export function cancelScheduledMessageTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'cancel_scheduled_message',
    title: 'Cancel a scheduled message',
    description:
      'Takes back a message that was scheduled with sendAt and has not been sent. It cannot be scheduled again by its sid. One that is cancelled already stays so; ' +
      'one that was sent answers not_cancellable and is not changed.',
    effect: 'idempotent',
    destructive: true,
    input: z.object({ sid: messageSid }),
    output: message,
    run: async ({ sid }, context) => {
      try {
        const cancelled = await client.ask(context, 'api', 'idempotent', (sdk) =>
          sdk.messages(sid).update({ status: 'canceled' }),
        );
        return toMessage(cancelled);
      } catch (thrown) {
        // Twilio refuses to cancel twice in the same words as to cancel too late.
        if (!(thrown instanceof ToolError) || thrown.code !== 'not_cancellable') throw thrown;
        const found = toMessage(await client.ask(context, 'api', 'read', (sdk) => sdk.messages(sid).fetch()));
        if (found.status === 'canceled') return found;
        throw thrown;
      }
    },
  });
}
