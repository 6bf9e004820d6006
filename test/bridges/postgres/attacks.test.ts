import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../../../bridges/postgres/database.ts';
import { Connections } from '../../../core/postgres-kit/connections.ts';
import { createLog } from '../../../core/server-kit/log.ts';
import { openContext } from '../../../core/server-kit/tool-context.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type OpenServer, openServer } from './open-server.ts';

/**
 * Every attack runs as the OWNER of the tables, who could do all of it: what refuses is the server, not the grants.
 * Whether it was refused is judged by looking at the database from another connection.
 */
let postgres: TestPostgres;
let server: OpenServer;
let connections: Connections;
let database: Database;
let ownerUrl: string;

const SCHEMA = `
  create table victim (id integer primary key, note text);
  insert into victim select n, 'row ' || n from generate_series(1, 5) n;
  create sequence counter;
  create table big as select n as id, repeat('x', 80) as filler from generate_series(1, 5000) n;
  create function delete_all() returns integer language sql as 'delete from victim; select 1';
  create function defined_delete() returns void language plpgsql security definer as 'begin delete from victim; end';
  create procedure commit_and_delete() language plpgsql as 'begin commit; delete from victim; commit; end';
  create function writable_delete() returns integer language plpgsql as $$
    begin perform set_config('transaction_read_only', 'off', true); delete from victim; return 1; end $$;
`;

beforeAll(async () => {
  postgres = await startTestPostgres();
  ownerUrl = await postgres.createDatabase('attacked', 'owner');
  await postgres.admin('create extension dblink', undefined, 'attacked');
  const client = new (await import('pg')).default.Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query(SCHEMA);
  await client.end();
  server = await openServer({ DATABASE_URL: ownerUrl });
  connections = new Connections({ url: ownerUrl, applicationName: 'test', max: 1, connectTimeoutMs: 5_000 });
  database = new Database(connections, 'read', { statementTimeoutMs: 5_000, lockTimeoutMs: 1_000 });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await connections?.close();
  await postgres?.[Symbol.asyncDispose]();
});

/** All that an attack could have changed. */
async function state() {
  const [facts] = await postgres.admin(
    `select (select string_agg(victim::text, ';' order by id) from victim) as rows,
            (select last_value || ' ' || is_called from counter) as counter,
            (select string_agg(relname, ',' order by relname) from pg_class where relnamespace = 'public'::regnamespace) as relations,
            (select count(*)::int from pg_largeobject_metadata) as "largeObjects",
            (select count(*)::int from pg_locks where locktype = 'advisory') as "advisoryLocks",
            (select setconfig::text from pg_db_role_setting s join pg_roles r on r.oid = s.setrole where r.rolname = 'owner') as settings`,
    undefined,
    'attacked',
  );
  return facts;
}

/** The inner layers alone: without the look at the first word that the tool takes before. */
async function runBare(sql: string): Promise<unknown> {
  using open = openContext({
    effect: 'read',
    meta: undefined,
    cancelled: new AbortController().signal,
    ending: new AbortController().signal,
    log: createLog({}, () => undefined),
  });
  return database.transaction(open.context, (transaction) =>
    transaction.read(sql, [], { maxRows: 100, maxBytes: 100_000 }),
  );
}

