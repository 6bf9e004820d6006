import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { instant, z } from '../../../core/server-kit/schema.ts';
import { nextCursorOf, pageStart } from '../pages.ts';
import { cursor, limit, message, nextCursor, phoneNumber } from '../schemas.ts';
import { toMessage } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** `list_messages` */
export function listMessagesTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_messages',
    title: 'List messages',
    description:
      'Messages sent and received, newest first, by person, sender or time. Changes nothing. What is scheduled or still waits has no time of sending, so sentAfter and ' +
      'sentBefore leave it out: ask by to instead. get_message shows one by its sid.',
    effect: 'read',
    input: z.object({
      to: phoneNumber.optional().describe('Only to this number, E.164'),
      from: phoneNumber.optional().describe('Only from this number, E.164; an inbound message is from the person'),
      channel: z.enum(['sms', 'whatsapp']).default('sms').describe('How to and from are meant'),
      sentAfter: instant.optional().describe('Only sent at or after this time, e.g. 2027-06-12T00:00:00+02:00'),
      sentBefore: instant.optional().describe('Only sent at or before this time'),
      limit,
      cursor,
    }),
    output: z.object({ messages: z.array(message), nextCursor }),
    run: async ({ limit: pageSize, cursor: at, ...filter }, context) => {
      const { to, from, channel, sentAfter, sentBefore } = filter;
      const prefix = channel === 'whatsapp' ? 'whatsapp:' : '';
      const start = pageStart(pageSize, at, filter);
      const page = await client.ask(context, 'api', 'read', (sdk) =>
        sdk.messages.page({
          ...(to === undefined ? {} : { to: `${prefix}${to}` }),
          ...(from === undefined ? {} : { from: `${prefix}${from}` }),
          ...(sentAfter === undefined ? {} : { dateSentAfter: new Date(sentAfter) }),
          ...(sentBefore === undefined ? {} : { dateSentBefore: new Date(sentBefore) }),
          ...start,
        }),
      );
      return { messages: page.instances.map(toMessage), nextCursor: nextCursorOf(page.nextPageUrl, filter) };
    },
  });
}
