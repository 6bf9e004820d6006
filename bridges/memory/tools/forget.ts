import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { distinct, idText, keyText } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

const MAX_AT_ONCE = 100;

/** Ordered, so that two of them cannot wait for each other. */
const FORGET = `
with meant as (
  select id from memory_bridge.entries
  where namespace = $1 and (id = any ($2::uuid[]) or key = any ($3::text[]))
  order by id for update
)
delete from memory_bridge.entries e using meant where e.id = meant.id and e.namespace = $1
returning e.id, e.key, e.expires_at <= now() as expired`;

/** `memory_forget`: deletes entries by id or key. */
export function forgetTool({ database }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_forget',
    title: 'Forget memories',
    description:
      `Deletes up to ${MAX_AT_ONCE} of your memories, named by keys or ids, for good. Those that you do not have, or that have expired, are listed in notFound and are no error, so ` +
      'that it may be repeated. It never deletes by words or tags: find them with memory_search or memory_list first. For a memory that should end by itself use ' +
      'memory_update with ttlSeconds.',
    effect: 'idempotent',
    destructive: true,
    input: z.object({
      keys: z.array(keyText).max(MAX_AT_ONCE).optional(),
      ids: z.array(idText).max(MAX_AT_ONCE).optional(),
    }),
    output: z.object({
      forgotten: z.number().int(),
      notFound: z.array(z.string()).describe('Of the keys and ids given, those that were not there'),
    }),
    reconcile: (_args, context) => database.reconcile(context),
    run: async (given, context) => {
      const keys = distinct(given.keys);
      const ids = distinct(given.ids?.map((id) => id.toLowerCase()));
      if (keys.length + ids.length === 0 || keys.length + ids.length > MAX_AT_ONCE) {
        throw new ToolError(
          'invalid_arguments',
          `give 1 to ${MAX_AT_ONCE} keys and ids, not ${keys.length + ids.length}`,
        );
      }
      return database.write(context, async ({ namespace, rows }) => {
        const gone = await rows<{ id: string; key: string | null; expired: boolean | null }>(FORGET, [
          namespace,
          ids,
          keys,
        ]);
        const were = gone.filter(({ expired }) => expired !== true);
        const found = new Set(were.flatMap(({ id, key }) => [id, ...(key === null ? [] : [key])]));
        return { forgotten: were.length, notFound: [...keys, ...ids].filter((name) => !found.has(name)) };
      });
    },
  });
}
