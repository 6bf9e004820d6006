import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/memory/bridge.ts';
import { until } from '../../support/until.ts';
import { type MemoryPostgres, type OpenMemory, openMemory, startMemoryPostgres } from './open-memory.ts';

let database: MemoryPostgres;
let memory: OpenMemory;

beforeAll(async () => {
  database = await startMemoryPostgres();
  memory = await openMemory(database.url, { MEMORY_MAX_ENTRIES: '60' });
  // The first call makes the tables.
  expect((await memory.call('memory_stats')).status).toBe(200);
});
afterAll(async () => {
  await memory?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});
beforeEach(() => database.ask('truncate memory_bridge.entries, memory_bridge.calls'));

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NOWHERE = '00000000-0000-4000-8000-000000000000';

const remember = async (args: Record<string, unknown>) => {
  const answer = await memory.call('memory_remember', args);
  expect([answer.status, answer.isError], answer.text).toEqual([200, false]);
  return answer.data;
};
const keysOf = (entries: readonly { readonly key?: string }[]) => entries.map(({ key }) => key);
const error = async (tool: string, args: Record<string, unknown>) => {
  const answer = await memory.call(tool, args);
  expect(answer.status).toBe(200);
  expect(answer.isError).toBe(true);
  return answer.data.error;
};

test('the list is that of the manifest, with schemas, annotations of the effect, and what a key does', async () => {
  const tools = await memory.tools();
  expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(manifest.tools).sort());
  for (const tool of tools) {
    const effect = manifest.tools[tool.name]?.effect;
    expect(tool).toMatchObject({
      policy: { effect, deadlineMs: 10_000, cacheTtlMs: 0, idempotencyKey: 'optional' },
      inputSchema: { type: 'object', additionalProperties: false },
      outputSchema: { type: 'object' },
      annotations: { readOnlyHint: effect === 'read', idempotentHint: effect !== 'write', openWorldHint: false },
    });
    expect(tool.description.length).toBeGreaterThan(150);
  }
});

