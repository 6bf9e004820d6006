import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { READABLE } from './relations.ts';
import { guarded, type Toolbox } from './toolbox.ts';

interface Row {
  readonly name: string;
  readonly comment: string | null;
  readonly tables: number;
  readonly onSearchPath: boolean;
}

const SQL = `
select n.nspname as name, obj_description(n.oid, 'pg_namespace') as comment,
       count(c.oid) filter (where ${READABLE})::int as tables,
       n.nspname = any (current_schemas(false)) as "onSearchPath"
from pg_namespace n
left join pg_class c on c.relnamespace = n.oid
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege(n.oid, 'usage')
group by n.oid, n.nspname
order by n.nspname`;

/** `list_schemas` */
export function listSchemasTool({ read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_schemas',
    title: 'List schemas',
    description:
      'Lists the schemas this role may use, with the number of readable tables and views in each. Names on the search path need no schema in SQL.',
    effect: 'read',
    input: z.object({}),
    output: z.object({
      schemas: z.array(
        z.object({
          name: z.string(),
          comment: z.string().nullable(),
          tables: z.number().int().describe('Readable tables and views'),
          onSearchPath: z.boolean(),
        }),
      ),
    }),
    run: (_args, context) =>
      guarded(read, context, async (transaction) => ({ schemas: [...(await transaction.rows<Row>(SQL))] })),
  });
}
