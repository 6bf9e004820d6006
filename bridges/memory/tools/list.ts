import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { fromCursor, listPlace, toCursor } from '../cursor.ts';
import {
  ALIVE,
  cursor,
  distinct,
  ENTRY_COLUMNS,
  type EntryRow,
  entryOf,
  entryShape,
  exactTime,
  limit,
  nextCursor,
  tagList,
} from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

const MAX_PREVIEW = 300;

function listing(goesOn: boolean): string {
  return `
select ${ENTRY_COLUMNS}, tags, left(text, ${MAX_PREVIEW}) as preview, length(text) > ${MAX_PREVIEW} as truncated,
       ${exactTime('created_at')} as exact_time
from memory_bridge.entries
where namespace = $1 and ${ALIVE} and tags @> $2::text[]
${goesOn ? 'and (created_at, id) < ($4::timestamptz, $5::uuid)' : ''}
order by created_at desc, id desc limit $3`;
}

interface Listed extends EntryRow {
  readonly tags: string[];
  readonly preview: string;
  readonly truncated: boolean;
  readonly exact_time: string;
}

/** `memory_list`: entries by time, the newest first. */
export function listTool({ database }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_list',
    title: 'List memories',
    description:
      'Lists your memories, the newest first, each with the first 300 characters of its text; tags narrows to those that have all of these tags. Use it to look ' +
      'around, or to go through everything about one client. memory_search finds by words, memory_recall gives a whole text.',
    effect: 'read',
    input: z.object({ tags: tagList.optional(), limit, cursor }),
    output: z.object({
      memories: z.array(
        z.object({
          ...entryShape,
          preview: z.string(),
          truncated: z.boolean().describe('True: memory_recall gives more'),
          tags: z.array(z.string()),
        }),
      ),
      nextCursor,
    }),
    run: async ({ tags, limit: most = 20, cursor: after }, context) => {
      const place = after === undefined ? undefined : fromCursor(after, listPlace);
      return database.read(context, async ({ namespace, rows }) => {
        const found = await rows<Listed>(listing(place !== undefined), [
          namespace,
          distinct(tags),
          most + 1,
          ...(place ?? []),
        ]);
        const page = found.slice(0, most);
        const last = found.length > most ? page.at(-1) : undefined;
        return {
          memories: page.map((row) => ({
            ...entryOf(row),
            preview: row.preview,
            truncated: row.truncated,
            tags: row.tags,
          })),
          ...(last === undefined ? {} : { nextCursor: toCursor([last.exact_time, last.id]) }),
        };
      });
    },
  });
}
