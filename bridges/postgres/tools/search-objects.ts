import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { KIND, READABLE } from './relations.ts';
import { guarded, type Toolbox } from './toolbox.ts';

const kinds = ['table', 'column', 'function', 'index', 'type'] as const;

interface Row {
  readonly kind: (typeof kinds)[number];
  readonly schema: string;
  readonly name: string;
  readonly on: string | null;
  readonly detail: string | null;
  readonly comment: string | null;
}

/** `$1` is matched as part of the name or comment, without regard to case, and no character of it is special. */
const SQL = `
with found as (
  select 'table' as kind, n.nspname as schema, c.relname as name, null as on, ${KIND} as detail, obj_description(c.oid, 'pg_class') as comment
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${READABLE}
  union all
  select 'column', n.nspname, a.attname, c.relname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where ${READABLE} and a.attnum > 0 and not a.attisdropped
  union all
  select 'function', n.nspname, p.proname, null, pg_get_function_identity_arguments(p.oid), obj_description(p.oid, 'pg_proc')
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not in ('pg_catalog', 'information_schema') and has_schema_privilege(n.oid, 'usage')
  union all
  select 'index', n.nspname, x.relname, c.relname, pg_get_indexdef(i.indexrelid), obj_description(x.oid, 'pg_class')
  from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
  where ${READABLE}
  union all
  select 'type', n.nspname, t.typname, null,
         (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid), obj_description(t.oid, 'pg_type')
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
  where t.typtype in ('e', 'd') and n.nspname not in ('pg_catalog', 'information_schema') and has_schema_privilege(n.oid, 'usage')
)
select * from found
where (strpos(lower(name), lower($1::text)) > 0 or strpos(lower(coalesce(comment, '')), lower($1::text)) > 0)
  and ($2::text[] is null or kind = any ($2::text[]))
order by lower(name) <> lower($1::text), array_position('{table,column,function,index,type}'::text[], kind), length(name), name, schema, "on"
limit $3::int`;

/** `search_objects` */
export function searchObjectsTool({ read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'search_objects',
    title: 'Search tables, columns and other objects',
    description:
      'Finds tables, views, columns, functions, indexes and types whose name or comment contains a text. Use it to learn where something is kept when list_tables is too long.',
    effect: 'read',
    input: z.object({
      text: z
        .string()
        .min(1)
        .max(100)
        .refine((value) => !value.includes('\0'), 'must not contain the character U+0000')
        .describe('Part of a name or comment; upper and lower case are the same, no wildcards'),
      kinds: z.array(z.enum(kinds)).min(1).optional(),
      limit: z.number().int().min(1).max(200).default(50),
    }),
    output: z.object({
      objects: z.array(
        z.object({
          kind: z.enum(kinds),
          schema: z.string(),
          name: z.string(),
          on: z.string().nullable().describe('The table of a column or index'),
          detail: z
            .string()
            .nullable()
            .describe('The type of a column, the arguments of a function, the values of an enum'),
          comment: z.string().nullable(),
        }),
      ),
      truncated: z.boolean(),
    }),
    run: ({ text, kinds: wanted, limit }, context) =>
      guarded(read, context, async (transaction) => {
        const found = await transaction.rows<Row>(SQL, [text, wanted ?? null, limit + 1]);
        return { objects: found.slice(0, limit), truncated: found.length > limit };
      }),
  });
}
