import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStdioServer, type StdioServer } from '../../support/stdio-server.ts';
import { until } from '../../support/until.ts';
import { DatabaseProxy } from './database-proxy.ts';
import { type MemoryPostgres, type OpenMemory, openMemory, startMemoryPostgres } from './open-memory.ts';

let database: MemoryPostgres;
let proxy: DatabaseProxy;
/** Behind the proxy. */
let memory: OpenMemory;
/** Another process, which knows nothing of the first one's keys. */
let twin: OpenMemory;
/** The server alone, handed what a bridge would hand it. */
let server: StdioServer;

beforeAll(async () => {
  database = await startMemoryPostgres();
  proxy = await DatabaseProxy.start(database.url);
  [memory, twin, server] = await Promise.all([
    openMemory(proxy.url),
    openMemory(database.url),
    openStdioServer('memory', { MEMORY_DATABASE_URL: proxy.url }),
  ]);
  await Promise.all([memory.call('memory_stats'), twin.call('memory_stats')]);
});
afterAll(async () => {
  await Promise.all([memory, twin, server].map((open) => open?.[Symbol.asyncDispose]()));
  await proxy?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});
beforeEach(() => database.ask('truncate memory_bridge.entries, memory_bridge.calls'));
afterEach(() => {
  proxy.next('pass');
  proxy.reachable = true;
  proxy.onLost = () => undefined;
  proxy.release();
});

let keys = 0;
/** A key that no other test uses: records outlive the rows. */
const newKey = () => ({ 'idempotency-key': `never-twice-${++keys}` });
const asking = (headers: Record<string, string>) => ({ headers: { ...headers, prefer: 'reconcile' } });
const texts = async () =>
  (await database.ask('select text from memory_bridge.entries order by created_at')).map(({ text }) => text);
const digest = (n: number) => n.toString(16).padStart(64, '0');

