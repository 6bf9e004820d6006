import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import manifest from '../../../bridges/memory/bridge.ts';
import { startSandbox } from '../../../bridges/memory/sandbox.ts';
import { startSandbox as startPostgres } from '../../../bridges/postgres/sandbox.ts';
import { sharePostgres } from '../../../core/postgres-kit/shared-postgres.ts';
import { openStdioServer } from '../../support/stdio-server.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-memory-'));
  await chmod(folder, 0o755); // as root PostgreSQL runs as another user, who has to walk in
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function keysIn(url: string | undefined): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`set memory_bridge.namespace = 'anonymous'`);
    return (await client.query('select key from memory_bridge.entries')).rows.map(({ key }) => key);
  } finally {
    await client.end();
  }
}

const ANYBODY = { principal: 'anonymous' };

test('it is seeded once, its example works, and what is forgotten there stays so over a restart', async () => {
  const dataDir = join(folder, 'data');
  {
    await using sandbox = await startSandbox({ dataDir });
    expect(sandbox.summary).toMatch(/^PostgreSQL 18\.\d+\.\d+ on 127\.0\.0\.1:\d+, some memories of an event planner$/);
    await using server = await openStdioServer('memory', sandbox.env);
    const { tool = '', arguments: args = {} } = manifest.example ?? {};
    const found = await server.call(tool, { ...args }, ANYBODY);
    expect(found.data.results[0]).toMatchObject({ key: 'client/hartmann/dietary' });
    expect((await server.call('memory_stats', {}, ANYBODY)).data).toMatchObject({ memories: 9, expiring: 1 });
    expect((await server.call('memory_stats', {}, { principal: 'planner' })).data).toMatchObject({ memories: 0 });
    await server.call('memory_forget', { keys: ['team/style'] }, ANYBODY);
  }
  await using again = await startSandbox({ dataDir });
  expect(await keysIn(again.env.MEMORY_DATABASE_URL)).toHaveLength(8);
});

test('it shares the PostgreSQL of the other bridge, at the same place whoever starts', async () => {
  const start = () =>
    Promise.all([
      startSandbox({ dataDir: join(folder, 'memory'), sharedDir: folder }),
      startPostgres({ dataDir: join(folder, 'postgres'), sharedDir: folder }),
    ]);
  const portOf = (url = '') => new URL(url).port;
  {
    const [memory, postgres] = await start();
    await using _memory = memory;
    await using server = await openStdioServer('memory', memory.env);
    expect(portOf(memory.env.MEMORY_DATABASE_URL)).toBe(portOf(postgres.env.DATABASE_URL));
    expect(await readdir(folder)).toEqual(['postgres']);
    // The one that is left keeps it running.
    await postgres[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    expect((await server.call('memory_remember', { key: 'mine', text: 'x' }, ANYBODY)).isError).toBe(false);
  }
  await using alone = await startSandbox({ dataDir: join(folder, 'memory'), sharedDir: folder });
  expect(await keysIn(alone.env.MEMORY_DATABASE_URL)).toContain('mine');
});

test('a shared PostgreSQL is stopped by the last who lets go, and started by the next who asks', async () => {
  const dataDir = join(folder, 'data');
  const first = await sharePostgres({ dataDir, durable: false });
  const second = await sharePostgres({ dataDir, durable: false });
  expect(second.server.port).toBe(first.server.port);
  await first[Symbol.asyncDispose]();
  const stopping = second[Symbol.asyncDispose]();
  await using third = await sharePostgres({ dataDir, durable: false });
  await stopping;
  expect(third.server.folder).toBe(dataDir);
});

test('users who are let in at the same time are all remembered', async () => {
  await using shared = await sharePostgres({ dataDir: join(folder, 'data'), durable: false });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const client = new pg.Client({ connectionString: shared.server.url() });
  await client.connect();
  for (const name of names) await client.query(`create role ${name}`);
  await client.end();
  await Promise.all(names.map((name) => shared.server.allow(name)));
  const file = join(shared.server.folder, 'cluster', 'fleet-passwords.json');
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8'))).sort()).toEqual([...names, 'postgres']);
});
