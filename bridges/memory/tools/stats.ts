import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ALIVE } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

const MAX_TAGS_SHOWN = 50;

const COUNT = `
select count(*)::int as memories, count(expires_at)::int as expiring, min(created_at) as oldest, max(created_at) as newest
from memory_bridge.entries where namespace = $1 and ${ALIVE}`;
const TAGS = `
select tag, count(*)::int as count from memory_bridge.entries, unnest(tags) as tag
where namespace = $1 and ${ALIVE} group by tag order by count desc, tag limit ${MAX_TAGS_SHOWN}`;

/** `memory_stats`: how much there is, and under which tags. */
export function statsTool({ database, settings }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_stats',
    title: 'Count memories',
    description:
      `Tells how many memories you have, how many there may be, how many will expire, when the oldest and the newest were made, and your ${MAX_TAGS_SHOWN} most used tags: use it to ` +
      'learn which tags to ask memory_list or memory_search for. It gives no text of any memory.',
    effect: 'read',
    input: z.object({}),
    output: z.object({
      memories: z.number().int(),
      maxMemories: z.number().int(),
      expiring: z.number().int(),
      oldestAt: z.string().optional(),
      newestAt: z.string().optional(),
      tags: z.array(z.object({ tag: z.string(), count: z.number().int() })),
    }),
    run: async (_given, context) =>
      database.read(context, async ({ namespace, rows }) => {
        const [counted] = await rows<{ memories: number; expiring: number; oldest: Date | null; newest: Date | null }>(
          COUNT,
          [namespace],
        );
        const tags = await rows<{ tag: string; count: number }>(TAGS, [namespace]);
        const { memories = 0, expiring = 0, oldest = null, newest = null } = counted ?? {};
        return {
          memories,
          maxMemories: settings.maxEntries,
          expiring,
          ...(oldest === null ? {} : { oldestAt: oldest.toISOString() }),
          ...(newest === null ? {} : { newestAt: newest.toISOString() }),
          tags: [...tags],
        };
      }),
  });
}
