import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { message, messageSid } from '../schemas.ts';
import { toMessage } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** `get_message` */
export function getMessageTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'get_message',
    title: 'Get one message',
    description:
      'What became of one message: status, price, and why it was not delivered. Changes nothing. Use list_messages to find messages by person or time.',
    effect: 'read',
    input: z.object({ sid: messageSid }),
    output: message,
    run: async ({ sid }, context) =>
      toMessage(await client.ask(context, 'api', 'read', (sdk) => sdk.messages(sid).fetch())),
  });
}
