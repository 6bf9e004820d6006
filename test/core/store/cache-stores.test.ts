import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { CacheStore } from '#core/store/cache-store.ts';
import { MemoryCacheStore } from '#core/store/memory-cache-store.ts';
import { RedisConnection } from '#core/store/redis.ts';
import { RedisCacheStore } from '#core/store/redis-cache-store.ts';
import { startTestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

interface Opened extends AsyncDisposable {
  readonly store: CacheStore;
}

/** What both stores promise; each test has one of its own. */
const STORES: readonly { readonly name: string; readonly open: () => Promise<Opened> }[] = [
  {
    name: 'memory',
    open: async () => ({ store: new MemoryCacheStore(), async [Symbol.asyncDispose]() {} }),
  },
  {
    name: 'Redis',
    open: async () => {
      const server = await startTestRedis();
      const redis = new RedisConnection({ url: server.url });
      return {
        store: new RedisCacheStore(redis),
        async [Symbol.asyncDispose]() {
          await redis.close();
          await server[Symbol.asyncDispose]();
        },
      };
    },
  },
];

const bytes = (text: string) => Buffer.from(text);

describe.each(STORES)('a cache in $name', ({ open }) => {
  it('finds nothing where nothing was kept', async () => {
    await using opened = await open();
    expect(await opened.store.get('a')).toBeUndefined();
  });

  it('gives back what was kept, byte by byte, however many pieces it came in', async () => {
    await using opened = await open();
    const { store } = opened;
    const noise = randomBytes(100_000);
    await store.set('noise', [noise.subarray(0, 1), noise.subarray(1, 70_000), noise.subarray(70_000)], 60_000);
    await store.set('text', [bytes('{"text":"aé€😀"}')], 60_000);
    await store.set('empty', [], 60_000);
    expect(Buffer.compare((await store.get('noise'))?.body ?? bytes(''), noise)).toBe(0);
    expect(Buffer.from((await store.get('text'))?.body ?? []).toString()).toBe('{"text":"aé€😀"}');
    expect((await store.get('empty'))?.body.length).toBe(0);
  });

  it('keeps a copy: what becomes of the bytes afterwards does not matter', async () => {
    await using opened = await open();
    const given = bytes('{"a":1}');
    await opened.store.set('a', [given], 60_000);
    given.fill(0);
    expect(Buffer.from((await opened.store.get('a'))?.body ?? []).toString()).toBe('{"a":1}');
  });

  it('replaces what was kept before, age and life included', async () => {
    await using opened = await open();
    const { store } = opened;
    await store.set('a', [bytes('old')], 60_000);
    await until('it has an age', async () => ((await store.get('a'))?.ageMs ?? 0) >= 100);
    const replacedAtMs = performance.now();
    await store.set('a', [bytes('new')], 1_000_000);
    const kept = await store.get('a');
    expect(Buffer.from(kept?.body ?? []).toString()).toBe('new');
    expect(kept?.ageMs).toBeLessThanOrEqual(performance.now() - replacedAtMs + 1);
  });

  it('tells an age that grows, and forgets when the life is over', async () => {
    await using opened = await open();
    const { store } = opened;
    const startedAtMs = performance.now();
    await store.set('a', [bytes('{}')], 500);
    let lastAgeMs = -1;
    await until('it is forgotten', async () => {
      const kept = await store.get('a');
      if (kept === undefined) return true;
      expect(kept.ageMs).toBeGreaterThanOrEqual(lastAgeMs);
      expect(kept.ageMs).toBeLessThanOrEqual(performance.now() - startedAtMs + 1);
      lastAgeMs = kept.ageMs;
      return false;
    });
    expect(lastAgeMs).toBeGreaterThan(0);
  });
});

describe('a cache in memory', () => {
  it('measures ages and lives by the clock it is given', async () => {
    let nowMs = 5;
    const store = new MemoryCacheStore({ now: () => nowMs });
    await store.set('a', [bytes('{}')], 1_000);
    nowMs += 999;
    expect(store.get('a')?.ageMs).toBe(999);
    nowMs += 2;
    expect(store.get('a')).toBeUndefined();
  });

  it('holds so many answers and lets go of the one that was not asked for the longest', async () => {
    const store = new MemoryCacheStore({ maxAnswers: 3 });
    for (const key of ['a', 'b', 'c']) await store.set(key, [bytes(key)], 60_000);
    store.get('a');
    await store.set('d', [bytes('d')], 60_000);
    expect(store.size).toBe(3);
    expect(store.get('b')).toBeUndefined();
    expect(store.get('a')).toBeDefined();
  });

  it('holds so many bytes, and small answers have their price', async () => {
    const store = new MemoryCacheStore({ maxBytes: 100_000 });
    for (let n = 0; n < 1_000; n++) {
      await store.set(`large ${n}`, [Buffer.alloc(9_000)], 60_000);
      expect(store.bytes).toBeLessThanOrEqual(100_000);
    }
    expect(store.size).toBe(10);
    for (let n = 0; n < 1_000; n++) await store.set(`small ${n}`, [bytes('{}')], 60_000);
    expect(store.size).toBeLessThan(200);
  });

  it('keeps the bytes of the answer and nothing of the read that they came in', async () => {
    const store = new MemoryCacheStore();
    for (const length of [10, 10_000]) {
      await store.set('a', [Buffer.alloc(1_048_576).subarray(100, 100 + length)], 60_000);
      expect(store.get('a')?.body.buffer.byteLength).toBe(length);
    }
  });
});

describe('a cache in Redis', () => {
  it('is one cache for all who use that Redis', async () => {
    await using server = await startTestRedis();
    await using here = new RedisConnection({ url: server.url });
    await using there = new RedisConnection({ url: server.url });
    await new RedisCacheStore(here).set('a', [bytes('{"a":1}')], 60_000);
    const kept = await new RedisCacheStore(there).get('a');
    expect(Buffer.from(kept?.body ?? []).toString()).toBe('{"a":1}');
  });

  it('leaves nothing there that does not end by itself', async () => {
    await using server = await startTestRedis();
    await using redis = new RedisConnection({ url: server.url });
    await new RedisCacheStore(redis).set('a', [bytes('{}')], 30_000);
    const keys = await redis.run((client) => client.keys('*'));
    expect(keys.sort()).toEqual(['mcp-bridge:cache:a', 'mcp-bridge:cache:book']);
    for (const key of keys) expect(await redis.run((client) => client.pttl(key))).toBeGreaterThan(0);
  });

  it('holds so many bytes, so that Redis never fills, and has room again when their life is over', async () => {
    await using server = await startTestRedis();
    await using redis = new RedisConnection({ url: server.url });
    const store = new RedisCacheStore(redis, { maxBytes: 10 * 1_204 });
    for (let n = 0; n < 20; n++) await store.set(`a${n}`, [Buffer.alloc(1_000)], n < 5 ? 1_000 : 86_400_000);
    expect(await redis.run((client) => client.dbsize())).toBe(10 + 1);
    await until(
      'there is room again',
      async () => {
        await store.set('later', [Buffer.alloc(1_000)], 60_000);
        return store.get('later');
      },
      { timeoutMs: 20_000 },
    );
    for (let n = 0; n < 20; n++) await store.set(`b${n}`, [Buffer.alloc(1_000)], 60_000);
    expect(await redis.run((client) => client.dbsize())).toBe(10 + 1);
  });

  it('counts an answer that replaces another once', async () => {
    await using server = await startTestRedis();
    await using redis = new RedisConnection({ url: server.url });
    const store = new RedisCacheStore(redis, { maxBytes: 3_000 });
    for (let n = 0; n < 50; n++) await store.set('a', [Buffer.alloc(1_000, n)], 3_600_000);
    expect((await store.get('a'))?.body[0]).toBe(49);
    await store.set('b', [Buffer.alloc(1_000)], 60_000);
    expect(await store.get('b')).toBeDefined();
  });

  it('forgets what it has no room to replace', async () => {
    await using server = await startTestRedis();
    await using redis = new RedisConnection({ url: server.url });
    const store = new RedisCacheStore(redis, { maxBytes: 1_000 });
    await store.set('a', [Buffer.alloc(100)], 60_000);
    await store.set('a', [Buffer.alloc(2_000)], 60_000);
    expect(await store.get('a')).toBeUndefined();
    await store.set('b', [Buffer.alloc(700)], 60_000);
    expect(await store.get('b')).toBeDefined();
  });

  it('is an empty one while Redis is away, and works again without being told', async () => {
    await using server = await startTestRedis();
    await using redis = new RedisConnection({ url: server.url });
    const store = new RedisCacheStore(redis);
    await store.set('a', [bytes('{}')], 60_000);
    await server.kill();
    await until('Redis is known to be away', () => redis.state === 'away');
    expect(await store.get('a')).toBeUndefined();
    await store.set('a', [bytes('{}')], 60_000);
    await server.restart();
    await until('it works again', async () => {
      await store.set('b', [bytes('{}')], 60_000);
      return (await store.get('b')) !== undefined;
    });
    expect(await store.get('a')).toBeUndefined();
  });

  it('is an empty one while Redis hangs, or refuses', async () => {
    await using server = await startTestRedis();
    await using redis = new RedisConnection({ url: server.url });
    const store = new RedisCacheStore(redis);
    await redis.run((client) => client.lpush('mcp-bridge:cache:a', 'a list is no answer'));
    expect(await store.get('a')).toBeUndefined();
    await redis.run((client) => client.config('SET', 'maxmemory', '1'));
    await store.set('b', [bytes('{}')], 60_000);
    expect(await store.get('b')).toBeUndefined();
    server.pause();
    try {
      expect(await store.get('a')).toBeUndefined();
      await store.set('b', [bytes('{}')], 60_000);
    } finally {
      server.resume();
    }
  });
});
