import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/postgres/sandbox.ts';
import { startEmbeddedPostgres } from '../../../core/postgres-kit/embedded-postgres.ts';
import { until } from '../../support/until.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-pg-'));
  await chmod(folder, 0o755);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function ask(url: string | undefined, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('the sandbox is seeded once, and its data outlive a restart', async () => {
  const dataDir = join(folder, 'data');
  {
    await using sandbox = await startSandbox({ dataDir });
    expect(sandbox.summary).toMatch(/^PostgreSQL 18\.\d+\.\d+ on 127\.0\.0\.1:\d+, an event planner's database$/);
    expect(await ask(sandbox.env.DATABASE_URL, 'select count(*)::int as n from events')).toEqual([{ n: 12 }]);
    await ask(sandbox.env.POSTGRES_WRITE_URL, "update events set title = 'Renamed' where id = 1");
    await expect(ask(sandbox.env.DATABASE_URL, "update events set title = 'x'")).rejects.toMatchObject({
      code: '25006',
    });
    await expect(
      ask(sandbox.env.DATABASE_URL, "begin read write; update events set title = 'x'"),
    ).rejects.toMatchObject({ code: '42501' });
    for (const reach of ['select pg_terminate_backend(1)', "select pg_logical_emit_message(false, 'a', 'b')"]) {
      await expect(ask(sandbox.env.DATABASE_URL, reach)).rejects.toMatchObject({ code: '42501' });
    }
    await expect(ask(sandbox.env.POSTGRES_WRITE_URL, 'drop table events')).rejects.toMatchObject({ code: '42501' });
  }
  await using again = await startSandbox({ dataDir });
  expect(await ask(again.env.DATABASE_URL, 'select title from events where id = 1')).toEqual([{ title: 'Renamed' }]);
});

test('passwords are random, kept readable by this user only, and asked for', async () => {
  await using server = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), durable: false });
  const file = join(server.folder, 'cluster', 'fleet-passwords.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ postgres: expect.stringMatching(/^[0-9a-f]{32}$/) });
  const without = new URL(server.url());
  without.password = 'guess';
  await expect(ask(without.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  expect(await ask(server.url(), 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
});

test('two at once each get a cluster of their own, and the second says so', async () => {
  const dataDir = join(folder, 'data');
  const [one, two] = await Promise.all([
    startEmbeddedPostgres({ dataDir, durable: false }),
    startEmbeddedPostgres({ dataDir, durable: false }),
  ]);
  await using _one = one;
  await using _two = two;
  expect(new Set([one.folder, two.folder])).toEqual(new Set([dataDir, `${dataDir}-2`]));
  expect([...one.notes, ...two.notes].join()).toContain('another process uses');
  for (const server of [one, two]) {
    await server.stop();
    await using again = await startEmbeddedPostgres({ dataDir: server.folder, durable: false });
    expect(await ask(again.url(), 'select 1 as n')).toEqual([{ n: 1 }]);
  }
});

test('it ends when its owner is killed, and the next one takes the data over', async () => {
  const dataDir = join(folder, 'data');
  const module = new URL('../../../core/postgres-kit/embedded-postgres.ts', import.meta.url).href;
  const script = `const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: false });
    console.log('up'); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(owner.stdout, 'data');
  const pid = Number((await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[0]);
  owner.kill('SIGKILL');
  await once(owner, 'close');
  await until('PostgreSQL has ended', () => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
  await using next = await startEmbeddedPostgres({ dataDir, durable: false });
  expect(next).toMatchObject({ folder: dataDir, fresh: false });
});

test('a pid file that a crash left behind, with a pid that is somebody else by now, is no obstacle', async () => {
  const dataDir = join(folder, 'data');
  const first = await startEmbeddedPostgres({ dataDir, durable: false });
  await first.stop();
  await writeFile(join(dataDir, 'cluster', 'postmaster.pid'), `${process.pid}\n${dataDir}\n0\n1\n`);
  await using again = await startEmbeddedPostgres({ dataDir, durable: false });
  expect(again).toMatchObject({ folder: dataDir, fresh: false });
});

test.runIf(process.getuid?.() === 0)(
  'as root it works below a folder that others cannot reach, and says where',
  async () => {
    await mkdir(join(folder, 'private'), { mode: 0o700 });
    const server = await startEmbeddedPostgres({ dataDir: join(folder, 'private', 'data'), durable: false });
    try {
      expect(server.notes.join()).toContain('below the temporary folder');
      expect(await ask(server.url(), 'select 1 as n')).toEqual([{ n: 1 }]);
    } finally {
      await server.stop();
      await rm(server.folder, { recursive: true, force: true });
    }
  },
);
