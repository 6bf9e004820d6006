import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import {
  ALIVE,
  distinct,
  ENTRY_COLUMNS,
  type EntryRow,
  entryOf,
  entryShape,
  expiresAt,
  idText,
  keyText,
  metadata,
  notFound,
  requireFitting,
  requireFuture,
  requireOneExpiry,
  tagList,
  text,
  ttlSeconds,
  which,
} from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** What is not given stays: `$3` text, `$4` tags, `$5` metadata, `$6` and `$7` the expiry, `$8` none any more. */
function changing(condition: string): string {
  return `
update memory_bridge.entries
set text = coalesce($3, text), tags = coalesce($4::text[], tags), metadata = coalesce($5::jsonb, metadata),
    expires_at = case when $8 then null
                      else coalesce($6::timestamptz, now() + make_interval(secs => $7), expires_at) end,
    search = memory_bridge.search_vector($9::regconfig, key, coalesce($4::text[], tags), coalesce($3, text)),
    updated_at = now()
where namespace = $1 and ${condition} and ${ALIVE}
returning ${ENTRY_COLUMNS}`;
}

/** `memory_update`: changes parts of one entry. */
export function updateTool({ database, settings }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_update',
    title: 'Change one memory',
    description:
      'Changes parts of one of your memories, named by its key or its id: what you do not give stays as it is. tags and metadata replace all of the old ones. ' +
      'keepForever takes an expiry away. It makes no new memory: where there is none the answer is not_found, and memory_remember is what you want.',
    effect: 'idempotent',
    destructive: true,
    input: z.object({
      key: keyText.optional(),
      id: idText.optional(),
      text: text.optional(),
      tags: tagList.optional(),
      metadata: metadata.optional(),
      ttlSeconds: ttlSeconds.optional(),
      expiresAt: expiresAt.optional(),
      keepForever: z.boolean().optional(),
    }),
    output: z.object(entryShape),
    reconcile: (_args, context) => database.reconcile(context),
    run: async (given, context) => {
      const { condition, value } = which(given);
      const { key: _key, id: _id, ...changes } = given;
      if (Object.keys(changes).length === 0) {
        throw new ToolError('invalid_arguments', 'nothing to change was given', {
          hint: 'Give text, tags, metadata or an expiry',
        });
      }
      if (given.text !== undefined) requireFitting(given.text);
      requireOneExpiry(given);
      if (given.keepForever && (given.ttlSeconds ?? given.expiresAt) !== undefined) {
        throw new ToolError('invalid_arguments', 'give keepForever or an expiry, not both');
      }
      return database.write(context, async ({ namespace, rows }) => {
        const [look] = await rows<{ past: boolean }>('select coalesce($1::timestamptz <= now(), false) as past', [
          given.expiresAt ?? null,
        ]);
        requireFuture(look?.past);
        const [row] = await rows<EntryRow>(changing(condition), [
          namespace,
          value,
          given.text ?? null,
          given.tags === undefined ? null : distinct(given.tags),
          given.metadata === undefined ? null : JSON.stringify(given.metadata),
          given.expiresAt ?? null,
          given.ttlSeconds ?? null,
          given.keepForever === true,
          settings.language,
        ]);
        if (row === undefined) throw notFound();
        return entryOf(row);
      });
    },
  });
}
