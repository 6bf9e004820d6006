import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { nextCursorOf, pageStart } from '../pages.ts';
import { cursor, limit, nextCursor, timeOut } from '../schemas.ts';
import { isoTime, textOrNull } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** `list_messaging_services` */
export function listMessagingServicesTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_messaging_services',
    title: 'List messaging services',
    description:
      'The messaging services of the account: pools of senders for messagingServiceSid, which sendAt needs. Changes nothing.',
    effect: 'read',
    input: z.object({ limit, cursor }),
    output: z.object({
      services: z.array(
        z.object({
          sid: z.string(),
          name: z.string(),
          useCase: z.string().nullable().describe('What it was registered for, e.g. notifications'),
          smartEncoding: z.boolean().describe('Replaces special characters so that a text needs fewer parts'),
          validitySeconds: z.number().int().describe('How long a message may wait before it is given up'),
          createdAt: timeOut,
        }),
      ),
      nextCursor,
    }),
    run: async ({ limit: pageSize, cursor: at }, context) => {
      const start = pageStart(pageSize, at, {});
      const page = await client.ask(context, 'messaging', 'read', (sdk) => sdk.messaging.v1.services.page(start));
      const services = page.instances.map((service) => ({
        sid: service.sid,
        name: service.friendlyName ?? '',
        useCase: textOrNull(service.usecase),
        smartEncoding: service.smartEncoding === true,
        validitySeconds: service.validityPeriod ?? 0,
        createdAt: isoTime(service.dateCreated),
      }));
      return { services, nextCursor: nextCursorOf(page.nextPageUrl, {}) };
    },
  });
}
