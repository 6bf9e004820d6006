import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { emailAddress, z } from '../../../core/server-kit/schema.ts';
import type { SlackClient } from '../client.ts';
import { cursor, limit, nextCursor, nextCursorOf, userId } from '../schemas.ts';
import { toUser, userShape } from '../shapes.ts';

/** `list_users` */
export function listUsersTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'list_users',
    title: 'List users',
    description:
      'Lists the people and bots of the workspace, page by page, with name, e-mail address, time zone and whether the account is active. ' +
      'A page may hold fewer than limit: go on while nextCursor is set. Use lookup_user_by_email when the address is known.',
    effect: 'read',
    openWorld: true,
    input: z.object({ limit, cursor }),
    output: z.object({ users: z.array(userShape), nextCursor }),
    run: async ({ limit: max, cursor: from }, context) => {
      const answer = await slack.ask(context, 'read', (client) =>
        client.users.list({ limit: max, ...(from === undefined ? {} : { cursor: from }) }),
      );
      return { users: (answer.members ?? []).map(toUser), nextCursor: nextCursorOf(answer) };
    },
  });
}

/** `lookup_user_by_email` */
export function lookupUserByEmailTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'lookup_user_by_email',
    title: 'Look a user up by e-mail address',
    description:
      'Finds the one user of the workspace with an e-mail address, to mention them as <@id> or to write to them through open_dm. ' +
      'users_not_found where nobody has it, as for people who were deactivated. Use list_users to look for a name.',
    effect: 'read',
    openWorld: true,
    input: z.object({ email: emailAddress }),
    output: z.object({ user: userShape }),
    run: async ({ email }, context) => {
      const answer = await slack.ask(context, 'read', (client) => client.users.lookupByEmail({ email }));
      return { user: toUser(answer.user ?? {}) };
    },
  });
}

/** `open_dm` */
export function openDmTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'open_dm',
    title: 'Open a direct message',
    description:
      'Opens the direct message of the bot with one person, or with up to 8 together, and tells its channel id for post_message and channel_history. ' +
      'Nobody is notified until something is posted; the same people always have the same channel.',
    effect: 'idempotent',
    destructive: false,
    openWorld: true,
    input: z.object({ users: z.array(userId).min(1).max(8) }),
    output: z.object({ channel: z.string(), alreadyOpen: z.boolean() }),
    run: async ({ users }, context) => {
      const answer = await slack.ask(context, 'idempotent', (client) =>
        client.conversations.open({ users: users.join(','), return_im: false }),
      );
      return { channel: answer.channel?.id ?? '', alreadyOpen: answer.already_open ?? false };
    },
  });
}
