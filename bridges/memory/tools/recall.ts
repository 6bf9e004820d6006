import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import {
  ALIVE,
  ENTRY_COLUMNS,
  type EntryRow,
  entryOf,
  entryShape,
  idText,
  keyText,
  notFound,
  which,
} from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** `memory_recall`: one entry as it was remembered. */
export function recallTool({ database }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_recall',
    title: 'Recall one memory',
    description:
      'Gives one of your memories in full, by its key or its id: text, tags, metadata and times. Where you know neither, look with memory_search (by words) or ' +
      'memory_list (by tags) first. An expired or forgotten memory is not_found.',
    effect: 'read',
    input: z.object({ key: keyText.optional(), id: idText.optional() }),
    output: z.object({
      ...entryShape,
      text: z.string(),
      tags: z.array(z.string()),
      metadata: z.record(z.string(), z.string()),
    }),
    run: async (given, context) => {
      const { condition, value } = which(given);
      return database.read(context, async ({ namespace, rows }) => {
        const [row] = await rows<EntryRow & { text: string; tags: string[]; metadata: Record<string, string> }>(
          `select ${ENTRY_COLUMNS}, text, tags, metadata from memory_bridge.entries where namespace = $1 and ${condition} and ${ALIVE}`,
          [namespace, value],
        );
        if (row === undefined) throw notFound();
        return { ...entryOf(row), text: row.text, tags: row.tags, metadata: row.metadata };
      });
    },
  });
}