describe('memory_remember', () => {
  test('keeps a text, and says where', async () => {
    const made = await remember({
      text: 'Gate code 4711',
      tags: ['venue', 'venue'],
      metadata: { source: 'caretaker' },
    });
    expect(made).toEqual({
      id: expect.stringMatching(UUID),
      createdAt: expect.stringMatching(ISO),
      updatedAt: made.createdAt,
      created: true,
    });
    expect((await memory.call('memory_recall', { id: made.id })).data).toEqual({
      id: made.id,
      createdAt: made.createdAt,
      updatedAt: made.updatedAt,
      text: 'Gate code 4711',
      tags: ['venue'],
      metadata: { source: 'caretaker' },
    });
  });

  test('under a key replaces all that was kept there', async () => {
    const first = await remember({ key: 'a/b', text: 'old', tags: ['x'], metadata: { a: '1' }, ttlSeconds: 60 });
    const second = await remember({ key: 'a/b', text: 'new' });
    expect(second).toMatchObject({ id: first.id, created: false, createdAt: first.createdAt });
    expect(second.expiresAt).toBeUndefined();
    expect((await memory.call('memory_recall', { key: 'a/b' })).data).toMatchObject({
      text: 'new',
      tags: [],
      metadata: {},
    });
    expect((await memory.call('memory_stats')).data.memories).toBe(1);
  });

  test('without a key makes another one each time', async () => {
    await remember({ text: 'same' });
    await remember({ text: 'same' });
    expect((await memory.call('memory_stats')).data.memories).toBe(2);
  });

  test('keeps any text of up to 32 KiB as it is', async () => {
    const texts = [
      'ünïcode 🎉 \u2028 "quoted" \\ \t\n$1 %s',
      'x'.repeat(32_768),
      'ß'.repeat(16_384),
      '🎉'.repeat(8_192),
    ];
    for (const text of texts) {
      const { id } = await remember({ text });
      expect((await memory.call('memory_recall', { id })).data.text).toBe(text);
    }
  });

  test.each([
    [{ text: 'ß'.repeat(16_385) }, 'text_too_large'],
    [{ text: 'x', ttlSeconds: 5, expiresAt: '2999-01-01T00:00:00Z' }, 'invalid_arguments'],
    [{ text: 'x', expiresAt: '2020-01-01T00:00:00+02:00' }, 'expires_in_the_past'],
    [{ text: 'nul \u0000' }, 'invalid_arguments'],
    [{ text: 'x', key: 'two\nlines' }, 'invalid_arguments'],
    [{ text: 'x', tags: ['a\u007f'] }, 'invalid_arguments'],
    [{ text: 'x', expiresAt: '2999-13-01T00:00:00Z' }, 'invalid_arguments'],
    [
      { text: 'x', metadata: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, '\u0000'])) },
      'invalid_arguments',
    ],
  ])('says no to %j', async (args, code) => {
    expect(await error('memory_remember', args)).toMatchObject({ code, retryable: false });
    expect((await memory.call('memory_stats')).data.memories).toBe(0);
  });

  test.each([
    {},
    { text: '' },
    { text: 7 },
    { text: 'x'.repeat(32_769) },
    { text: 'x', key: '' },
    { text: 'x', key: 'x'.repeat(201) },
    { text: 'x', tags: Array.from({ length: 17 }, (_, i) => `t${i}`) },
    { text: 'x', tags: [''] },
    { text: 'x', metadata: { nested: {} } },
    { text: 'x', metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ''])) },
    { text: 'x', ttlSeconds: 0 },
    { text: 'x', expiresAt: 'tomorrow' },
    { text: 'x', expiresAt: '2999-01-01T00:00:00' },
    { text: 'x', ttlSeconds: 1.5 },
    { text: 'x', namespace: 'ben' },
    { text: 'x', principal: 'ben' },
  ])('arguments like %j reach no server (I10)', async (args) => {
    expect(await memory.call('memory_remember', args)).toMatchObject({
      status: 422,
      json: { code: 'invalid_arguments' },
    });
  });

  test('has a bound for each caller, which a key that is known does not meet', async () => {
    await database.ask(
      `insert into memory_bridge.entries (namespace, text, search, expires_at)
       select 'anna', 'n', '', case when n > 59 then now() - interval '1 s' end from generate_series(1, 80) n`,
    );
    await remember({ key: 'last', text: 'the 60th: what has expired does not count' });
    expect(await error('memory_remember', { text: 'one more' })).toMatchObject({
      code: 'memory_full',
      retryable: false,
      maxMemories: 60,
      message: expect.stringContaining('60'),
      hint: expect.stringContaining('memory_forget'),
    });
    await remember({ key: 'last', text: 'changed' });
    const other = await memory.call('memory_remember', { text: 'his own' }, { as: 'ben' });
    expect(other.isError).toBe(false);
  });
});

describe('memory_recall', () => {
  test('says not_found for what is not there, and wants one name', async () => {
    for (const args of [{ key: 'nothing' }, { id: NOWHERE }]) {
      expect(await error('memory_recall', args)).toMatchObject({ code: 'not_found', retryable: false });
    }
    for (const args of [{}, { key: 'a', id: NOWHERE }]) {
      expect(await error('memory_recall', args)).toMatchObject({ code: 'invalid_arguments' });
    }
    expect((await memory.call('memory_recall', { id: 'x' })).status).toBe(422);
  });
});

