import type { Channel } from '@slack/web-api/dist/types/response/ConversationsListResponse.js';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { SlackClient } from '../client.ts';
import { cursor, limit, nextCursor, nextCursorOf } from '../schemas.ts';
import { channelShape, toChannel } from '../shapes.ts';

const TYPES = { public: 'public_channel', private: 'private_channel' } as const;
const kinds = z
  .array(z.enum(['public', 'private']))
  .min(1)
  .max(2)
  .default(['public', 'private'])
  .describe('Private channels are seen where the bot is a member');

/** Slack finds no channel by name: at most this many pages are read for it. */
const MAX_FIND_PAGES = 10;
const FIND_PAGE = 1_000;
const MAX_SIMILAR = 10;

/** `list_channels` */
export function listChannelsTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'list_channels',
    title: 'List channels',
    description:
      'Lists the channels of the workspace that the bot can see, page by page, with topic, purpose and whether the bot is in them. Archived ones are left out ' +
      'unless asked for. A page may hold fewer than limit: go on while nextCursor is set. Use find_channel when the name is known.',
    effect: 'read',
    openWorld: true,
    input: z.object({ kinds, includeArchived: z.boolean().default(false), limit, cursor }),
    output: z.object({ channels: z.array(channelShape), nextCursor }),
    run: async ({ kinds: wanted, includeArchived, limit: max, cursor: from }, context) => {
      const answer = await slack.ask(context, 'read', (client) =>
        client.conversations.list({
          types: wanted.map((kind) => TYPES[kind]).join(','),
          exclude_archived: !includeArchived,
          limit: max,
          ...(from === undefined ? {} : { cursor: from }),
        }),
      );
      return { channels: (answer.channels ?? []).map(toChannel), nextCursor: nextCursorOf(answer) };
    },
  });
}

/** `find_channel` */
export function findChannelTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'find_channel',
    title: 'Find a channel by name',
    description:
      'Finds the id of a channel by its name, with or without #. channel is the one with exactly this name, or null; similar holds channels whose name ' +
      'contains it. Every other tool takes the id found here. Archived channels are left out. complete false means that the workspace has more channels than were read.',
    effect: 'read',
    openWorld: true,
    input: z.object({ name: z.string().regex(/^#?[^\s#]{1,80}$/), kinds }),
    output: z.object({
      channel: channelShape.nullable(),
      similar: z.array(channelShape).describe(`At most ${MAX_SIMILAR}`),
      complete: z.boolean(),
    }),
    run: async ({ name, kinds: wanted }, context) => {
      const sought = name.replace(/^#/, '').toLowerCase();
      const similar: Channel[] = [];
      let cursorNow: string | null = null;
      for (let page = 0; page < MAX_FIND_PAGES; page++) {
        const from: string | null = cursorNow;
        const answer = await slack.ask(context, 'read', (client) =>
          client.conversations.list({
            types: wanted.map((kind) => TYPES[kind]).join(','),
            exclude_archived: true,
            limit: FIND_PAGE,
            ...(from === null ? {} : { cursor: from }),
          }),
        );
        const channels = answer.channels ?? [];
        const exact = channels.find((channel) => channel.name === sought);
        similar.push(...channels.filter((channel) => channel !== exact && channel.name?.includes(sought)));
        cursorNow = nextCursorOf(answer);
        if (exact !== undefined || cursorNow === null) {
          return {
            channel: exact === undefined ? null : toChannel(exact),
            similar: similar.slice(0, MAX_SIMILAR).map(toChannel),
            complete: cursorNow === null,
          };
        }
      }
      return { channel: null, similar: similar.slice(0, MAX_SIMILAR).map(toChannel), complete: false };
    },
  });
}
