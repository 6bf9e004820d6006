import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { Transaction } from '../database.ts';

/** The name of a schema, table or other object as PostgreSQL keeps it: case matters, no quotes. */
export const objectName = z
  .string()
  .min(1)
  .max(63)
  .refine((value) => !value.includes('\0'), 'must not contain the character U+0000');

/** Kinds of relations that hold rows. */
export const relationKinds = ['table', 'view', 'materialized view', 'partitioned table', 'foreign table'] as const;

/** SQL for the kind of `pg_class c`. */
export const KIND = `case c.relkind when 'r' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
  when 'p' then 'partitioned table' when 'f' then 'foreign table' end`;

/** SQL condition: a relation with rows, in a schema of the users, that the role may read at least in part. */
export const READABLE = `c.relkind in ('r', 'v', 'm', 'p', 'f')
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and has_schema_privilege(n.oid, 'usage')
  and (has_table_privilege(c.oid, 'select') or has_any_column_privilege(c.oid, 'select'))`;

/** A relation found by name. */
export interface FoundRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
}

/**
 * Finds a readable relation; without a schema the first on the search path.
 * @throws ToolError `undefined_table` with near names
 */
export async function findRelation(
  transaction: Transaction,
  table: string,
  schema: string | undefined,
): Promise<FoundRelation> {
  const [found] = await transaction.rows<FoundRelation>(
    `select c.oid, n.nspname as schema, c.relname as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where ${READABLE} and c.relname = $1::text and (n.nspname = $2::text or ($2::text is null and pg_table_is_visible(c.oid)))
     limit 1`,
    [table, schema ?? null],
  );
  if (found !== undefined) return found;
  const near = await transaction.rows<{ readonly name: string }>(
    `select n.nspname || '.' || c.relname as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where ${READABLE} and (c.relname = $1::text or strpos(lower(c.relname), lower($2::text)) > 0)
     order by 1 limit 3`,
    [table, table.slice(0, 4)],
  );
  const names = near.map(({ name }) => name);
  throw new ToolError('undefined_table', 'there is no such table or view that this role may read', {
    hint: names.length === 0 ? 'list_tables shows what there is' : `Perhaps ${names.join(', ')}`,
    details: { suggestions: names },
  });
}
