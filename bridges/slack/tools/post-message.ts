import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import type { SlackClient } from '../client.ts';
import { type Depth, keyMetadata, lookForKey, type Place } from '../look.ts';
import { once } from '../once.ts';
import { channelId, messageText, messageTs, notifyEveryone, timeOut } from '../schemas.ts';
import { requireQuiet } from '../text.ts';
import { isoOfTs } from '../times.ts';

/** A message to be sent, whether into a channel or into a thread. */
interface Post extends Place {
  readonly text: string;
  readonly broadcast?: boolean;
  readonly showLinks: boolean;
}

interface Posted {
  readonly channel: string;
  readonly ts: string;
  readonly postedAt: string;
}

const posted = {
  channel: z.string(),
  ts: z.string().describe('Names the message: for reply_in_thread, update_message, delete_message, add_reaction'),
  postedAt: timeOut,
};
const showLinks = z.boolean().default(true).describe('False shows links without a preview');

function toPosted(channel: string, ts: string): Posted {
  return { channel, ts, postedAt: isoOfTs(ts) };
}

async function earlier(slack: SlackClient, context: ToolContext, place: Place, depth: Depth) {
  const { found, looked } = await lookForKey(slack, context, place, depth);
  return { posted: found?.ts === undefined ? undefined : toPosted(place.channel, found.ts), looked };
}

function post(slack: SlackClient, context: ToolContext, message: Post): Promise<Posted> {
  const { channel, threadTs, text, broadcast, showLinks: unfurl } = message;
  const key = context.idempotencyKey;
  return once(
    context,
    async () => (await earlier(slack, context, message, 'quick')).posted,
    async () => {
      const common = {
        channel,
        text,
        unfurl_links: unfurl,
        unfurl_media: unfurl,
        ...(key === undefined ? {} : { metadata: keyMetadata(key) }),
      };
      const answer = await slack.ask(context, 'write', (client) =>
        client.chat.postMessage(
          threadTs === undefined ? common : { ...common, thread_ts: threadTs, reply_broadcast: broadcast ?? false },
        ),
      );
      return toPosted(answer.channel ?? channel, answer.ts ?? '');
    },
  );
}

// Never `not_executed`: Slack tells of no request that is still on its way, and a message may have been deleted again.
async function reconcile(slack: SlackClient, context: ToolContext, place: Place) {
  const { posted: result, looked } = await earlier(slack, context, place, 'thorough');
  return result === undefined ? ({ found: 'unknown', looked } as const) : ({ found: 'executed', result } as const);
}

/** `post_message` */
export function postMessageTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'post_message',
    title: 'Post a message',
    description:
      'Posts one message as the bot into a channel or direct message, at once and visible to everybody there. Needs the id of a channel ' +
      'the bot is in (find_channel; open_dm for a person). Use reply_in_thread to answer a message, schedule_message for later, ' +
      'update_message to correct one. Mentions that ring everybody are refused unless notifyEveryone is true.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({ channel: channelId, text: messageText, notifyEveryone, showLinks }),
    output: z.object(posted),
    run: async ({ channel, text, notifyEveryone: loud, showLinks: unfurl }, context) => {
      requireQuiet(text, loud);
      return post(slack, context, { channel, text, showLinks: unfurl });
    },
    reconcile: ({ channel }, context) => reconcile(slack, context, { channel }),
  });
}

/** `reply_in_thread` */
export function replyInThreadTool(slack: SlackClient): DefinedTool {
  return defineTool({
    name: 'reply_in_thread',
    title: 'Reply in a thread',
    description:
      'Posts one reply as the bot into the thread of a message, at once. Needs the channel and the ts of the message that the thread ' +
      'hangs on (channel_history or post_message tell it; of a reply, take its threadTs). alsoToChannel shows the reply in the channel too. ' +
      'Use post_message to begin something new. Mentions that ring everybody are refused unless notifyEveryone is true.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      channel: channelId,
      threadTs: messageTs.describe('ts of the message that is answered'),
      text: messageText,
      alsoToChannel: z.boolean().default(false),
      notifyEveryone,
      showLinks,
    }),
    output: z.object({ ...posted, threadTs: z.string() }),
    run: async ({ channel, threadTs, text, alsoToChannel, notifyEveryone: loud, showLinks: unfurl }, context) => {
      requireQuiet(text, loud);
      const message = { channel, threadTs, text, broadcast: alsoToChannel, showLinks: unfurl };
      return { ...(await post(slack, context, message)), threadTs };
    },
    reconcile: async ({ channel, threadTs }, context) => {
      const seen = await reconcile(slack, context, { channel, threadTs });
      return seen.found === 'executed' ? { ...seen, result: { ...seen.result, threadTs } } : seen;
    },
  });
}
