import { serve } from '../../core/server-kit/serve.ts';
import { Connections } from './connections.ts';
import { type Access, Database } from './database.ts';
import { RoleGuard } from './role.ts';
import { readSettings, type Settings } from './settings.ts';
import { queryTool } from './tools/query.ts';
import { serverInfoTool } from './tools/server-info.ts';
import type { Toolbox, Way } from './tools/toolbox.ts';

function way(url: string, access: Access, settings: Settings): Way {
  const { maxConnections: max, connectTimeoutMs } = settings;
  const connections = new Connections({ url, max, connectTimeoutMs });
  const database = new Database(connections, access, settings);
  return { connections, database, guard: new RoleGuard(database, access, settings) };
}

await serve(() => {
  const settings = readSettings();
  const toolbox: Toolbox = {
    settings,
    read: way(settings.readUrl, 'read', settings),
    write: settings.writeUrl === undefined ? undefined : way(settings.writeUrl, 'write', settings),
  };
  return {
    name: 'postgres',
    version: '0.1.0',
    instructions:
      'A PostgreSQL database. Look around with list_tables, search_objects and describe_table, then ask with query. Values belong into params.',
    tools: [queryTool(toolbox), serverInfoTool(toolbox)],
    eofGraceMs: 800,
    close: async () => {
      await Promise.all([toolbox.read.connections.close(), toolbox.write?.connections.close()]);
    },
  };
});
