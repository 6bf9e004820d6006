/**
 * `@bytebase/dbhub` in the place of the bridge `postgres`, without a line of code. An operator writes the same config
 * with `"command": "npx", "args": ["-y", "@bytebase/dbhub@1.4.0", "--transport", "stdio", "--config", "dbhub.toml"]` (or
 * the path of an installed copy, which starts faster), a `dbhub.toml` like the one below, and the connection string of a
 * role that may only read. Its settings are read-only by that file alone: the flag is gone, and without it `execute_sql`
 * writes.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { installed } from './installed.ts';
import { effectsOf, endsClean, type Swapped, type SwappedAnswer, swap } from './swapped.ts';

/** DBHub puts the environment's values in itself, so that no password is in the file. */
const TOML = `
[[sources]]
id = "planner"
dsn = "\${DATABASE_URL}"
query_timeout = 5

[[tools]]
name = "execute_sql"
source = "planner"
readonly = true
max_rows = 50

[[tools]]
name = "search_objects"
source = "planner"
`;

let postgres: TestPostgres;
let folder: string;
let dbhub: Swapped;

const rowsOf = ({ said }: SwappedAnswer): unknown => JSON.parse(said).data.statements[0].rows;

const guests = async (): Promise<number> => {
  const rows = await postgres.admin<{ n: number }>('select count(*)::int as n from guests', [], 'planner');
  return rows[0]?.n ?? -1;
};

beforeAll(async () => {
  const entry = join(installed('@bytebase/dbhub'), 'dist/index.js');
  postgres = await startTestPostgres();
  const url = await postgres.createDatabase('planner', 'owner');
  await postgres.admin(
    `create table guests (id int primary key, name text); alter table guests owner to owner;
     insert into guests select n, 'Guest ' || n from generate_series(1, 80) n`,
    undefined,
    'planner',
  );
  folder = await mkdtemp(join(tmpdir(), 'fleet-dbhub-'));
  await writeFile(join(folder, 'dbhub.toml'), TOML);
  dbhub = await swap(
    'postgres',
    {
      command: process.execPath,
      args: [entry, '--transport', 'stdio', '--config', 'dbhub.toml'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how the operator writes it.
      env: { DATABASE_URL: '${DATABASE_URL}' },
      cwd: folder,
      pool: { startDeadlineMs: 30_000 },
      tools: { execute_sql: { effect: 'read' }, search_objects: { effect: 'read' } },
    },
    { DATABASE_URL: url },
  );
}, 240_000);

afterAll(async () => {
  await dbhub?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

it('lists its two tools with the effects of the config', async () => {
  expect(await effectsOf(dbhub)).toEqual({ execute_sql: 'read', search_objects: 'read' });
});

it('answers a select, with no more rows than the file allows', async () => {
  const one = await dbhub.call('execute_sql', { sql: 'select name from guests where id = 7' });
  expect([one.status, one.isError]).toEqual([200, false]);
  expect(rowsOf(one)).toEqual([{ name: 'Guest 7' }]);
  expect(rowsOf(await dbhub.call('execute_sql', { sql: 'select id from guests' }))).toHaveLength(50);
});

it('looks around', async () => {
  const found = await dbhub.call('search_objects', { object_type: 'table', pattern: 'gue%' });
  expect([found.isError, found.said.includes('guests')]).toEqual([false, true]);
});

it.each([
  ['an INSERT', "insert into guests values (99, 'x')"],
  ['a second statement', 'commit; delete from guests'],
  ['a SELECT that deletes', 'with gone as (delete from guests returning id) select * from gone'],
])('refuses %s, and nothing changes', async (_, sql) => {
  const before = await guests();
  const refused = await dbhub.call('execute_sql', { sql });
  expect([refused.status, refused.isError]).toEqual([200, true]);
  expect(JSON.parse(refused.said)).toMatchObject({ success: false, code: 'READONLY_VIOLATION' });
  expect(await guests()).toBe(before);
});

it("hands the database's own error on", async () => {
  const wrong = await dbhub.call('execute_sql', { sql: 'select nothing_such from guests' });
  expect([wrong.status, wrong.isError, wrong.said.includes('nothing_such')]).toEqual([200, true, true]);
});

it('ends with the fleet, and leaves no process and no connection', async () => {
  await endsClean(dbhub);
  const left = await postgres.admin(`select pid from pg_stat_activity where usename = 'owner'`);
  expect(left).toEqual([]);
});
