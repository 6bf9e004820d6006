import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { fromCursor, searchPlace, toCursor } from '../cursor.ts';
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
  withoutNul,
} from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

const MAX_SNIPPET = 500;
const HEADLINE = 'StartSel=**, StopSel=**, MaxFragments=2, MaxWords=30, MinWords=12, FragmentDelimiter=" … "';

/** `$2` language, `$3` words. Of any word: what `&` joins is joined by `|`; there is no negation in it. */
const QUERIES = {
  all: 'websearch_to_tsquery($2::regconfig, $3)',
  any: `replace(plainto_tsquery($2::regconfig, $3)::text, ' & ', ' | ')::tsquery`,
} as const;

/** The words are marked on the page alone: that costs more than finding them. */
function searching(match: keyof typeof QUERIES, goesOn: boolean): string {
  const after = goesOn ? 'where (rank, updated_at, id) < ($6::real, $7::timestamptz, $8::uuid)' : '';
  return `
with asked as materialized (select ${QUERIES[match]} as query),
hits as (
  select ${ENTRY_COLUMNS}, text, tags, ts_rank(search, query, 1) as rank, query
  from memory_bridge.entries, asked
  where namespace = $1 and ${ALIVE} and search @@ query and tags @> $4::text[]
),
page as (select * from hits ${after} order by rank desc, updated_at desc, id desc limit $5)
select ${ENTRY_COLUMNS}, tags, rank, rank::text as exact_rank, ${exactTime('updated_at')} as exact_time,
       left(ts_headline($2::regconfig, text, query, '${HEADLINE}'), ${MAX_SNIPPET}) as snippet
from page order by rank desc, updated_at desc, id desc`;
}

interface Hit extends EntryRow {
  readonly tags: string[];
  readonly rank: number;
  readonly exact_rank: string;
  readonly exact_time: string;
  readonly snippet: string;
}

/** `memory_search`: entries by their words, the best first. */
export function searchTool({ database, settings }: Toolbox): DefinedTool {
  return defineTool({
    name: 'memory_search',
    title: 'Search memories',
    description:
      'Finds your memories by words in key, tags and text, the best match first, with a snippet in which the words found are marked by **. Understands "exact ' +
      'phrases", or, and -without. match any finds memories with any of the words: use it for questions in whole sentences, or where all found nothing. tags ' +
      'narrows to memories that have all of these tags. memory_recall gives the whole text; memory_list goes by time instead of words.',
    effect: 'read',
    input: z.object({
      query: withoutNul(z.string().min(1).max(500)).describe('Words, e.g. hartmann vegetarian'),
      match: z.enum(['all', 'any']).optional().describe('Default all'),
      tags: tagList.optional(),
      limit,
      cursor,
    }),
    output: z.object({
      results: z.array(
        z.object({
          ...entryShape,
          snippet: z.string(),
          tags: z.array(z.string()),
          score: z.number().describe('Comparable within one answer only'),
        }),
      ),
      nextCursor,
    }),
    run: async ({ query, match = 'all', tags, limit: most = 20, cursor: after }, context) => {
      const place = after === undefined ? undefined : fromCursor(after, searchPlace);
      return database.read(context, async ({ namespace, rows }) => {
        const { language } = settings;
        const hits = await rows<Hit>(searching(match, place !== undefined), [
          namespace,
          language,
          query,
          distinct(tags),
          most + 1,
          ...(place ?? []),
        ]);
        if (hits.length === 0 && place === undefined) {
          const [asked] = await rows<{ words: number }>('select numnode(plainto_tsquery($1::regconfig, $2)) as words', [
            language,
            query,
          ]);
          if (asked?.words === 0) {
            throw new ToolError('empty_query', 'no word of the query is one that is searched for', {
              hint: 'Use words that mean something by themselves, or memory_list with tags',
            });
          }
        }
        const page = hits.slice(0, most);
        const last = hits.length > most ? page.at(-1) : undefined;
        return {
          results: page.map((hit) => ({
            ...entryOf(hit),
            snippet: hit.snippet,
            tags: hit.tags,
            score: Math.round(hit.rank * 10_000) / 10_000,
          })),
          ...(last === undefined ? {} : { nextCursor: toCursor([last.exact_rank, last.exact_time, last.id]) }),
        };
      });
    },
  });
}
