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
  keyText,
  metadata,
  requireFitting,
  requireFuture,
  requireOneExpiry,
  tagList,
  text,
  ttlSeconds,
} from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** An expired entry gives its key free. */
const CLEAR = 'delete from memory_bridge.entries where namespace = $1 and key = $2 and expires_at <= now()';

const LOOK = `
select (select count(*) from (select from memory_bridge.entries where namespace = $1 and ${ALIVE} limit $3) as found)::int as count,
       exists (select from memory_bridge.entries where namespace = $1 and key = $2) as known,
       coalesce($4::timestamptz <= now(), false) as past`;

const PUT = `
insert into memory_bridge.entries (namespace, key, text, tags, metadata, expires_at, search)
values ($1, $2, $3, $4, $5, coalesce($6::timestamptz, now() + make_interval(secs => $7)),
        memory_bridge.search_vector($8::regconfig, $2, $4, $3))
on conflict (namespace, key) do update
  set text = excluded.text, tags = excluded.tags, metadata = excluded.metadata, expires_at = excluded.expires_at,
      search = excluded.search, updated_at = now()
returning ${ENTRY_COLUMNS}, xmax = 0 as created`;

/** `memory_remember`: keeps one text, under a key of the caller's or as a new entry. */
export function rememberTool({ database, settings }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_remember',
    title: 'Remember',
    description:
      'Keeps one text for later: a preference, a decision, a fact about a client or a venue. It is yours alone: other callers never see it. With a key it replaces ' +
      'what you remembered under that key before; without one each call makes a new memory, so give a key to whatever has one current value. Tags group memories ' +
      'for memory_list and memory_search. It is kept until you forget it, or until ttlSeconds or expiresAt. Never put passwords or card numbers in it.',
    effect: 'write',
    destructive: false,
    input: z.object({
      text,
      key: keyText.optional(),
      tags: tagList.optional().describe('At most 16, e.g. ["client:hartmann", "catering"]'),
      metadata: metadata.optional().describe('At most 16 short texts by name, told by memory_recall, not searched'),
      ttlSeconds: ttlSeconds.optional(),
      expiresAt: expiresAt.optional(),
    }),
    output: z.object({
      ...entryShape,
      created: z.boolean().describe('False: it replaced what was kept under this key'),
    }),
    reconcile: (_args, context) => database.reconcile(context),
    run: async (given, context) => {
      requireFitting(given.text);
      requireOneExpiry(given);
      return database.write(context, async ({ namespace, rows }) => {
        const key = given.key ?? null;
        if (key !== null) await rows(CLEAR, [namespace, key]);
        const [look] = await rows<{ count: number; known: boolean; past: boolean }>(LOOK, [
          namespace,
          key,
          settings.maxEntries,
          given.expiresAt ?? null,
        ]);
        requireFuture(look?.past);
        if (look !== undefined && !look.known && look.count >= settings.maxEntries) {
          throw new ToolError(
            'memory_full',
            `you have ${look.count} memories, and ${settings.maxEntries} is the most`,
            {
              hint: 'Forget some with memory_forget, or give memories a ttlSeconds; memory_stats shows what there is',
              details: { maxMemories: settings.maxEntries },
            },
          );
        }
        const [row] = await rows<EntryRow & { created: boolean }>(PUT, [
          namespace,
          key,
          given.text,
          distinct(given.tags),
          JSON.stringify(given.metadata ?? {}),
          given.expiresAt ?? null,
          given.ttlSeconds ?? null,
          settings.language,
        ]);
        if (row === undefined) throw new Error('an insert returned no row');
        return { ...entryOf(row), created: row.created };
      });
    },
  });
}
