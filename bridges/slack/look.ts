import type { MessageElement } from '@slack/web-api/dist/types/response/ConversationsHistoryResponse.js';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import type { SlackClient } from './client.ts';

/** Marks messages of this bridge, in the metadata that Slack keeps beside a message and shows to apps only. */
const EVENT_TYPE = 'mcp_bridge_fleet';
/** Keys are kept for 24 h; an hour more for clocks that differ. */
const LOOK_BACK_S = 25 * 3_600;
const PAGE = 200;

/** The metadata of a message that is sent with a key; it tells nothing of who sent it. */
export function keyMetadata(key: string): { event_type: string; event_payload: { key: string } } {
  return { event_type: EVENT_TYPE, event_payload: { key } };
}

/** Where a message with a key would be. */
export interface Place {
  readonly channel: string;
  /** In this thread rather than in the channel itself. */
  readonly threadTs?: string;
}

/** What a look found. */
export interface Looked<T> {
  readonly found: T | undefined;
  /** Where was looked, for the caller. */
  readonly looked: string;
}

/** How far a look goes: `quick` before a send, `thorough` where somebody asks. */
export type Depth = 'quick' | 'thorough';

/** Channels are told newest first, so that a repeat is on the first page; threads oldest first. */
const MAX_PAGES = { quick: { channel: 1, thread: 5 }, thorough: { channel: 10, thread: 10 } } as const;

function carries(message: MessageElement, key: string): boolean {
  const { event_type, event_payload } = message.metadata ?? {};
  return event_type === EVENT_TYPE && (event_payload as { readonly key?: unknown } | undefined)?.key === key;
}

/** Looks for the message of the last 25 h that carries the call's key. @throws ToolError when Slack cannot be asked */
export async function lookForKey(
  slack: SlackClient,
  context: ToolContext,
  { channel, threadTs }: Place,
  depth: Depth,
): Promise<Looked<MessageElement>> {
  const key = context.idempotencyKey ?? '';
  const oldest = String(Math.floor(Date.now() / 1_000) - LOOK_BACK_S);
  const maxPages = MAX_PAGES[depth][threadTs === undefined ? 'channel' : 'thread'];
  let cursor: string | undefined;
  let read = 0;
  for (let page = 0; page < maxPages; page++) {
    const args = {
      channel,
      oldest,
      limit: PAGE,
      include_all_metadata: true,
      ...(cursor === undefined ? {} : { cursor }),
    };
    const answer = await slack.ask(context, 'read', (client) =>
      threadTs === undefined
        ? client.conversations.history(args)
        : client.conversations.replies({ ...args, ts: threadTs }),
    );
    const messages: readonly MessageElement[] = answer.messages ?? [];
    read += messages.length;
    const found = messages.find((message) => carries(message, key));
    cursor = answer.response_metadata?.next_cursor;
    const all = cursor === undefined || cursor === '';
    if (found !== undefined || all) return { found, looked: told(read, threadTs, all) };
  }
  return { found: undefined, looked: told(read, threadTs, false) };
}

function told(read: number, threadTs: string | undefined, all: boolean): string {
  const where = threadTs === undefined ? 'the channel' : 'the thread';
  return `${all ? 'all' : 'only'} ${read} messages of the last 25 h in ${where}; none carries this key. It may still be on its way, or somebody deleted it`;
}
