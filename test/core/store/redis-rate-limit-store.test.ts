/** What only the shared store has to do: leave Redis tidy, and be without it for a while. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Limit, Taken } from '#core/store/rate-limit-store.ts';
import { RedisConnection } from '#core/store/redis.ts';
import { RedisRateLimitStore } from '#core/store/redis-rate-limit-store.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const limit = (perMinute: number, key = 'p'): Limit => ({ name: 'principal', key, perMinute });

let redis: TestRedis;
let connection: RedisConnection;
let store: RedisRateLimitStore;

beforeEach(async () => {
  redis = await startTestRedis({ appendfsync: 'always' });
  connection = new RedisConnection({ url: redis.url });
  store = new RedisRateLimitStore(connection);
  await back();
});

afterEach(async () => {
  await connection.close();
  await redis[Symbol.asyncDispose]();
});

const back = () => until('Redis is ready', () => connection.state === 'ready');

async function withEye<T>(look: (eye: Redis) => Promise<T>): Promise<T> {
  const eye = new Redis(redis.url);
  try {
    return await look(eye);
  } finally {
    eye.disconnect();
  }
}

function takes(count: number, of: Limit): Promise<Taken[]> {
  return Promise.all(Array.from({ length: count }, async () => store.take(of)));
}

function allowed(taken: readonly Taken[]): number {
  return taken.filter((one) => one.allowed).length;
}

it('keeps one short key per quota, and each goes by itself', async () => {
  await store.take(limit(5, `${'ü \n{}'.repeat(10_000)}`), {
    ...limit(5, 'slack:post:p'),
    name: 'tool',
  });
  await store.take(limit(5, 'planner@example.org'));
  await withEye(async (eye) => {
    const keys = (await eye.keys('*')).toSorted();
    expect(keys).toEqual([
      'mcp-bridge:rate:principal:planner@example.org',
      expect.stringMatching(/^mcp-bridge:rate:principal:~[\w-]{43}$/),
      'mcp-bridge:rate:tool:slack:post:p',
    ]);
    for (const key of keys) {
      expect(await eye.pttl(key)).toBeGreaterThan(50_000);
      expect(await eye.pttl(key)).toBeLessThanOrEqual(60_000);
    }
  });
});

it('takes one round trip a call, for two limits too', async () => {
  await store.take(limit(1_000));
  await withEye(async (eye) => {
    await eye.config('RESETSTAT');
    await takes(10, limit(1_000));
    await store.take(limit(1_000), { ...limit(1_000, 'slack:post:p'), name: 'tool' });
    expect(await eye.info('commandstats')).toMatch(/cmdstat_evalsha:calls=11,/);
  });
});

it('counts on where Redis has forgotten the script', async () => {
  expect(allowed(await takes(2, limit(3)))).toBe(2);
  await withEye((eye) => eye.script('FLUSH'));
  expect(allowed(await takes(3, limit(3)))).toBe(1);
  expect(store.stats).toEqual({ shared: 5, local: 0 });
});

it('gives an end to a count that somebody made without one', async () => {
  await withEye((eye) => eye.set('mcp-bridge:rate:principal:p', '9'));
  expect(await store.take(limit(3))).toMatchObject({ allowed: false, quota: { resetMs: 60_000 } });
  expect(await withEye((eye) => eye.pttl('mcp-bridge:rate:principal:p'))).toBeGreaterThan(50_000);
});

it('counts by itself where Redis answers with errors', async () => {
  await withEye((eye) => eye.lpush('mcp-bridge:rate:principal:p', 'not a count'));
  expect(allowed(await takes(5, limit(3)))).toBe(3);
  expect(store.stats).toEqual({ shared: 0, local: 5 });
});

it('holds each process to the quota by itself while Redis is dead, and counts on there once it is back (D1, D2)', async () => {
  expect(allowed(await takes(4, limit(10)))).toBe(4);
  await redis.kill();
  expect(allowed(await takes(30, limit(10)))).toBe(10);
  await until('Redis is known to be away', () => connection.state === 'away');
  expect(store.take(limit(10))).toMatchObject({ allowed: false, quota: { remaining: 0 } });
  expect(store.stats).toEqual({ shared: 4, local: 31 });
  await redis.restart();
  await back();
  expect(allowed(await takes(30, limit(10)))).toBe(6);
  expect(store.stats).toEqual({ shared: 34, local: 31 });
});

it('waits once for a Redis that hangs, then for nothing, and counts on there afterwards (D3)', async () => {
  expect(allowed(await takes(4, limit(10)))).toBe(4);
  redis.pause();
  try {
    expect(allowed(await takes(30, limit(10)))).toBe(10);
    expect(connection.state).toBe('away');
    expect(store.take(limit(10))).not.toBeInstanceOf(Promise);
    expect(connection.stats.timeouts).toBe(1);
  } finally {
    redis.resume();
  }
  await back();
  const [next] = await takes(1, limit(1_000));
  // What Redis still found in the socket of the lost connection may have been counted there too.
  expect(next?.quota.remaining).toBeLessThanOrEqual(1_000 - 4 - 1);
  expect(next?.quota.remaining).toBeGreaterThanOrEqual(1_000 - 10 - 1);
});

it('is a store of its own process where Redis is not there at the start (D1)', async () => {
  await using elsewhere = new RedisConnection({ url: 'redis://127.0.0.1:1' });
  const alone = new RedisRateLimitStore(elsewhere);
  const taken = await Promise.all(Array.from({ length: 20 }, async () => alone.take(limit(7))));
  expect(allowed(taken)).toBe(7);
  expect(alone.stats).toEqual({ shared: 0, local: 20 });
});
