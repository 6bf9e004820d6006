/** What both stores promise, held against each; the shared one on a real Redis. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MemoryRateLimitStore } from '#core/store/memory-rate-limit-store.ts';
import type { Limit, RateLimitStore, Taken } from '#core/store/rate-limit-store.ts';
import { RedisConnection } from '#core/store/redis.ts';
import { RedisRateLimitStore } from '#core/store/redis-rate-limit-store.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

/** A store, a second way into the same counts, and what moves its time. */
interface Subject {
  readonly store: RateLimitStore;
  readonly replica: RateLimitStore;
  /** Lets this much of every running window pass. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** How much of a real minute may pass by itself while a test runs. */
const SLACK_MS = 5_000;

const ofPrincipal = (perMinute: number, key = 'p'): Limit => ({ name: 'principal', key, perMinute });
const ofTool = (perMinute: number, key = 'slack:post:p'): Limit => ({ name: 'tool', key, perMinute });

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

async function inMemory(): Promise<Subject> {
  let now = 1_000;
  const store = new MemoryRateLimitStore(() => now);
  return {
    store,
    replica: store,
    pass: async (ms) => {
      now += ms;
    },
    close: async () => undefined,
  };
}

async function inRedis(): Promise<Subject> {
  // However busy the machine: nothing here is to be counted elsewhere.
  const options = { url: redis.url, commandTimeoutMs: 10_000 };
  const connections = [new RedisConnection(options), new RedisConnection(options)] as const;
  const eye = new Redis(redis.url);
  await eye.flushall();
  return {
    store: new RedisRateLimitStore(connections[0]),
    replica: new RedisRateLimitStore(connections[1]),
    pass: async (ms) => {
      for (const key of await eye.keys('*')) await eye.pexpire(key, Math.max(0, (await eye.pttl(key)) - ms));
    },
    close: async () => {
      for (const connection of connections) await connection.close();
      eye.disconnect();
    },
  };
}

async function takes(store: RateLimitStore, count: number, ...limits: [Limit, Limit?]): Promise<Taken[]> {
  return Promise.all(Array.from({ length: count }, async () => store.take(...limits)));
}

function allowed(taken: readonly Taken[]): number {
  return taken.filter((one) => one.allowed).length;
}

describe.each([
  ['in memory', inMemory],
  ['in Redis', inRedis],
])('quotas %s', (_, make) => {
  let subject: Subject;
  beforeEach(async () => {
    subject = await make();
  });
  afterEach(() => subject.close());

  it('allow exactly their limit of many calls at once (S8)', async () => {
    const taken = await takes(subject.store, 200, ofPrincipal(37));
    expect(allowed(taken)).toBe(37);
    expect(taken.filter((one) => one.allowed).map((one) => one.quota.remaining)).toEqual(
      Array.from({ length: 37 }, (_none, index) => 36 - index),
    );
    expect(taken.filter((one) => !one.allowed).every((one) => one.quota.remaining === 0)).toBe(true);
  });

  it('allow exactly their limit of two replicas together (S8)', async () => {
    const [here, there] = await Promise.all([
      takes(subject.store, 100, ofPrincipal(50)),
      takes(subject.replica, 100, ofPrincipal(50)),
    ]);
    expect(allowed(here) + allowed(there)).toBe(50);
  });

  it('are full again when the minute that their first call began is over, and not before', async () => {
    await takes(subject.store, 1, ofPrincipal(3));
    await subject.pass(30_000);
    expect(allowed(await takes(subject.store, 5, ofPrincipal(3)))).toBe(2);
    await subject.pass(30_000 - SLACK_MS);
    const [late] = await takes(subject.store, 1, ofPrincipal(3));
    expect(late?.allowed).toBe(false);
    expect(late?.quota.resetMs).toBeLessThanOrEqual(SLACK_MS);
    await subject.pass(SLACK_MS);
    expect(allowed(await takes(subject.store, 5, ofPrincipal(3)))).toBe(3);
  });

  it('do not move the end of the window by calls that are refused', async () => {
    await takes(subject.store, 1, ofPrincipal(1));
    await subject.pass(20_000);
    const [refused] = await takes(subject.store, 1, ofPrincipal(1));
    expect(refused?.quota.resetMs).toBeLessThanOrEqual(40_000);
    expect(refused?.quota.resetMs).toBeGreaterThan(40_000 - SLACK_MS);
    await subject.pass(40_000);
    expect((await subject.store.take(ofPrincipal(1))).allowed).toBe(true);
  });

  it('count a call against both limits or against none', async () => {
    expect(allowed(await takes(subject.store, 20, ofPrincipal(10), ofTool(4)))).toBe(4);
    expect((await subject.store.take(ofPrincipal(10))).quota).toMatchObject({ name: 'principal', remaining: 5 });
    expect(allowed(await takes(subject.store, 20, ofPrincipal(10)))).toBe(5);
    expect((await subject.store.take(ofPrincipal(10), ofTool(9, 'slack:list:p'))).allowed).toBe(false);
    expect((await subject.store.take(ofTool(9, 'slack:list:p'))).quota).toMatchObject({ remaining: 8 });
  });

  it('tell the limit with less left; where both are used up, the one that lasts longer', async () => {
    expect((await subject.store.take(ofPrincipal(10), ofTool(4))).quota).toMatchObject({ name: 'tool', remaining: 3 });
    expect((await subject.store.take(ofPrincipal(3), ofTool(9))).quota).toMatchObject({
      name: 'principal',
      remaining: 1,
    });
    await takes(subject.store, 10, ofTool(2, 'a'));
    await subject.pass(20_000);
    await takes(subject.store, 10, ofPrincipal(2, 'late'));
    const both = await subject.store.take(ofPrincipal(2, 'late'), ofTool(2, 'a'));
    expect(both).toMatchObject({ allowed: false, quota: { name: 'principal', remaining: 0 } });
    expect(both.quota.resetMs).toBeGreaterThan(40_000);
  });

  it('start no window by a call that is refused', async () => {
    await takes(subject.store, 1, ofTool(1));
    await subject.pass(20_000);
    expect((await subject.store.take(ofPrincipal(5), ofTool(1))).allowed).toBe(false);
    const { quota } = await subject.store.take(ofPrincipal(5));
    expect(quota.remaining).toBe(4);
    expect(quota.resetMs).toBeGreaterThan(60_000 - SLACK_MS);
  });

  it('allow nothing where the limit is 0', async () => {
    expect(await subject.store.take(ofPrincipal(0))).toEqual({
      allowed: false,
      quota: { name: 'principal', perMinute: 0, remaining: 0, resetMs: 60_000 },
    });
  });

  it('take the count over where the limit is changed', async () => {
    await takes(subject.store, 4, ofPrincipal(4));
    expect(allowed(await takes(subject.store, 9, ofPrincipal(6)))).toBe(2);
    expect(await subject.store.take(ofPrincipal(2))).toMatchObject({ allowed: false, quota: { remaining: 0 } });
  });

  it('belong to one key each, whatever it holds', async () => {
    const keys = ['a', 'a b', '{a}', '\r\n', `${'x'.repeat(9_000)}`];
    for (const key of keys) expect(allowed(await takes(subject.store, 3, ofPrincipal(2, key)))).toBe(2);
  });
});
