import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { requireReading } from '../statement.ts';
import { asTable, parameters, sqlText, tableShape } from './result-shape.ts';
import { guarded, type Toolbox } from './toolbox.ts';

const DEFAULT_ROWS = 200;

/** `query`: one reading statement. */
export function queryTool({ settings, read }: Toolbox): DefinedTool {
  const { maxRows, maxBytes } = settings;
  return defineTool({
    name: 'query',
    title: 'Run a reading SQL statement',
    description:
      'Runs exactly one SQL statement that reads (SELECT, WITH, VALUES, TABLE, SHOW, EXPLAIN) in a read-only transaction and ' +
      `returns its rows as objects. Put values into params and write $1, $2, … in the SQL. At most maxRows rows (default ${Math.min(DEFAULT_ROWS, maxRows)}, ` +
      `at most ${maxRows}) and ${maxBytes} bytes come back; truncated says that there was more, so aggregate, filter or add LIMIT rather ` +
      'than paging through everything. It cannot change anything: INSERT, UPDATE, DELETE, functions that write and transaction ' +
      'control are refused. Use describe_table first when the columns are not known.',
    effect: 'read',
    input: z.object({
      sql: sqlText.describe('One statement, without a second one after a semicolon'),
      params: parameters,
      maxRows: z
        .number()
        .int()
        .min(1)
        .max(maxRows)
        .default(Math.min(DEFAULT_ROWS, maxRows))
        .describe('Most rows to return'),
    }),
    output: z.object(tableShape),
    run: async (args, context) => {
      requireReading(args.sql);
      return guarded(read, context, async (transaction) =>
        asTable(transaction, await transaction.read(args.sql, args.params, { maxRows: args.maxRows, maxBytes })),
      );
    },
  });
}
