import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { objectName, READABLE } from './relations.ts';
import { guarded, type Toolbox } from './toolbox.ts';

const MAX_INDEXES = 500;

interface Row {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly method: string;
  readonly definition: string;
  readonly unique: boolean;
  readonly primary: boolean;
  readonly valid: boolean;
  readonly bytes: number;
  readonly scans: number | null;
}

const SQL = `
select n.nspname as schema, c.relname as table, x.relname as name, am.amname as method,
       pg_get_indexdef(i.indexrelid) as definition, i.indisunique as unique, i.indisprimary as primary, i.indisvalid as valid,
       pg_relation_size(i.indexrelid)::float8 as bytes, s.idx_scan::float8 as scans
from pg_index i
join pg_class x on x.oid = i.indexrelid
join pg_am am on am.oid = x.relam
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_indexes s on s.indexrelid = i.indexrelid
where ${READABLE} and ($1::text is null or n.nspname = $1::text) and ($2::text is null or c.relname = $2::text)
order by n.nspname, c.relname, x.relname
limit ${MAX_INDEXES + 1}`;

/** `list_indexes` */
export function listIndexesTool({ read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_indexes',
    title: 'List indexes',
    description:
      'Lists indexes with definition, size and how often each has been used since the statistics were reset. An index with 0 scans may be superfluous.',
    effect: 'read',
    input: z.object({
      schema: objectName.optional().describe('Only this schema'),
      table: objectName.optional().describe('Only this table, without schema'),
    }),
    output: z.object({
      indexes: z.array(
        z.object({
          schema: z.string(),
          table: z.string(),
          name: z.string(),
          method: z.string().describe('btree, gin, gist, brin, hash, …'),
          definition: z.string(),
          unique: z.boolean(),
          primary: z.boolean(),
          valid: z.boolean(),
          bytes: z.number(),
          scans: z.number().nullable(),
        }),
      ),
      truncated: z.boolean(),
    }),
    run: ({ schema, table }, context) =>
      guarded(read, context, async (transaction) => {
        const found = await transaction.rows<Row>(SQL, [schema ?? null, table ?? null]);
        return { indexes: found.slice(0, MAX_INDEXES), truncated: found.length > MAX_INDEXES };
      }),
  });
}
