import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { Transaction } from '../database.ts';
import { findRelation, KIND, objectName, relationKinds } from './relations.ts';
import { guarded, type Toolbox } from './toolbox.ts';

const RELATION = `
select ${KIND} as kind, obj_description(c.oid, 'pg_class') as comment,
       case when c.reltuples < 0 or c.relkind = 'v' then null else c.reltuples::float8 end as "estimatedRows",
       case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid, true) end as definition
from pg_class c where c.oid = $1::oid`;

const COLUMNS = `
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
       pg_get_expr(d.adbin, d.adrelid) as default,
       case when a.attidentity <> '' then 'identity' when a.attgenerated <> '' then 'expression' end as generated,
       col_description(a.attrelid, a.attnum) as comment,
       (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = a.atttypid) as "enumValues"
from pg_attribute a
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum`;

const CONSTRAINTS = `
select k.conname as name,
       case k.contype when 'p' then 'primary key' when 'u' then 'unique' when 'f' then 'foreign key'
                      when 'c' then 'check' when 'x' then 'exclusion' end as kind,
       pg_get_constraintdef(k.oid, true) as definition,
       coalesce((select array_agg(a.attname::text order by u.n)
                 from unnest(k.conkey) with ordinality as u (attnum, n)
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum), '{}') as columns,
       case when k.contype = 'f' then (select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                                       where c.oid = k.confrelid) end as references,
       (select array_agg(a.attname::text order by u.n)
        from unnest(k.confkey) with ordinality as u (attnum, n)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.attnum) as "referencedColumns"
from pg_constraint k
where k.conrelid = $1::oid and k.contype in ('p', 'u', 'f', 'c', 'x')
order by array_position('{p,u,f,c,x}'::"char"[], k.contype), k.conname`;

const REFERENCED_BY = `
select n.nspname || '.' || c.relname as table,
       (select array_agg(a.attname::text order by u.n)
        from unnest(k.conkey) with ordinality as u (attnum, n)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum) as columns
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.confrelid = $1::oid and k.contype = 'f' and k.conparentid = 0
order by 1`;

const INDEXES = `
select c.relname as name, pg_get_indexdef(i.indexrelid) as definition, i.indisunique as unique, i.indisprimary as primary
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = $1::oid
order by i.indisprimary desc, c.relname`;

const output = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(relationKinds),
  comment: z.string().nullable(),
  estimatedRows: z.number().nullable(),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      nullable: z.boolean(),
      default: z.string().nullable().describe('The expression'),
      generated: z.enum(['identity', 'expression']).nullable().describe('Not to be given in an INSERT'),
      comment: z.string().nullable(),
      enumValues: z.array(z.string()).nullable(),
    }),
  ),
  constraints: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['primary key', 'unique', 'foreign key', 'check', 'exclusion']),
      definition: z.string(),
      columns: z.array(z.string()),
      references: z.string().nullable().describe('schema.table of a foreign key'),
      referencedColumns: z.array(z.string()).nullable(),
    }),
  ),
  referencedBy: z
    .array(z.object({ table: z.string(), columns: z.array(z.string()) }))
    .describe('Foreign keys of other tables'),
  indexes: z.array(z.object({ name: z.string(), definition: z.string(), unique: z.boolean(), primary: z.boolean() })),
  definition: z.string().nullable().describe('The SELECT of a view'),
});

/** Everything about one table or view. */
export type TableDescription = z.output<typeof output>;

/** Describes a readable table or view. @throws ToolError `undefined_table` */
export async function describeTable(
  transaction: Transaction,
  table: string,
  schema: string | undefined,
): Promise<TableDescription> {
  const { oid, ...names } = await findRelation(transaction, table, schema);
  type Part<K extends keyof TableDescription> = TableDescription[K] extends readonly (infer R)[] ? R : never;
  const [relation] = await transaction.rows<
    Pick<TableDescription, 'kind' | 'comment' | 'estimatedRows' | 'definition'>
  >(RELATION, [oid]);
  return {
    ...names,
    kind: relation?.kind ?? 'table',
    comment: relation?.comment ?? null,
    estimatedRows: relation?.estimatedRows ?? null,
    columns: [...(await transaction.rows<Part<'columns'>>(COLUMNS, [oid]))],
    constraints: [...(await transaction.rows<Part<'constraints'>>(CONSTRAINTS, [oid]))],
    referencedBy: [...(await transaction.rows<Part<'referencedBy'>>(REFERENCED_BY, [oid]))],
    indexes: [...(await transaction.rows<Part<'indexes'>>(INDEXES, [oid]))],
    definition: relation?.definition ?? null,
  };
}

/** `describe_table` */
export function describeTableTool({ read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'describe_table',
    title: 'Describe a table or view',
    description:
      'Shows columns with types, defaults, comments and enum values, the keys and other constraints, what refers to the table, its indexes, and the SELECT of a view. ' +
      'Use it before writing a statement. Names are as PostgreSQL keeps them: lower case unless they were quoted.',
    effect: 'read',
    input: z.object({
      table: objectName.describe('Without schema'),
      schema: objectName.optional().describe('Default: the first on the search path that has it'),
    }),
    output,
    run: ({ table, schema }, context) =>
      guarded(read, context, (transaction) => describeTable(transaction, table, schema)),
  });
}
