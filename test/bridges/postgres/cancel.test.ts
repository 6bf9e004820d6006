import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { type OpenServer, openServer } from './open-server.ts';

let postgres: TestPostgres;
let url: string;
let server: OpenServer;

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = await postgres.createDatabase('patient', 'patient_owner');
  server = await openServer({ DATABASE_URL: url, POSTGRES_POOL_MAX: '4' });
  await server.call('server_info');
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

async function running(text: string): Promise<number> {
  const [row] = await postgres.admin<{ n: number }>(
    "select count(*)::int as n from pg_stat_activity where state = 'active' and usename = 'patient_owner' and query like $1",
    [`%${text}%`],
  );
  return row?.n ?? 0;
}

const SLEEP = 'select pg_sleep(60)';

describe('a call that is given up', () => {
  test('by its caller stops in the database', async () => {
    const abort = new AbortController();
    const call = server.call('query', { sql: SLEEP }, { signal: abort.signal });
    call.catch(() => undefined);
    await until('the statement runs', async () => (await running('pg_sleep')) === 1);
    abort.abort();
    await expect(call).rejects.toThrow();
    await until('the statement has stopped', async () => (await running('pg_sleep')) === 0, { timeoutMs: 2_000 });
    expect((await server.call('query', { sql: 'select 1 as one' })).data.rows).toEqual([{ one: 1 }]);
  });

  test('by its deadline stops in the database and says so', async () => {
    const answer = await server.call('query', { sql: SLEEP }, { deadlineMs: 200 });
    expect(answer.data.error).toMatchObject({ code: expect.stringMatching(/^(deadline_exceeded|statement_timeout)$/) });
    await until('the statement has stopped', async () => (await running('pg_sleep')) === 0, { timeoutMs: 2_000 });
  });

  test('even where the statement turns its own time limit off', async () => {
    const sql = "select pg_sleep(60) from (select set_config('statement_timeout', '0', false)) s";
    const answer = await server.call('query', { sql }, { deadlineMs: 300 });
    expect(answer.isError).toBe(true);
    await until('the statement has stopped', async () => (await running('pg_sleep')) === 0, { timeoutMs: 2_000 });
  });

  test('a hundred times never hits the call that comes after', async () => {
    await using narrow = await openServer({ DATABASE_URL: url, POSTGRES_POOL_MAX: '1' });
    for (let n = 0; n < 100; n += 1) {
      const [given, next] = await Promise.all([
        narrow.call('query', { sql: 'select pg_sleep(0.004)' }, { deadlineMs: 1 + (n % 10) }),
        narrow.call('query', { sql: 'select 42 as answer' }),
      ]);
      expect(next.data).toMatchObject({ rows: [{ answer: 42 }] });
      if (given.isError) expect(given.data.error.code).toMatch(/^(deadline_exceeded|statement_timeout)$/);
    }
  });

  test('while it waits for a connection is never sent', async () => {
    await using narrow = await openServer({ DATABASE_URL: url, POSTGRES_POOL_MAX: '1' });
    await narrow.call('server_info');
    const long = narrow.call('query', { sql: 'select pg_sleep(1)' });
    await until('the first runs', async () => (await running('pg_sleep(1)')) === 1);
    const waiting = await narrow.call('query', { sql: "select 'never sent'" }, { deadlineMs: 100 });
    expect(waiting.data.error.code).toBe('deadline_exceeded');
    expect(await running('pg_sleep(1)')).toBe(1);
    expect((await long).isError).toBe(false);
  });
});

test('the statement timeout of the configuration holds without a deadline', async () => {
  await using strict = await openServer({ DATABASE_URL: url, POSTGRES_STATEMENT_TIMEOUT_MS: '150' });
  const { data } = await strict.call('query', { sql: SLEEP });
  expect(data.error).toMatchObject({ code: 'statement_timeout', sqlstate: '57014' });
});

test('four calls run at the same time, the fifth waits for its turn', async () => {
  const calls = Array.from({ length: 5 }, (_, n) => server.call('query', { sql: `select pg_sleep(0.7), ${n} as n` }));
  await until('four run', async () => (await running('pg_sleep(0.7)')) === 4);
  const answers = await Promise.all(calls);
  expect(answers.map(({ data }) => data.rows[0].n)).toEqual([0, 1, 2, 3, 4]);
});

test('EOF on stdin stops what runs, and the process ends by itself', async () => {
  const ending = await openServer({ DATABASE_URL: url });
  const call = ending.call('query', { sql: SLEEP }).catch(() => undefined);
  await until('the statement runs', async () => (await running('pg_sleep')) === 1);
  await ending[Symbol.asyncDispose]();
  await call;
  await until('the statement has stopped', async () => (await running('pg_sleep')) === 0, { timeoutMs: 3_000 });
});

test('a killed process leaves no statement behind', async () => {
  const killed = await openServer({ DATABASE_URL: url });
  const call = killed.call('query', { sql: SLEEP }).catch(() => undefined);
  await until('the statement runs', async () => (await running('pg_sleep')) === 1);
  process.kill(killed.pid, 'SIGKILL');
  await call;
  await until('the statement has stopped', async () => (await running('pg_sleep')) === 0, { timeoutMs: 3_000 });
  await killed[Symbol.asyncDispose]();
});

describe('a database that goes away', () => {
  test('is an error that may be retried, and calls work again once it is back', async () => {
    expect((await server.call('query', { sql: 'select 1' })).isError).toBe(false);
    await postgres.server.stop();
    const away = await server.call('query', { sql: 'select 1' });
    expect(away.data.error).toMatchObject({ code: 'database_unavailable', retryable: true });
    expect((await server.call('list_tables')).data.error.code).toBe('database_unavailable');
    await postgres.server.start();
    expect((await server.call('query', { sql: 'select 1 as one' })).data.rows).toEqual([{ one: 1 }]);
  });

  test('in the middle of a call says so', async () => {
    const call = server.call('query', { sql: SLEEP });
    await until('the statement runs', async () => (await running('pg_sleep')) === 1);
    await postgres.admin(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()",
    );
    expect((await call).data.error).toMatchObject({ code: 'database_unavailable', retryable: true });
    expect((await server.call('query', { sql: 'select 1 as one' })).data.rows).toEqual([{ one: 1 }]);
  });

  test('before the first call does not keep the server from starting', async () => {
    await using early = await openServer({ DATABASE_URL: 'postgres://nobody:secretpassword@127.0.0.1:1/none' });
    const answer = await early.call('query', { sql: 'select 1' });
    expect(answer.data.error).toMatchObject({
      code: 'database_unavailable',
      message: 'the database cannot be reached (ECONNREFUSED)',
      retryable: true,
    });
    expect(answer.text + early.stderr()).not.toContain('secretpassword');
  });

  test('a wrong password is a matter of configuration', async () => {
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await using refused = await openServer({ DATABASE_URL: wrong.href });
    expect((await refused.call('query', { sql: 'select 1' })).data.error).toMatchObject({
      code: 'not_configured',
      retryable: false,
    });
  });
});