const ATTACKS: readonly (readonly [string, string])[] = [
  ['a plain INSERT', "insert into victim values (99, 'x')"],
  ['an UPDATE', "update victim set note = 'x'"],
  ['a DELETE behind a comment', '/* select */ -- select\n delete from victim'],
  ['a DELETE behind a nested comment', '/* /* select */ */ delete from victim'],
  ['COMMIT and DROP TABLE', 'COMMIT; DROP TABLE victim'],
  ['COMMIT and DROP TABLE behind a SELECT', 'select 1; COMMIT; DROP TABLE victim'],
  [
    'ROLLBACK, BEGIN READ WRITE, INSERT, COMMIT',
    "ROLLBACK; BEGIN READ WRITE; INSERT INTO victim VALUES (99, 'x'); COMMIT",
  ],
  ['a DELETE in a CTE', 'with d as (delete from victim returning *) select * from d'],
  ['a function that deletes', 'select delete_all()'],
  ['a SECURITY DEFINER function that deletes', 'select defined_delete()'],
  ['a procedure that commits and deletes', 'call commit_and_delete()'],
  ['a function that makes the transaction writable', 'select writable_delete()'],
  [
    'set_config to make the transaction writable',
    "select set_config('transaction_read_only', 'off', true), delete_all()",
  ],
  [
    'set_config in the FROM clause',
    "select delete_all() from (select set_config('transaction_read_only', 'off', false)) s",
  ],
  ['SET TRANSACTION READ WRITE', 'SET TRANSACTION READ WRITE'],
  ['SET SESSION CHARACTERISTICS', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'],
  ['EXPLAIN ANALYZE of a DELETE', 'explain analyze delete from victim'],
  ['EXPLAIN with the option ANALYZE', 'explain (analyze, format json) delete from victim'],
  ['nextval', "select nextval('counter')"],
  ['setval', "select setval('counter', 1000)"],
  ['SELECT INTO', 'select * into stolen from victim'],
  ['CREATE TABLE AS', 'create table stolen as select * from victim'],
  ['TRUNCATE', 'truncate victim'],
  ['a DO block', 'do $$ begin delete from victim; end $$'],
  ['a DO block that commits', 'do $$ begin commit; delete from victim; commit; end $$'],
  ['PREPARE of a DELETE', 'prepare p as delete from victim'],
  ['a row lock', 'select * from victim for update'],
  ['ALTER ROLE', "alter role owner set search_path = 'x'"],
  ['a large object', 'select lo_create(0)'],
  ['a large object from bytes', "select lo_from_bytea(0, 'x')"],
  ['lo_import', "select lo_import('/etc/passwd')"],
  ['COPY TO PROGRAM', "copy (select 1) to program 'touch /tmp/fleet-attack-program'"],
  ['COPY FROM PROGRAM', "copy victim from program 'echo 99'"],
  ['COPY to a file', "copy victim to '/tmp/fleet-attack-file'"],
  ['COPY to the client', 'copy victim to stdout'],
  ['COPY from the client', 'copy victim from stdin'],
  ['dblink without a password', "select dblink_exec('dbname=attacked', 'delete from victim')"],
  ['an advisory lock', 'select pg_advisory_lock(42)'],
  ['NOTIFY with a payload', "notify attack, 'x'"],
  ['a bare COMMIT', 'commit'],
  ['a bare COMMIT AND CHAIN', 'commit and chain'],
  ['DISCARD ALL', 'discard all'],
  ['a zero byte that hides a second statement', 'select 1\0; delete from victim'],
];

/** Those that change nothing and are allowed; all others must be answered with an error. */
const HARMLESS = new Set(['an advisory lock']);

describe('the tool query, by the owner of the tables', () => {
  test.each(ATTACKS)('changes nothing: %s', async (name, sql) => {
    const before = await state();
    const answer = await server.call('query', { sql });
    expect(answer.isError).toBe(!HARMLESS.has(name));
    expect(await state()).toEqual(before);
    expect((await server.call('query', { sql: 'select count(*)::int as n from victim' })).data.rows).toEqual([
      { n: 5 },
    ]);
  });

  test('refuses writes also where it explains', async () => {
    const before = await state();
    for (const sql of ['analyze delete from victim', '(analyze) select delete_all()', 'select 1; delete from victim']) {
      expect((await server.call('explain', { sql })).isError).toBe(true);
    }
    expect(await state()).toEqual(before);
  });

  test('leaves no file behind', () => {
    expect(existsSync('/tmp/fleet-attack-program') || existsSync('/tmp/fleet-attack-file')).toBe(false);
  });
});

describe('the read-only transaction alone, without the look at the first word', () => {
  /** What the transaction itself lets through without harm. */
  test.each(ATTACKS.filter(([name]) => !name.startsWith('a zero byte')))('changes nothing: %s', async (_name, sql) => {
    const before = await state();
    await runBare(sql).catch(() => undefined);
    await runBare('select 1');
    expect(await state()).toEqual(before);
    await expect(runBare("insert into victim values (99, 'x')")).rejects.toMatchObject({ code: 'read_only' });
  });
});

describe('what a call leaves behind', () => {
  test.each([
    ['search_path', "select set_config('search_path', 'pg_catalog', false)", 'show search_path'],
    [
      'statement_timeout',
      "select set_config('statement_timeout', '0', false)",
      "select current_setting('statement_timeout') = '0' as off",
    ],
    ['the role', "select set_config('role', 'none', false)", 'select current_user'],
  ])('is nothing of %s', async (_name, change, look) => {
    const before = (await server.call('query', { sql: look })).data;
    await server.call('query', { sql: change });
    for (let n = 0; n < 5; n += 1) expect((await server.call('query', { sql: look })).data).toEqual(before);
  });

  test('is no setting, even where the statement ended the transaction', async () => {
    await runBare("set search_path = 'pg_catalog'").catch(() => undefined);
    await runBare('commit').catch(() => undefined);
    await expect(runBare('show search_path')).resolves.toMatchObject({ rows: [{ search_path: '"$user", public' }] });
  });

  test('is no advisory lock', async () => {
    await runBare('select pg_advisory_lock(7)');
    await runBare('select 1');
    const [free] = await postgres.admin('select pg_try_advisory_lock(7) as free', undefined, 'attacked');
    expect(free).toEqual({ free: true });
  });

  test('is no prepared statement and no cursor', async () => {
    await runBare('prepare left_behind as select 1').catch(() => undefined);
    await expect(runBare('select name from pg_prepared_statements')).resolves.toMatchObject({ rows: [] });
    await expect(runBare('select name from pg_cursors')).resolves.toMatchObject({ rows: [{}] });
  });
});

describe('large results', () => {
  test('a table of 5000 rows is cut at maxRows and says so', async () => {
    const answer = await server.call('query', { sql: 'select * from big order by id', maxRows: 50 });
    expect(answer.data).toMatchObject({ rowCount: 50, truncated: true });
    expect(answer.data.rows.at(-1)).toMatchObject({ id: 50 });
    expect((await server.call('query', { sql: 'select * from big' })).data).toMatchObject({
      rowCount: 200,
      truncated: true,
    });
  });

  test('a result of exactly maxRows rows is not called truncated', async () => {
    const answer = await server.call('query', { sql: 'select * from big order by id limit 50', maxRows: 50 });
    expect(answer.data).toMatchObject({ rowCount: 50, truncated: false });
  });

  test('a million long rows stay within bytes and memory', async () => {
    const before = server.rssBytes();
    const sql = "select n, repeat('x', 4000) as filler from generate_series(1, 1000000) n";
    const answer = await server.call('query', { sql, maxRows: 1_000 });
    expect(answer.data.truncated).toBe(true);
    expect(Buffer.byteLength(JSON.stringify(answer.data.rows))).toBeLessThanOrEqual(1_048_576);
    expect(server.rssBytes() - before).toBeLessThan(100 * 1024 * 1024);
  });

  test.each([
    ['a value of 30 MB', "select repeat(repeat('x', 1000), 30000) as filler"],
    ['a row larger than the limit', "select repeat('x', 2000000) as filler"],
  ])('%s is refused, not read', async (_name, sql) => {
    const before = server.rssBytes();
    const answer = await server.call('query', { sql });
    expect(answer.data.error).toMatchObject({ code: 'result_too_large', retryable: false });
    expect(server.rssBytes() - before).toBeLessThan(100 * 1024 * 1024);
    expect((await server.call('query', { sql: 'select 1 as one' })).data.rows).toEqual([{ one: 1 }]);
  });

  test('a result without columns or rows is an answer too', async () => {
    expect((await server.call('query', { sql: 'select' })).data).toMatchObject({ columns: [], rowCount: 1 });
    expect((await server.call('query', { sql: 'select 1 where false' })).data).toMatchObject({ rowCount: 0, rows: [] });
  });
});

describe('the role', () => {
  test('that could write is worked with, said on stderr and in server_info', async () => {
    const { data } = await server.call('server_info');
    expect(data).toMatchObject({ roleIsReadOnly: false, refused: null, executeEnabled: false });
    expect(data.warnings).toContain('may reach other databases through dblink');
    expect(server.stderr()).toContain('could do more than read');
  });

  test('that could write is refused where that is asked for', async () => {
    await using strict = await openServer({ DATABASE_URL: ownerUrl, POSTGRES_REQUIRE_READONLY_ROLE: 'true' });
    expect((await strict.call('query', { sql: 'select 1' })).data.error).toMatchObject({ code: 'role_refused' });
    expect((await strict.call('list_tables')).isError).toBe(true);
    expect((await strict.call('server_info')).data.refused).toMatch(/owns \d+ tables/);
  });

  test('of a superuser is refused', async () => {
    await using strict = await openServer({ DATABASE_URL: postgres.url });
    expect((await strict.call('query', { sql: 'select 1' })).data.error).toMatchObject({ code: 'role_refused' });
  });

  test('of a superuser reaches no program even where it is allowed', async () => {
    await using allowed = await openServer({ DATABASE_URL: postgres.url, POSTGRES_ALLOW_SUPERUSER: 'true' });
    expect((await allowed.call('query', { sql: 'select 1 as one' })).data.rows).toEqual([{ one: 1 }]);
    for (const sql of [
      "copy (select 1) to program 'touch /tmp/fleet-attack-program'",
      "select lo_import('/etc/hostname')",
    ]) {
      expect((await allowed.call('query', { sql })).isError).toBe(true);
    }
    expect(existsSync('/tmp/fleet-attack-program')).toBe(false);
  });
});
