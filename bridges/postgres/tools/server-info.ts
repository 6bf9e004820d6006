import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { Toolbox } from './toolbox.ts';

/** `server_info`: what this server is connected to, and within which limits. */
export function serverInfoTool({ settings, read, write }: Toolbox): DefinedTool {
  return defineTool({
    name: 'server_info',
    title: 'Show the database and the limits',
    description:
      'Shows the version and name of the database, the role in use and whether that role could do more than read, the limits of ' +
      'this server, and whether execute is enabled. Works also where the role is refused, and then says why.',
    effect: 'read',
    input: z.object({}),
    output: z.object({
      serverVersion: z.string(),
      database: z.string(),
      role: z.string(),
      roleIsReadOnly: z.boolean().describe('The role has no right to change anything'),
      warnings: z.array(z.string()).describe('What the role could do beyond reading'),
      refused: z.string().nullable().describe('Why statements are refused; null when they are not'),
      executeEnabled: z.boolean(),
      limits: z.object({
        maxRows: z.number().int(),
        maxBytes: z.number().int(),
        statementTimeoutMs: z.number().int(),
        lockTimeoutMs: z.number().int(),
        maxConnections: z.number().int(),
      }),
    }),
    run: async (_args, context) => {
      const report = await read.guard.report(context);
      const warnings = [...report.dangerous, ...report.canWrite];
      return {
        serverVersion: report.serverVersion,
        database: report.database,
        role: report.role,
        roleIsReadOnly: warnings.length === 0,
        warnings,
        refused: read.guard.refusal(report)?.message ?? null,
        executeEnabled: write !== undefined,
        limits: {
          maxRows: settings.maxRows,
          maxBytes: settings.maxBytes,
          statementTimeoutMs: settings.statementTimeoutMs,
          lockTimeoutMs: settings.lockTimeoutMs,
          maxConnections: settings.maxConnections,
        },
      };
    },
  });
}
