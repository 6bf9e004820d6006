import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { requireWriting } from '../statement.ts';
import { asTable, parameters, sqlText, tableShape } from './result-shape.ts';
import { guarded, type Toolbox, type Way } from './toolbox.ts';

const MAX_RETURNED = 200;
const CHANGING: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** `execute`: one statement that changes rows, under the writing role. */
export function executeTool({ settings }: Toolbox, write: Way): DefinedTool {
  return defineTool({
    name: 'execute',
    title: 'Change rows',
    description:
      'Runs exactly one INSERT, UPDATE, DELETE or MERGE in a transaction of its own and commits it. Values belong into params. Give expectedRows whenever the number is ' +
      'known: where another number of rows would change, nothing changes and the answer is row_count_mismatch. RETURNING rows come back, at most ' +
      `${MAX_RETURNED}. After the error outcome_unknown look at the rows before trying again.`,
    effect: 'write',
    destructive: true,
    input: z.object({
      sql: sqlText.describe('One statement, without a second one after a semicolon'),
      params: parameters,
      expectedRows: z
        .number()
        .int()
        .min(0)
        .max(1_000_000)
        .optional()
        .describe('Roll back unless exactly so many rows change'),
    }),
    output: z.object({ ...tableShape, affectedRows: z.number().int().describe('Rows inserted, changed or deleted') }),
    run: async ({ sql, params, expectedRows }, context) => {
      requireWriting(sql);
      return guarded(write, context, async (transaction) => {
        const limits = { maxRows: MAX_RETURNED, maxBytes: settings.maxBytes, toTheEnd: true };
        const done = await transaction.read(sql, params, limits);
        if (!CHANGING.has(done.command ?? '')) {
          throw new ToolError('statement_not_allowed', 'a statement that only selects is not run here', {
            hint: 'Let the statement after WITH be the one that changes rows, or use query',
          });
        }
        const affectedRows = done.affected;
        if (expectedRows !== undefined && affectedRows !== expectedRows) {
          throw new ToolError(
            'row_count_mismatch',
            `${affectedRows} rows would change, not ${expectedRows}: rolled back`,
            {
              hint: 'Check the condition with query, then call again with the right number',
              details: { affectedRows, expectedRows },
            },
          );
        }
        return { ...(await asTable(transaction, done)), affectedRows };
      });
    },
  });
}
