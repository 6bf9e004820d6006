import type { BridgeManifest } from '../../core/manifest.ts';

const CATALOGUE = { effect: 'read', deadlineMs: 10_000 } as const;

/** PostgreSQL: questions to a database under a read-only role, and single changes where they are enabled. */
const postgres: BridgeManifest = {
  name: 'postgres',
  title: 'PostgreSQL',
  description: 'Reads a PostgreSQL database safely; changes rows only where a writing role is configured.',
  server: { module: new URL('./server.ts', import.meta.url) },
  environment: [
    {
      name: 'DATABASE_URL',
      required: true,
      secret: true,
      help: 'connection string of a role that can only read, postgres://user:password@host:5432/database',
    },
    {
      name: 'POSTGRES_WRITE_URL',
      required: false,
      secret: true,
      help: 'connection string of a role that may change rows; turns on the tool execute',
    },
    { name: 'POSTGRES_POOL_MAX', required: false, secret: false, help: 'connections per worker, 4' },
    { name: 'POSTGRES_MAX_ROWS', required: false, secret: false, help: 'most rows a caller may ask for, 1000' },
    { name: 'POSTGRES_MAX_BYTES', required: false, secret: false, help: 'most bytes of rows in an answer, 1048576' },
    { name: 'POSTGRES_STATEMENT_TIMEOUT_MS', required: false, secret: false, help: 'longest statement, 30000' },
    { name: 'POSTGRES_LOCK_TIMEOUT_MS', required: false, secret: false, help: 'longest wait for a lock, 5000' },
    {
      name: 'POSTGRES_CONNECT_TIMEOUT_MS',
      required: false,
      secret: false,
      help: 'longest wait for a connection, 5000',
    },
    {
      name: 'POSTGRES_REQUIRE_READONLY_ROLE',
      required: false,
      secret: false,
      help: 'true refuses to work when the role of DATABASE_URL could write',
    },
    {
      name: 'POSTGRES_ALLOW_SUPERUSER',
      required: false,
      secret: false,
      help: 'true works even as a superuser, for whom a read-only transaction is no boundary',
    },
  ],
  tools: {
    query: { effect: 'read', deadlineMs: 30_000 },
    explain: CATALOGUE,
    list_schemas: CATALOGUE,
    list_tables: CATALOGUE,
    describe_table: CATALOGUE,
    list_indexes: CATALOGUE,
    table_stats: CATALOGUE,
    search_objects: CATALOGUE,
    server_info: CATALOGUE,
    execute: { effect: 'write', deadlineMs: 30_000, idempotencyKey: 'optional' },
  },
  example: { tool: 'query', arguments: { sql: 'select * from events order by starts_at limit 3' } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default postgres;
