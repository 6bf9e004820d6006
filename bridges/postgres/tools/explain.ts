import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { requireReading } from '../statement.ts';
import { parameters, sqlText } from './result-shape.ts';
import { guarded, type Toolbox } from './toolbox.ts';

const MAX_PLAN_ROWS = 5_000;

/** `explain`: the plan of a statement that is not run. */
export function explainTool({ settings, read }: Toolbox): DefinedTool {
  return defineTool({
    name: 'explain',
    title: 'Show how a statement would be run',
    description:
      'Shows the query plan of one reading statement without running it (never ANALYZE): which indexes are used, in which order ' +
      'tables are joined, and the estimated cost and rows. Use it when query is slow or timed out. format json gives the plan as a tree, text as lines.',
    effect: 'read',
    input: z.object({
      sql: sqlText.describe('The statement itself, without EXPLAIN before it'),
      params: parameters,
      format: z.enum(['text', 'json']).default('text'),
    }),
    output: z.object({
      format: z.enum(['text', 'json']),
      plan: z.union([z.string(), z.array(z.record(z.string(), z.unknown()))]),
      totalCost: z.number().nullable().describe('The estimate for the whole statement, in the units of the planner'),
      estimatedRows: z.number().nullable(),
    }),
    run: async ({ sql, params, format }, context) => {
      requireReading(sql);
      const prefix = `EXPLAIN (FORMAT ${format === 'json' ? 'JSON' : 'TEXT'}) `;
      return guarded(read, context, async (transaction) => {
        const limits = { maxRows: MAX_PLAN_ROWS, maxBytes: settings.maxBytes };
        const { rows } = await transaction.read(`${prefix}${sql}`, params, limits, prefix.length);
        const lines = rows.map((row) => row['QUERY PLAN']);
        if (format === 'json') {
          const plan = lines[0] as Record<string, unknown>[];
          const root = plan[0]?.Plan as Readonly<Record<string, unknown>> | undefined;
          return { format, plan, totalCost: number(root?.['Total Cost']), estimatedRows: number(root?.['Plan Rows']) };
        }
        const plan = lines.join('\n');
        const estimate = /cost=[\d.]+\.\.([\d.]+) rows=(\d+)/.exec(plan);
        return { format, plan, totalCost: number(Number(estimate?.[1])), estimatedRows: number(Number(estimate?.[2])) };
      });
    },
  });
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
