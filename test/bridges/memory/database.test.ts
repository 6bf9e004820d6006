import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signalPostgres } from '../../support/signal-postgres.ts';
import { openStdioServer } from '../../support/stdio-server.ts';
import { until } from '../../support/until.ts';
import { type MemoryPostgres, type OpenMemory, openMemory, startMemoryPostgres } from './open-memory.ts';

let database: MemoryPostgres;
let memory: OpenMemory;

beforeAll(async () => {
  database = await startMemoryPostgres();
  memory = await openMemory(database.url);
  await memory.call('memory_stats');
});
afterAll(async () => {
  await memory?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const texts = async () => (await database.ask('select text from memory_bridge.entries')).map(({ text }) => text);
const works = async () => (await memory.call('memory_stats')).isError === false;
const inUse = async () =>
  (
    await database.ask(
      `select from pg_stat_activity where usename = 'keeper' and state in ('active', 'idle in transaction')`,
    )
  ).length;

describe('the tables', () => {
  test('are made once by any number of processes that come at once', async () => {
    await database.ask('drop schema memory_bridge cascade');
    const servers = await Promise.all(
      Array.from({ length: 4 }, () => openStdioServer('memory', { MEMORY_DATABASE_URL: database.url })),
    );
    try {
      const answers = await Promise.all(
        servers.flatMap((server) =>
          Array.from({ length: 4 }, () => server.call('memory_remember', { text: 'first' }, { principal: 'anna' })),
        ),
      );
      expect(answers.filter(({ isError }) => isError)).toEqual([]);
      expect(await texts()).toHaveLength(16);
      expect(await database.ask('select version from memory_bridge.version')).toEqual([{ version: 1 }]);
    } finally {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    }
  });

  test('that are gone are made anew by the call after', async () => {
    await database.ask('drop schema memory_bridge cascade');
    expect((await memory.call('memory_stats')).data.error).toMatchObject({
      code: 'database_unavailable',
      retryable: true,
    });
    expect(await works()).toBe(true);
  });

  test('of a newer release are left alone', async () => {
    await database.ask('insert into memory_bridge.version (version) values (99)');
    await using old = await openStdioServer('memory', { MEMORY_DATABASE_URL: database.url });
    const answer = await old.call('memory_remember', { text: 'x' }, { principal: 'anna' });
    expect(answer.data.error).toMatchObject({ code: 'not_configured', message: expect.stringContaining('99') });
    await database.ask('delete from memory_bridge.version where version = 99');
    expect((await old.call('memory_stats', {}, { principal: 'anna' })).isError).toBe(false);
  });

  test('may be made by an administrator for a role that may make nothing', async () => {
    await database.ask(`create role guest login`);
    await database.postgres.server.allow('guest');
    await database.ask('grant connect on database memory to guest');
    const url = database.postgres.server.url({ user: 'guest', database: 'memory' });
    await using server = await openStdioServer('memory', { MEMORY_DATABASE_URL: url });
    const call = () =>
      server.call('memory_remember', { text: 'x' }, { principal: 'anna', idempotencyKey: 'a'.repeat(64) });
    expect((await call()).data.error).toMatchObject({
      code: 'permission_denied',
      hint: expect.stringContaining('README'),
    });
    await database.ask(`
      grant usage on schema memory_bridge to guest;
      grant select on memory_bridge.version to guest;
      grant select, insert, update, delete on memory_bridge.entries to guest;
      grant select, insert, delete on memory_bridge.calls to guest;`);
    expect((await call()).isError).toBe(false);
  });
});

describe('what has expired', () => {
  test('is deleted by whoever comes by, whosever it was, and so are old records of keys', async () => {
    await database.ask('truncate memory_bridge.entries, memory_bridge.calls');
    await database.ask(`
      insert into memory_bridge.entries (namespace, text, search, expires_at)
        select 'gone', 'over', '', now() - interval '1 s' from generate_series(1, 700);
      insert into memory_bridge.entries (namespace, text, search, expires_at) values ('gone', 'not yet', '', now() + interval '1 h');
      insert into memory_bridge.calls (namespace, key, outcome, at)
        values ('gone', 'old', '{}', now() - interval '49 h'), ('gone', 'young', '{}', now() - interval '47 h');`);
    await using server = await openStdioServer('memory', { MEMORY_DATABASE_URL: database.url });
    await until('all is swept', async () => {
      await server.call('memory_stats', {}, { principal: 'anna' });
      return (await texts()).length === 1;
    });
    expect(await texts()).toEqual(['not yet']);
    expect(await database.ask('select key from memory_bridge.calls')).toEqual([{ key: 'young' }]);
  });
});

describe('a call that waits for a lock', () => {
  let blocker: pg.Client;

  beforeEach(async () => {
    await database.ask('truncate memory_bridge.entries');
    await memory.call('memory_remember', { key: 'k', text: 'before' });
    blocker = new pg.Client({ connectionString: database.postgres.server.url({ database: 'memory' }) });
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('select from memory_bridge.entries for update');
  });
  afterEach(() => blocker.end());

  test('is stopped in the database at its deadline, and changes nothing afterwards', async () => {
    const answer = await memory.call(
      'memory_remember',
      { key: 'k', text: 'late' },
      { headers: { 'x-request-timeout-ms': '400' } },
    );
    expect([answer.status, answer.data?.error?.code ?? answer.json.code]).toEqual(
      answer.status === 200 ? [200, expect.stringMatching(/_timeout$|deadline_exceeded/)] : [504, 'deadline_exceeded'],
    );
    await until('its transaction has ended', async () => (await inUse()) === 0, { timeoutMs: 3_000 });
    await blocker.query('rollback');
    expect(await texts()).toEqual(['before']);
    expect(await works()).toBe(true);
  });

  test('is stopped in the database when its caller leaves', async () => {
    const abort = new AbortController();
    const call = memory.call('memory_update', { key: 'k', text: 'left' }, { signal: abort.signal });
    call.catch(() => undefined);
    await until('it waits', async () => (await inUse()) === 1);
    abort.abort();
    await expect(call).rejects.toThrow();
    await until('its transaction has ended', async () => (await inUse()) === 0, { timeoutMs: 3_000 });
    await blocker.query('rollback');
    expect(await texts()).toEqual(['before']);
  });
});

describe('a database that goes away', () => {
  test('in the middle of a transaction has not executed it: the call may be repeated', async () => {
    await database.ask('truncate memory_bridge.entries');
    await memory.call('memory_remember', { key: 'k', text: 'before' });
    const blocker = new pg.Client({ connectionString: database.postgres.server.url({ database: 'memory' }) });
    blocker.on('error', () => undefined);
    await blocker.connect();
    await blocker.query('begin; select from memory_bridge.entries for update');
    const call = memory.call('memory_remember', { key: 'k', text: 'cut' });
    await until('it waits', async () => (await inUse()) === 1);
    signalPostgres(database.postgres, 'SIGKILL');
    expect((await call).data.error).toMatchObject({ code: 'database_unavailable', executed: 'no', retryable: true });
    await blocker.end().catch(() => undefined);
    const away = await memory.call('memory_stats');
    expect(away.data.error).toMatchObject({ code: 'database_unavailable', retryable: true });
    await database.postgres.server.stop();
    await database.postgres.server.start();
    await until('it works again by itself', works);
    expect(await texts()).toEqual(['before']);
  });

  test('keeps what it was told before it is killed, whatever it is set to lose', async () => {
    // The test's PostgreSQL runs with synchronous_commit off.
    const { data } = await memory.call('memory_remember', { text: 'durable' });
    signalPostgres(database.postgres, 'SIGKILL');
    await database.postgres.server.stop();
    await database.postgres.server.start();
    await until('it works again', works);
    expect((await memory.call('memory_recall', { id: data.id })).data.text).toBe('durable');
  });

  test('and is restarted in peace costs no call after it', async () => {
    await works();
    await database.postgres.server.stop();
    await database.postgres.server.start();
    expect(await works()).toBe(true);
  });

  test('hangs: calls end at their deadline, and what became of a write is certain once it is back', async () => {
    await database.ask('truncate memory_bridge.entries, memory_bridge.calls');
    const key = { 'idempotency-key': 'while-it-hung' };
    const hurry = { 'x-request-timeout-ms': '500' };
    signalPostgres(database.postgres, 'SIGSTOP');
    let answers: Awaited<ReturnType<OpenMemory['call']>>[];
    try {
      answers = await Promise.all([
        memory.call('memory_remember', { text: 'hung' }, { headers: { ...key, ...hurry } }),
        memory.call('memory_stats', {}, { headers: hurry }),
      ]);
    } finally {
      signalPostgres(database.postgres, 'SIGCONT');
    }
    for (const { status, json, data } of answers) {
      expect(status === 504 ? json.code : data.error.code).toBe('deadline_exceeded');
    }
    await until('it works again', works);
    // Whether the bridge had to answer first, or the server said in time that nothing was committed.
    const asked = await memory.call('memory_remember', { text: 'hung' }, { headers: { ...key, prefer: 'reconcile' } });
    expect(asked).toMatchObject({ status: 409, json: { code: 'not_executed', executed: 'no' } });
    expect(await texts()).toEqual([]);
    expect((await memory.call('memory_remember', { text: 'hung' }, { headers: key })).isError).toBe(false);
    expect(await texts()).toEqual(['hung']);
  });

  test('leaves the key of a call that it kept from running free', async () => {
    await database.ask('truncate memory_bridge.entries, memory_bridge.calls');
    const headers = { 'idempotency-key': 'while-it-was-away' };
    const call = () => memory.call('memory_remember', { text: 'later' }, { headers });
    await database.postgres.server.stop();
    expect((await call()).data.error).toMatchObject({ code: 'database_unavailable', executed: 'no' });
    await database.postgres.server.start();
    expect(await call()).toMatchObject({ status: 200, isError: false, data: { created: true } });
    expect(await texts()).toEqual(['later']);
  });
});

describe('a connection string', () => {
  const wrong = (change: (url: URL) => void): string => {
    const url = new URL(database.url);
    change(url);
    return url.href;
  };

  test.each([
    ['of another password', (url: URL) => (url.password = 'guess-canary')],
    ['of a database that is not there', (url: URL) => (url.pathname = '/elsewhere')],
  ])('%s is a matter of configuration, and is not told', async (_name, change) => {
    await using server = await openStdioServer('memory', { MEMORY_DATABASE_URL: wrong(change) });
    const { data } = await server.call('memory_stats', {}, { principal: 'anna' });
    expect(data.error).toMatchObject({ code: 'not_configured', retryable: false });
    expect(JSON.stringify(data) + server.stderr()).not.toContain(new URL(wrong(change)).password);
  });

  test('of a place where nothing listens may be retried', async () => {
    await using server = await openStdioServer('memory', {
      MEMORY_DATABASE_URL: wrong((url) => {
        url.port = '1';
      }),
    });
    const { data } = await server.call('memory_stats', {}, { principal: 'anna' });
    expect(data.error).toMatchObject({ code: 'database_unavailable', retryable: true });
  });

  test('of a superuser works, with a warning', async () => {
    const url = database.postgres.server.url({ database: 'memory' });
    await using server = await openStdioServer('memory', { MEMORY_DATABASE_URL: url });
    expect((await server.call('memory_stats', {}, { principal: 'anna' })).isError).toBe(false);
    await until('it is warned about', () => server.stderr().includes('row level security'));
  });

  test('with a language that PostgreSQL does not know is a matter of configuration', async () => {
    await using server = await openStdioServer('memory', {
      MEMORY_DATABASE_URL: database.url,
      MEMORY_LANGUAGE: 'klingon',
    });
    const { data } = await server.call('memory_search', { query: 'x' }, { principal: 'anna' });
    expect(data.error).toMatchObject({ code: 'not_configured', hint: expect.stringContaining('MEMORY_LANGUAGE') });
  });

  test('with another language reduces words by it', async () => {
    await using server = await openStdioServer('memory', {
      MEMORY_DATABASE_URL: database.url,
      MEMORY_LANGUAGE: 'german',
    });
    const options = { principal: 'dora' };
    await server.call('memory_remember', { key: 'gäste', text: 'Die Gäste essen vegetarisch' }, options);
    expect((await server.call('memory_search', { query: 'Gast vegetarische' }, options)).data.results).toHaveLength(1);
  });
});
