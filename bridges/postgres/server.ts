import { Connections } from '../../core/postgres-kit/connections.ts';
import { serve } from '../../core/server-kit/serve.ts';
import { type Access, Database } from './database.ts';
import { tableResources } from './resources.ts';
import { RoleGuard } from './role.ts';
import { readSettings, type Settings } from './settings.ts';
import { describeTableTool } from './tools/describe-table.ts';
import { executeTool } from './tools/execute.ts';
import { explainTool } from './tools/explain.ts';
import { listIndexesTool } from './tools/list-indexes.ts';
import { listSchemasTool } from './tools/list-schemas.ts';
import { listTablesTool } from './tools/list-tables.ts';
import { queryTool } from './tools/query.ts';
import { searchObjectsTool } from './tools/search-objects.ts';
import { serverInfoTool } from './tools/server-info.ts';
import { tableStatsTool } from './tools/table-stats.ts';
import type { Toolbox, Way } from './tools/toolbox.ts';

/** Shorter than the bridge's patience after EOF, so that cancelling is done before it sends SIGTERM. */
const EOF_GRACE_MS = 800;

function way(url: string, access: Access, settings: Settings): Way {
  const { maxConnections: max, connectTimeoutMs } = settings;
  const connections = new Connections({ url, applicationName: 'mcp-bridge-postgres', max, connectTimeoutMs });
  const database = new Database(connections, access, settings);
  return { connections, database, guard: new RoleGuard(database, access, settings) };
}

await serve(() => {
  const settings = readSettings();
  const read = way(settings.readUrl, 'read', settings);
  const write = settings.writeUrl === undefined ? undefined : way(settings.writeUrl, 'write', settings);
  const toolbox: Toolbox = { settings, read, write };
  return {
    name: 'postgres',
    version: '0.1.0',
    instructions:
      'A PostgreSQL database. Look around with list_tables, search_objects and describe_table, then ask with query. Values belong into params.',
    tools: [
      queryTool(toolbox),
      explainTool(toolbox),
      listSchemasTool(toolbox),
      listTablesTool(toolbox),
      describeTableTool(toolbox),
      listIndexesTool(toolbox),
      tableStatsTool(toolbox),
      searchObjectsTool(toolbox),
      serverInfoTool(toolbox),
      ...(write === undefined ? [] : [executeTool(toolbox, write)]),
    ],
    resources: tableResources(toolbox),
    eofGraceMs: EOF_GRACE_MS,
    close: async () => {
      await Promise.all([read.connections.close(), write?.connections.close()]);
    },
  };
});