/** The processes that the fleet has started. */
function workersOf({ fleet: { process: parent } }: OpenMemory): number[] {
  const children = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

describe('a call with a key', () => {
  test('fifty times at once over two processes makes one row, and all are told the same', async () => {
    await using other = await openStdioServer('memory', { MEMORY_DATABASE_URL: database.url });
    const options = { principal: 'anna', idempotencyKey: digest(50), deadlineMs: 20_000 };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 === 0 ? server : other).call('memory_remember', { text: 'once' }, options),
      ),
    );
    expect(answers.map(({ isError }) => isError)).not.toContain(true);
    expect(new Set(answers.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    expect(answers[0]?.data.created).toBe(true);
    expect(await texts()).toEqual(['once']);
  });

  test('fifty times at once over HTTP and two processes without a common store makes one row', async () => {
    const headers = newKey();
    const call = (at: OpenMemory) => at.call('memory_remember', { text: 'once' }, { headers });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => call(i % 2 === 0 ? memory : twin)));
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBeGreaterThanOrEqual(2);
    for (const { status, json } of answers) if (status !== 200) expect(json.code).toBe('idempotency_in_progress');
    const [again, other] = [await call(memory), await call(twin)];
    expect(new Set([...good, again, other].map(({ data }) => data.id)).size).toBe(1);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(await texts()).toEqual(['once']);
  });

  test('whose COMMIT took effect without an answer asks the database itself, and answers', async () => {
    const headers = newKey();
    proxy.next('lose');
    const first = await memory.call('memory_remember', { text: 'lost' }, { headers });
    expect(first).toMatchObject({ status: 200, isError: false, data: { created: true } });
    expect(await texts()).toEqual(['lost']);
    expect((await twin.call('memory_remember', { text: 'lost' }, { headers })).data).toEqual(first.data);
    expect(await texts()).toEqual(['lost']);
  });

  test('whose outcome nobody knows is found by Prefer: reconcile, as it would have been answered (drop_after)', async () => {
    const headers = newKey();
    proxy.next('lose');
    proxy.onLost = () => proxy.cut();
    const first = await memory.call('memory_remember', { text: 'found', key: 'k', ttlSeconds: 600 }, { headers });
    expect(first.data.error).toMatchObject({
      code: 'outcome_unknown',
      executed: 'maybe',
      retryable: false,
      hint: expect.stringContaining('Prefer: reconcile'),
    });
    const args = { text: 'found', key: 'k', ttlSeconds: 600 };
    // Nobody can say while the database is away.
    const early = await memory.call('memory_remember', args, asking(headers));
    expect(early).toMatchObject({ status: 409, json: { code: 'outcome_unknown', executed: 'maybe' } });
    proxy.reachable = true;
    const found = await memory.call('memory_remember', args, asking(headers));
    expect(found).toMatchObject({ status: 200, isError: false, data: { key: 'k', created: true } });
    expect(found.headers['idempotency-reconciled']).toBe('true');
    const [row] = await database.ask('select id, expires_at from memory_bridge.entries');
    expect(found.data).toMatchObject({ id: row.id, expiresAt: row.expires_at.toISOString() });
    const replayed = await memory.call('memory_remember', args, { headers });
    expect(replayed.data).toEqual(found.data);
    expect(await texts()).toEqual(['found']);
  });

  test('that certainly was not executed is told so, and may then run under the same key', async () => {
    const headers = newKey();
    proxy.next('hold');
    const running = memory.call('memory_remember', { text: 'held' }, { headers });
    await until('its COMMIT is on its way', () => proxy.held === 1);
    // The server of the call and the connection end, and the COMMIT with them; no other worker reaches the database.
    proxy.reachable = false;
    await database.ask(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keeper' and state = 'idle in transaction'`,
    );
    const first = await running;
    expect(first.data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    proxy.reachable = true;
    expect(await texts()).toEqual([]);
    const asked = await memory.call('memory_remember', { text: 'held' }, asking(headers));
    expect(asked).toMatchObject({ status: 409, json: { code: 'not_executed', executed: 'no' } });
    const again = await memory.call('memory_remember', { text: 'held' }, { headers });
    expect(again).toMatchObject({ status: 200, isError: false, data: { created: true } });
    expect(await texts()).toEqual(['held']);
  });

  test('whose server is killed after its COMMIT runs again on another worker, and is told what the first one did', async () => {
    proxy.next('lose');
    proxy.onLost = () => {
      for (const pid of workersOf(memory)) process.kill(pid, 'SIGKILL');
    };
    const answer = await memory.call('memory_remember', { text: 'survivor' }, { headers: newKey() });
    expect(answer).toMatchObject({ status: 200, isError: false, data: { created: true } });
    expect(await texts()).toEqual(['survivor']);
  });

  test('is not carried out late over what was remembered since', async () => {
    await twin.call('memory_remember', { key: 'k', text: 'A' });
    const headers = newKey();
    const first = await memory.call('memory_update', { key: 'k', text: 'B' }, { headers });
    await twin.call('memory_update', { key: 'k', text: 'C' });
    expect((await twin.call('memory_update', { key: 'k', text: 'B' }, { headers })).data).toEqual(first.data);
    expect(await texts()).toEqual(['C']);
  });

  test('that forgets tells every repeat what it forgot', async () => {
    await twin.call('memory_remember', { key: 'k', text: 'A' });
    const headers = newKey();
    const first = await memory.call('memory_forget', { keys: ['k'] }, { headers });
    await twin.call('memory_remember', { key: 'k', text: 'anew' });
    const again = await twin.call('memory_forget', { keys: ['k'] }, { headers });
    expect([first.data, again.data]).toEqual(Array(2).fill({ forgotten: 1, notFound: [] }));
    expect(await texts()).toEqual(['anew']);
  });

  test('that was forgotten since is neither made again nor said not to have been', async () => {
    const options = { principal: 'anna', idempotencyKey: digest(7), deadlineMs: 10_000 };
    const made = await server.call('memory_remember', { text: 'gone' }, options);
    await server.call('memory_forget', { ids: [made.data.id] }, { principal: 'anna' });
    expect((await server.call('memory_remember', { text: 'gone' }, options)).data).toEqual(made.data);
    const asked = await server.call('memory_remember', { text: 'gone' }, { ...options, reconcile: true });
    expect(asked).toMatchObject({ reconciled: 'executed', data: made.data });
    expect(await texts()).toEqual([]);
  });

  test('that was refused has not run, and runs once there is room', async () => {
    await using narrow = await openStdioServer('memory', {
      MEMORY_DATABASE_URL: database.url,
      MEMORY_MAX_ENTRIES: '1',
    });
    const options = { principal: 'anna', idempotencyKey: digest(8), deadlineMs: 10_000 };
    await narrow.call('memory_remember', { key: 'k', text: 'x' }, { principal: 'anna' });
    const refused = await narrow.call('memory_remember', { text: 'y' }, options);
    expect(refused.data.error).toMatchObject({ code: 'memory_full', executed: 'no' });
    const asked = await narrow.call('memory_remember', { text: 'y' }, { ...options, reconcile: true });
    expect(asked.reconciled).toBe('not_executed');
    await narrow.call('memory_forget', { keys: ['k'] }, { principal: 'anna' });
    expect((await narrow.call('memory_remember', { text: 'y' }, options)).isError).toBe(false);
  });
});

