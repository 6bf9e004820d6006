import type { Resources } from '../../core/server-kit/resources.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { describeTable } from './tools/describe-table.ts';
import { summariesOf } from './tools/list-tables.ts';
import { guarded, type Toolbox } from './tools/toolbox.ts';

const PREFIX = 'postgres://tables/';
const PAGE = 200;

/** The address of a table's description; both names are percent-encoded. */
export function tableUri(schema: string, table: string): string {
  return `${PREFIX}${encodeURIComponent(schema)}/${encodeURIComponent(table)}`;
}

function parseUri(uri: string): { readonly schema: string; readonly table: string } {
  const parts = uri.startsWith(PREFIX) ? uri.slice(PREFIX.length).split('/') : [];
  try {
    const [schema, table] = parts.map(decodeURIComponent);
    if (parts.length === 2 && schema && table && !`${schema}${table}`.includes('\0')) return { schema, table };
  } catch {
    // a broken percent escape is no address of ours
  }
  throw notFound();
}

function notFound(): ToolError {
  return new ToolError('resource_not_found', 'there is no such table or view that this role may read');
}

/** Every readable table and view as a JSON description under a schema-qualified address. */
export function tableResources({ read }: Toolbox): Resources {
  return {
    templates: [
      {
        uriTemplate: `${PREFIX}{schema}/{table}`,
        name: 'table',
        description: 'Columns, keys, constraints and indexes of a table or view',
        mimeType: 'application/json',
      },
    ],
    list: async (cursor, context) => {
      const offset = cursor === undefined ? 0 : Number(cursor);
      if (!Number.isSafeInteger(offset) || offset < 0 || offset > 1_000_000) throw notFound();
      const found = await guarded(read, context, (transaction) => summariesOf(transaction, {}, PAGE, offset));
      return {
        resources: found.slice(0, PAGE).map(({ schema, name, kind, comment }) => ({
          uri: tableUri(schema, name),
          name: `${schema}.${name}`,
          title: name,
          description: comment ?? kind,
          mimeType: 'application/json',
        })),
        ...(found.length > PAGE ? { nextCursor: String(offset + PAGE) } : {}),
      };
    },
    read: async (uri, context) => {
      const { schema, table } = parseUri(uri);
      try {
        return await guarded(read, context, (transaction) => describeTable(transaction, table, schema));
      } catch (error) {
        throw error instanceof ToolError && error.code === 'undefined_table' ? notFound() : error;
      }
    },
  };
}
