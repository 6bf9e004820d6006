import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { Transaction } from '../database.ts';
import { KIND, objectName, READABLE, relationKinds } from './relations.ts';
import { guarded, type Toolbox } from './toolbox.ts';

/** One table or view as `list_tables` and the resources show it. */
export interface TableSummary {
  readonly schema: string;
  readonly name: string;
  readonly kind: (typeof relationKinds)[number];
  readonly comment: string | null;
  readonly estimatedRows: number | null;
}

const SQL = `
select n.nspname as schema, c.relname as name, ${KIND} as kind, obj_description(c.oid, 'pg_class') as comment,
       case when c.reltuples < 0 or c.relkind = 'v' then null else c.reltuples::float8 end as "estimatedRows"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where ${READABLE}
  and ($1::text is null or n.nspname = $1::text)
  and ($2::text[] is null or ${KIND} = any ($2::text[]))
  and not c.relispartition
order by n.nspname, c.relname
limit $3::int offset $4::int`;

/** Readable tables and views in order of their names; one more than `limit` where there are more. */
export function summariesOf(
  transaction: Transaction,
  filter: { readonly schema?: string | undefined; readonly kinds?: readonly string[] | undefined },
  limit: number,
  offset = 0,
): Promise<readonly TableSummary[]> {
  return transaction.rows<TableSummary>(SQL, [filter.schema ?? null, filter.kinds ?? null, limit + 1, offset]);
}

/** `list_tables` */
export function listTablesTool({ read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_tables',
    title: 'List tables and views',
    description:
      'Lists the tables and views this role may read, with their comments and an estimate of their rows. Start here; then describe_table shows the columns. ' +
      'Partitions of a partitioned table are not listed apart.',
    effect: 'read',
    input: z.object({
      schema: objectName.optional().describe('Only this schema'),
      kinds: z.array(z.enum(relationKinds)).min(1).optional().describe('Only these kinds'),
      limit: z.number().int().min(1).max(1_000).default(200),
      offset: z.number().int().min(0).max(1_000_000).default(0),
    }),
    output: z.object({
      tables: z.array(
        z.object({
          schema: z.string(),
          name: z.string(),
          kind: z.enum(relationKinds),
          comment: z.string().nullable(),
          estimatedRows: z.number().nullable().describe('From the last ANALYZE; null where it is not known'),
        }),
      ),
      truncated: z.boolean().describe('True when there are more; go on with offset'),
    }),
    run: ({ schema, kinds, limit, offset }, context) =>
      guarded(read, context, async (transaction) => {
        const found = await summariesOf(transaction, { schema, kinds }, limit, offset);
        return { tables: found.slice(0, limit), truncated: found.length > limit };
      }),
  });
}