describe('what became of a call', () => {
  test('is unknown while its transaction is open, and known when that has ended', async () => {
    const options = { principal: 'anna', idempotencyKey: digest(9) };
    proxy.next('hold');
    const running = server.call('memory_remember', { text: 'open' }, { ...options, deadlineMs: 20_000 });
    await until('its COMMIT is on its way', () => proxy.held === 1);
    const ask = (deadlineMs: number) =>
      server.call('memory_remember', { text: 'open' }, { ...options, deadlineMs, reconcile: true });
    const early = await ask(2_000);
    expect(early).toMatchObject({
      isError: false,
      reconciled: 'unknown',
      data: { looked: expect.stringContaining('open') },
    });
    const waiting = ask(10_000);
    proxy.release();
    const made = await running;
    expect(await waiting).toMatchObject({ reconciled: 'executed', data: made.data });
  });

  test('is only looked for: nothing is run', async () => {
    const options = { principal: 'anna', idempotencyKey: digest(10), deadlineMs: 5_000, reconcile: true };
    for (const [tool, args] of [
      ['memory_remember', { text: 'x' }],
      ['memory_update', { key: 'k', text: 'x' }],
      ['memory_forget', { keys: ['k'] }],
    ] as const) {
      expect((await server.call(tool, args, options)).reconciled).toBe('not_executed');
    }
    expect(await database.ask('select from memory_bridge.entries union all select from memory_bridge.calls')).toEqual(
      [],
    );
  });

  test('of another caller with the same digest is nobody else’s', async () => {
    const options = { idempotencyKey: digest(11), deadlineMs: 5_000 };
    await server.call('memory_remember', { text: 'hers' }, { ...options, principal: 'anna' });
    const asked = await server.call(
      'memory_remember',
      { text: 'hers' },
      { ...options, principal: 'ben', reconcile: true },
    );
    expect(asked.reconciled).toBe('not_executed');
  });
});

describe('a call without a key', () => {
  test('whose COMMIT was not answered says so, and is not sent again', async () => {
    const before = proxy.commits;
    proxy.next('lose');
    const answer = await memory.call('memory_remember', { text: 'maybe' });
    expect(answer.data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe', retryable: false });
    expect(proxy.commits - before).toBe(1);
    expect(await texts()).toEqual(['maybe']);
  });

  test('whose COMMIT hangs is given up soon after its deadline, and its connection with it', async () => {
    proxy.next('hold');
    const options = { principal: 'anna', deadlineMs: 300 };
    const answer = await server.call('memory_remember', { text: 'hung' }, options);
    expect(answer.data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    await until('its transaction has ended', async () => {
      const open = await database.ask(
        `select from pg_stat_activity where usename = 'keeper' and state = 'idle in transaction'`,
      );
      return open.length === 0;
    });
    expect(await texts()).toEqual([]);
  });

  test('whose server is killed after its COMMIT is answered 502 maybe, and not sent again', async () => {
    proxy.next('lose');
    proxy.onLost = () => {
      for (const pid of workersOf(memory)) process.kill(pid, 'SIGKILL');
    };
    const answer = await memory.call('memory_remember', { text: 'maybe' });
    expect(answer).toMatchObject({ status: 502, json: { code: 'child_crashed', executed: 'maybe' } });
    expect(await texts()).toEqual(['maybe']);
  });
});
