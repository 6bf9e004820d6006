import type { BridgeManifest } from '../../core/manifest.ts';

const READ = { effect: 'read', deadlineMs: 10_000 } as const;
/** A keyed call is written down beside what it changed, so that it runs once and can be asked about for ever. */
const KEYED = { deadlineMs: 10_000, idempotencyKey: 'optional', vendorKey: true, reconcile: true } as const;

/** Memory: texts that each caller keeps for itself, in PostgreSQL, found again by key, tag and words. */
const memory: BridgeManifest = {
  name: 'memory',
  title: 'Memory',
  description: 'Remembers texts for each caller by itself and finds them again by key, tag and words.',
  server: { module: new URL('./server.ts', import.meta.url) },
  principalMeta: true,
  environment: [
    {
      name: 'MEMORY_DATABASE_URL',
      required: true,
      secret: true,
      help: 'connection string of a PostgreSQL role that keeps the memory, postgres://user:password@host:5432/database; the README lists its grants',
    },
    {
      name: 'MEMORY_MAX_ENTRIES',
      required: false,
      secret: false,
      help: 'most memories that one caller may have, 10000',
    },
    {
      name: 'MEMORY_LANGUAGE',
      required: false,
      secret: false,
      help: 'text search configuration of PostgreSQL, e.g. german or simple; english',
    },
    { name: 'MEMORY_POOL_MAX', required: false, secret: false, help: 'connections per worker, 4' },
  ],
  tools: {
    memory_remember: { effect: 'write', ...KEYED },
    memory_recall: READ,
    memory_search: READ,
    memory_list: READ,
    memory_update: { effect: 'idempotent', ...KEYED },
    memory_forget: { effect: 'idempotent', ...KEYED },
    memory_stats: READ,
  },
  example: { tool: 'memory_search', arguments: { query: 'vegetarian menu', match: 'any' } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default memory;
