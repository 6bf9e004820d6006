import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { objectName, READABLE } from './relations.ts';
import { guarded, type Toolbox } from './toolbox.ts';

const MAX_TABLES = 200;

interface Row {
  readonly schema: string;
  readonly table: string;
  readonly estimatedRows: number | null;
  readonly deadRows: number | null;
  readonly totalBytes: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
  readonly sequentialScans: number | null;
  readonly indexScans: number | null;
  readonly lastVacuum: string | null;
  readonly lastAnalyze: string | null;
}

const SQL = `
select n.nspname as schema, c.relname as table,
       case when c.reltuples < 0 then null else c.reltuples::float8 end as "estimatedRows",
       s.n_dead_tup::float8 as "deadRows",
       pg_total_relation_size(c.oid)::float8 as "totalBytes", pg_table_size(c.oid)::float8 as "tableBytes",
       pg_indexes_size(c.oid)::float8 as "indexBytes",
       s.seq_scan::float8 as "sequentialScans", s.idx_scan::float8 as "indexScans",
       greatest(s.last_vacuum, s.last_autovacuum) as "lastVacuum", greatest(s.last_analyze, s.last_autoanalyze) as "lastAnalyze"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_tables s on s.relid = c.oid
where ${READABLE} and c.relkind in ('r', 'm', 'p')
  and ($1::text is null or n.nspname = $1::text) and ($2::text is null or c.relname = $2::text)
order by pg_total_relation_size(c.oid) desc, n.nspname, c.relname
limit ${MAX_TABLES + 1}`;

/** `table_stats` */
export function tableStatsTool({ read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'table_stats',
    title: 'Show sizes and activity of tables',
    description:
      'Shows size on disk, estimated and dead rows, scans, and the last vacuum and analyze of tables, the largest first. Many sequential scans of a large table hint at a missing index.',
    effect: 'read',
    input: z.object({
      schema: objectName.optional().describe('Only this schema'),
      table: objectName.optional().describe('Only this table, without schema'),
    }),
    output: z.object({
      tables: z.array(
        z.object({
          schema: z.string(),
          table: z.string(),
          estimatedRows: z.number().nullable(),
          deadRows: z.number().nullable(),
          totalBytes: z.number(),
          tableBytes: z.number(),
          indexBytes: z.number(),
          sequentialScans: z.number().nullable(),
          indexScans: z.number().nullable(),
          lastVacuum: z.string().nullable(),
          lastAnalyze: z.string().nullable(),
        }),
      ),
      truncated: z.boolean(),
    }),
    run: ({ schema, table }, context) =>
      guarded(read, context, async (transaction) => {
        const found = await transaction.rows<Row>(SQL, [schema ?? null, table ?? null]);
        return { tables: found.slice(0, MAX_TABLES), truncated: found.length > MAX_TABLES };
      }),
  });
}
