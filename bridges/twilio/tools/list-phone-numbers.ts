import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { nextCursorOf, pageStart } from '../pages.ts';
import { cursor, limit, nextCursor, timeOut } from '../schemas.ts';
import { isoTime } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** `list_phone_numbers` */
export function listPhoneNumbersTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_phone_numbers',
    title: 'List own phone numbers',
    description:
      "The account's own phone numbers and what each can do: the senders for from of send_sms. Buys and changes nothing. Not people's numbers: those are looked up with lookup_phone.",
    effect: 'read',
    input: z.object({
      contains: z
        .string()
        .regex(/^\+?\d{1,15}$/)
        .optional()
        .describe('Only numbers with these digits'),
      limit,
      cursor,
    }),
    output: z.object({
      phoneNumbers: z.array(
        z.object({
          sid: z.string(),
          phoneNumber: z.string(),
          name: z.string(),
          sms: z.boolean(),
          mms: z.boolean(),
          voice: z.boolean(),
          createdAt: timeOut,
        }),
      ),
      nextCursor,
    }),
    run: async ({ limit: pageSize, cursor: at, ...filter }, context) => {
      const { contains } = filter;
      const start = pageStart(pageSize, at, filter);
      const page = await client.ask(context, 'api', 'read', (sdk) =>
        sdk.incomingPhoneNumbers.page({ ...(contains === undefined ? {} : { phoneNumber: contains }), ...start }),
      );
      const phoneNumbers = page.instances.map(({ sid, phoneNumber, friendlyName, capabilities, dateCreated }) => ({
        sid,
        phoneNumber,
        name: friendlyName ?? '',
        sms: capabilities?.sms === true,
        mms: capabilities?.mms === true,
        voice: capabilities?.voice === true,
        createdAt: isoTime(dateCreated),
      }));
      return { phoneNumbers, nextCursor: nextCursorOf(page.nextPageUrl, filter) };
    },
  });
}