describe('memory_search', () => {
  const search = async (args: Record<string, unknown>) => {
    const answer = await memory.call('memory_search', args);
    expect(answer.isError, answer.text).toBe(false);
    return answer.data;
  };

  test('ranks a hit in the key before one in a tag, before several in the text, before one', async () => {
    await remember({ key: 'one', text: `A florist was named once. ${'Something else. '.repeat(40)}` });
    await remember({ key: 'many', text: 'Florist, florist, florist: call the florist.' });
    await remember({ key: 'tagged', text: 'Delivers late on Saturdays.', tags: ['florist'] });
    await remember({ key: 'vendor/florist', text: 'Bloomwerk' });
    await remember({ key: 'other', text: 'A caterer.' });
    const { results } = await search({ query: 'florists' });
    expect(keysOf(results)).toEqual(['vendor/florist', 'tagged', 'many', 'one']);
    const scores = results.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(results[2].snippet).toContain('**florist**');
    expect(results[3].snippet.length).toBeLessThan(300);
  });

  test('understands phrases, or and minus; any finds what a whole sentence asks for', async () => {
    await remember({ key: 'menu', text: 'The vegetarian menu is by Olive & Thyme.' });
    await remember({ key: 'menu-2', text: 'A menu that is not vegetarian at all.' });
    await remember({ key: 'flowers', text: 'White lilies only.' });
    expect(keysOf((await search({ query: '"vegetarian menu"' })).results)).toEqual(['menu']);
    expect(keysOf((await search({ query: 'menu -olive' })).results)).toEqual(['menu-2']);
    expect(keysOf((await search({ query: 'lilies or olive' })).results).sort()).toEqual(['flowers', 'menu']);
    const question = 'which lilies did the client want for the menu & cards?';
    expect((await search({ query: question })).results).toEqual([]);
    expect(keysOf((await search({ query: question, match: 'any' })).results).sort()).toEqual([
      'flowers',
      'menu',
      'menu-2',
    ]);
  });

  test('narrows by tags, all of which must be there', async () => {
    await remember({ key: 'a', text: 'menu', tags: ['client:x', 'catering'] });
    await remember({ key: 'b', text: 'menu', tags: ['client:x'] });
    expect(keysOf((await search({ query: 'menu', tags: ['client:x', 'catering'] })).results)).toEqual(['a']);
    expect(keysOf((await search({ query: 'menu', tags: ['client'] })).results)).toEqual([]);
  });

  test('goes through all hits page by page, each once', async () => {
    for (let n = 0; n < 25; n += 1) await remember({ key: `k${n}`, text: `guest ${'guest '.repeat(n % 5)}` });
    const seen: (string | undefined)[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await search({ query: 'guest', limit: 7, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...keysOf(page.results));
      cursor = page.nextCursor;
      pages += 1;
    } while (cursor !== undefined && pages < 10);
    expect(pages).toBe(4);
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
  });

  test.each([
    [{ query: 'the' }, 'empty_query'],
    [{ query: ' & | ! ' }, 'empty_query'],
    [{ query: 'x', cursor: 'bm90IGEgY3Vyc29y' }, 'invalid_cursor'],
    [{ query: 'x', cursor: Buffer.from('["0","x","y"]').toString('base64url') }, 'invalid_cursor'],
    [{ query: 'nul \u0000' }, 'invalid_arguments'],
  ])('says no to %j', async (args, code) => {
    expect(await error('memory_search', args)).toMatchObject({ code, retryable: false });
  });

  test.each([{}, { query: '' }, { query: 'x', limit: 101 }, { query: 'x', limit: 0 }, { query: 'x', match: 'most' }])(
    'arguments like %j reach no server (I10)',
    async (args) => {
      expect((await memory.call('memory_search', args)).status).toBe(422);
    },
  );

  test('takes words for words, whatever they look like', async () => {
    await remember({ text: "Robert'); drop table entries;-- is a guest" });
    for (const query of ["'); drop table", "robert' or 1=1", '\\', "a:* & !b <-> 'c", '"unclosed', '((', '🎉 robert']) {
      expect([200, 422]).toContain((await memory.call('memory_search', { query })).status);
      expect((await memory.call('memory_search', { query, match: 'any' })).status).toBe(200);
    }
    expect((await memory.call('memory_stats')).data.memories).toBe(1);
  });
});

describe('memory_list', () => {
  test('lists the newest first, by tags, page by page', async () => {
    for (let n = 0; n < 23; n += 1)
      await remember({ key: `k${n}`, text: `t${n}`, tags: n % 2 === 0 ? ['even'] : ['odd'] });
    const all = (await memory.call('memory_list', { limit: 100 })).data;
    expect(keysOf(all.memories)).toEqual(Array.from({ length: 23 }, (_, i) => `k${22 - i}`));
    expect(all.nextCursor).toBeUndefined();
    const first = (await memory.call('memory_list', { tags: ['even'], limit: 10 })).data;
    const second = (await memory.call('memory_list', { tags: ['even'], limit: 10, cursor: first.nextCursor })).data;
    expect(keysOf([...first.memories, ...second.memories])).toEqual(
      Array.from({ length: 12 }, (_, i) => `k${22 - 2 * i}`),
    );
    expect(second.nextCursor).toBeUndefined();
    expect((await memory.call('memory_list')).data.memories).toHaveLength(20);
  });

  test('shows the beginning of a long text, and that there is more', async () => {
    await remember({ text: `${'ä'.repeat(300)}end` });
    await remember({ text: 'ä'.repeat(300) });
    const { memories } = (await memory.call('memory_list')).data;
    expect(
      memories.map(({ preview, truncated }: { preview: string; truncated: boolean }) => [preview.length, truncated]),
    ).toEqual([
      [300, false],
      [300, true],
    ]);
  });

  test('knows its own cursors only', async () => {
    expect(await error('memory_list', { cursor: 'x' })).toMatchObject({ code: 'invalid_cursor', retryable: false });
  });
});

describe('memory_update', () => {
  test('changes what is given and nothing else', async () => {
    const made = await remember({ key: 'k', text: 'lilies', tags: ['a'], metadata: { m: '1' }, ttlSeconds: 600 });
    const changed = (await memory.call('memory_update', { key: 'k', tags: ['b'] })).data;
    expect(changed).toMatchObject({ id: made.id, createdAt: made.createdAt, expiresAt: made.expiresAt });
    expect(Date.parse(changed.updatedAt)).toBeGreaterThanOrEqual(Date.parse(made.updatedAt));
    await memory.call('memory_update', { id: made.id, text: 'roses' });
    expect((await memory.call('memory_update', { id: made.id, keepForever: true })).data.expiresAt).toBeUndefined();
    const until2999 = (await memory.call('memory_update', { id: made.id, expiresAt: '2999-01-01T01:00:00+01:00' }))
      .data;
    expect(until2999.expiresAt).toBe('2999-01-01T00:00:00.000Z');
    expect((await memory.call('memory_recall', { key: 'k' })).data).toMatchObject({
      text: 'roses',
      tags: ['b'],
      metadata: { m: '1' },
    });
    expect((await memory.call('memory_search', { query: 'roses' })).data.results).toHaveLength(1);
    expect((await memory.call('memory_search', { query: 'lilies' })).data.results).toHaveLength(0);
  });

  test.each([
    [{ key: 'none', text: 'x' }, 'not_found'],
    [{ key: 'none' }, 'invalid_arguments'],
    [{ text: 'x' }, 'invalid_arguments'],
    [{ key: 'none', keepForever: true, ttlSeconds: 3 }, 'invalid_arguments'],
    [{ key: 'none', ttlSeconds: 3, expiresAt: '2999-01-01T00:00:00Z' }, 'invalid_arguments'],
    [{ key: 'none', expiresAt: '2020-01-01T00:00:00Z' }, 'expires_in_the_past'],
    [{ key: 'none', text: 'ß'.repeat(20_000) }, 'text_too_large'],
  ])('says no to %j', async (args, code) => {
    expect(await error('memory_update', args)).toMatchObject({ code, retryable: false });
    expect((await memory.call('memory_stats')).data.memories).toBe(0);
  });

  test('arguments that do not fit reach no server (I10)', async () => {
    expect((await memory.call('memory_update', { key: 'k', text: 3 })).status).toBe(422);
  });
});

describe('memory_forget', () => {
  test('deletes what is named, tells what was not there, and may be repeated', async () => {
    const { id } = await remember({ text: 'by id' });
    await remember({ key: 'by-key', text: 'x' });
    await remember({ key: 'stays', text: 'x' });
    const args = { ids: [id.toUpperCase(), NOWHERE], keys: ['by-key', 'nothing', 'nothing'] };
    expect((await memory.call('memory_forget', args)).data).toEqual({ forgotten: 2, notFound: ['nothing', NOWHERE] });
    expect((await memory.call('memory_forget', args)).data).toEqual({
      forgotten: 0,
      notFound: ['by-key', 'nothing', id, NOWHERE],
    });
    expect(keysOf((await memory.call('memory_list')).data.memories)).toEqual(['stays']);
  });

  test('counts one that is named twice over once', async () => {
    const { id } = await remember({ key: 'k', text: 'x' });
    expect((await memory.call('memory_forget', { ids: [id], keys: ['k'] })).data).toEqual({
      forgotten: 1,
      notFound: [],
    });
  });

  test('wants 1 to 100 names', async () => {
    expect(await error('memory_forget', {})).toMatchObject({ code: 'invalid_arguments' });
    const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
    expect(
      await error('memory_forget', {
        keys,
        ids: Array.from({ length: 41 }, (_, i) => `${NOWHERE.slice(0, -2)}${10 + i}`),
      }),
    ).toMatchObject({ code: 'invalid_arguments' });
    expect((await memory.call('memory_forget', { keys: [...keys, ...keys] })).status).toBe(422);
  });
});

test('memory_stats counts, and gives the tags most used first', async () => {
  expect((await memory.call('memory_stats')).data).toEqual({ memories: 0, maxMemories: 60, expiring: 0, tags: [] });
  await remember({ text: 'a', tags: ['x', 'y'] });
  await remember({ text: 'b', tags: ['y'], ttlSeconds: 60 });
  const { data } = await memory.call('memory_stats');
  expect(data).toMatchObject({
    memories: 2,
    expiring: 1,
    oldestAt: expect.stringMatching(ISO),
    newestAt: expect.stringMatching(ISO),
  });
  expect(data.tags).toEqual([
    { tag: 'y', count: 2 },
    { tag: 'x', count: 1 },
  ]);
  expect((await memory.call('memory_stats', { all: true })).status).toBe(422);
});

describe('what has expired', () => {
  test('is seen by nobody from that moment on, and its key is free again', async () => {
    const { id } = await remember({ key: 'hold', text: 'florist hold', tags: ['t'], ttlSeconds: 1 });
    expect((await memory.call('memory_recall', { key: 'hold' })).isError).toBe(false);
    await until('it has expired', async () => (await memory.call('memory_recall', { key: 'hold' })).isError);
    expect(await error('memory_recall', { id })).toMatchObject({ code: 'not_found' });
    expect((await memory.call('memory_search', { query: 'florist' })).data.results).toEqual([]);
    expect((await memory.call('memory_list', { tags: ['t'] })).data.memories).toEqual([]);
    expect((await memory.call('memory_stats')).data).toMatchObject({ memories: 0, expiring: 0, tags: [] });
    expect(await error('memory_update', { id, keepForever: true })).toMatchObject({ code: 'not_found' });
    expect(await database.ask('select count(*)::int as n from memory_bridge.entries')).toEqual([{ n: 1 }]);
    const again = await remember({ key: 'hold', text: 'anew' });
    expect(again).toMatchObject({ created: true });
    expect(again.id).not.toBe(id);
    await database.ask(`update memory_bridge.entries set expires_at = now() - interval '1 s'`);
    expect((await memory.call('memory_forget', { keys: ['hold'] })).data).toEqual({ forgotten: 0, notFound: ['hold'] });
  });
});
