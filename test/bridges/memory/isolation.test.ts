import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStdioServer } from '../../support/stdio-server.ts';
import { type MemoryPostgres, type OpenMemory, openMemory, SECRETS, startMemoryPostgres } from './open-memory.ts';

let database: MemoryPostgres;
let memory: OpenMemory;
let unheld: OpenMemory;
let hers: string;

const BEN = { as: 'ben' } as const;

beforeAll(async () => {
  database = await startMemoryPostgres();
  [memory, unheld] = await Promise.all([
    openMemory(database.url),
    openMemory(database.postgres.server.url({ database: 'memory' })),
  ]);
  await memory.call('memory_stats');
});
afterAll(async () => {
  await Promise.all([memory, unheld].map((open) => open?.[Symbol.asyncDispose]()));
  await database?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await database.ask('truncate memory_bridge.entries, memory_bridge.calls');
  const args = { key: 'secret/plan', text: 'Anna plans a surprise party', tags: ['party'] };
  hers = (await memory.call('memory_remember', args)).data.id;
});

describe.each([
  ['the role of the README', () => memory],
  ['a superuser, whom no policy of the database holds', () => unheld],
])('with %s', (_name, open) => {
  test('another caller sees nothing of it by any tool', async () => {
    const seen = [
      await open().call('memory_recall', { key: 'secret/plan' }, BEN),
      await open().call('memory_recall', { id: hers }, BEN),
      await open().call('memory_search', { query: 'surprise party' }, BEN),
      await open().call('memory_search', { query: 'party', match: 'any', tags: ['party'] }, BEN),
      await open().call('memory_list', {}, BEN),
      await open().call('memory_list', { tags: ['party'] }, BEN),
      await open().call('memory_stats', {}, BEN),
    ];
    for (const { text } of seen) {
      expect(text).not.toContain('surprise');
      expect(text).not.toContain(hers);
    }
    expect(seen[0]?.data.error.code).toBe('not_found');
    expect(seen[1]?.data.error.code).toBe('not_found');
    expect(seen[4]?.data.memories).toEqual([]);
    expect(seen[6]?.data).toMatchObject({ memories: 0, tags: [] });
  });

  test('another caller changes nothing of it, and has keys of its own', async () => {
    expect((await open().call('memory_update', { id: hers, text: 'mine' }, BEN)).data.error.code).toBe('not_found');
    expect((await open().call('memory_forget', { ids: [hers], keys: ['secret/plan'] }, BEN)).data).toEqual({
      forgotten: 0,
      notFound: ['secret/plan', hers],
    });
    const his = await open().call('memory_remember', { key: 'secret/plan', text: 'Ben knows nothing' }, BEN);
    expect(his.data).toMatchObject({ created: true });
    expect((await open().call('memory_recall', { key: 'secret/plan' })).data).toMatchObject({
      id: hers,
      text: 'Anna plans a surprise party',
    });
    expect((await open().call('memory_recall', { key: 'secret/plan' }, BEN)).data.text).toBe('Ben knows nothing');
  });

  test('a cursor of one caller shows another nothing', async () => {
    for (let n = 0; n < 3; n += 1) await open().call('memory_remember', { text: `party ${n}` });
    const list = (await open().call('memory_list', { limit: 1 })).data.nextCursor;
    const search = (await open().call('memory_search', { query: 'party', limit: 1 })).data.nextCursor;
    expect((await open().call('memory_list', { cursor: list }, BEN)).data.memories).toEqual([]);
    expect((await open().call('memory_search', { query: 'party', cursor: search }, BEN)).data.results).toEqual([]);
  });
});

test('one idempotency key of two callers is two calls', async () => {
  const headers = { 'idempotency-key': 'the-same' };
  const one = await memory.call('memory_remember', { text: 'x' }, { headers });
  const two = await memory.call('memory_remember', { text: 'x' }, { headers, ...BEN });
  expect(one.data.id).not.toBe(two.data.id);
});

test('a server that is not told who calls keeps and shows nothing', async () => {
  await using server = await openStdioServer('memory', { MEMORY_DATABASE_URL: database.url });
  for (const [tool, args] of [
    ['memory_list', {}],
    ['memory_remember', { text: 'whose?' }],
    ['memory_recall', { id: hers }],
  ] as const) {
    const answer = await server.call(tool, args);
    expect(answer.data.error).toMatchObject({ code: 'principal_unknown', retryable: false });
  }
});

test('where nobody has to say who calls, all share one memory', async () => {
  await using open = await openMemory(database.url, { AUTH: 'none' });
  expect((await open.call('memory_list')).data.memories).toEqual([]);
  await open.call('memory_remember', { text: 'for all' });
  expect((await open.call('memory_list', {}, BEN)).data.memories).toHaveLength(1);
  expect((await memory.call('memory_list')).data.memories).toHaveLength(1);
});

test('the database itself shows the role nothing beyond the namespace it entered', async () => {
  await database.ask(
    `insert into memory_bridge.entries (namespace, text, search, expires_at) values ('ben', 'over', '', now() - interval '1 s')`,
  );
  await memory.call('memory_remember', { text: 'kept' }, { headers: { 'idempotency-key': 'rls' } });
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const count = async (table: string) => (await client.query(`select from memory_bridge.${table}`)).rowCount;
    expect([await count('entries'), await count('calls')]).toEqual([0, 0]);
    await client.query(`set memory_bridge.namespace = 'anna'`);
    expect([await count('entries'), await count('calls')]).toEqual([2, 1]);
    await client.query(`set memory_bridge.namespace = ''`);
    expect(await count('entries')).toBe(0);
    await client.query(`set memory_bridge.sweeping = 'on'`);
    expect((await client.query('select namespace from memory_bridge.entries')).rows).toEqual([{ namespace: 'ben' }]);
    expect((await client.query(`update memory_bridge.entries set text = 'x'`)).rowCount).toBe(0);
    await expect(
      client.query(`insert into memory_bridge.entries (namespace, text, search) values ('anna', 'x', '')`),
    ).rejects.toMatchObject({ code: '42501' });
  } finally {
    await client.end();
  }
});

test('no secret is in an answer, a log line or the arguments of a process', async () => {
  const password = new URL(database.url).password;
  const answers = [await memory.call('memory_stats'), await memory.call('memory_recall', { key: 'no' })];
  const status = await memory.fleet.ops('/status');
  for (const text of [...answers.map(({ text }) => text), status.text, memory.fleet.everything()]) {
    expect(text).not.toContain(password);
    for (const secret of Object.values(SECRETS)) expect(text).not.toContain(secret);
  }
});
