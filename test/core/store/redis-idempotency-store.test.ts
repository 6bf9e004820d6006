import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MAX_OUTCOME_BYTES } from '#core/store/idempotency-store.ts';
import { RedisConnection } from '#core/store/redis.ts';
import { RedisIdempotencyStore } from '#core/store/redis-idempotency-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const MINUTE = 60_000;
const DAY_MS = 24 * 60 * MINUTE;

interface Replica {
  readonly redis: RedisConnection;
  readonly store: RedisIdempotencyStore;
}

let stack: AsyncDisposableStack;

beforeEach(() => {
  stack = new AsyncDisposableStack();
});

afterEach(async () => {
  vi.useRealTimers();
  await stack.disposeAsync();
});

async function server(options?: Parameters<typeof startTestRedis>[0]): Promise<TestRedis> {
  return stack.use(await startTestRedis(options));
}

/** Patient where the test is not about time: on a busy machine Redis may get no turn for a while. */
function replica(url: string, commandTimeoutMs = 3_000): Replica {
  const redis = stack.use(new RedisConnection({ url, commandTimeoutMs }));
  return { redis, store: new RedisIdempotencyStore(redis) };
}

function usable({ redis }: Replica): Promise<unknown> {
  return until('Redis is in use again', () => redis.state === 'ready', { timeoutMs: 5_000 });
}

describe('idempotency records that replicas share', () => {
  it('of 50 claims at once on three replicas one is the first (P2)', async () => {
    const { url } = await server();
    const replicas = [replica(url), replica(url), replica(url)];
    for (let turn = 0; turn < 5; turn++) {
      const claims = await Promise.all(
        Array.from({ length: 50 }, (_, i) => replicas[i % 3]?.store.claim(`k${turn}`, 'f', MINUTE, `t${i}`)),
      );
      expect(claims.filter((claim) => claim?.state === 'claimed')).toHaveLength(1);
      expect(claims.filter((claim) => claim?.state === 'in_flight')).toHaveLength(49);
    }
  });

  it('what one replica recorded another tells (P1)', async () => {
    const { url } = await server();
    const [one, other] = [replica(url), replica(url)];
    await one.store.claim('k', 'f', MINUTE, 'a');
    await one.store.complete('k', 'a', Buffer.from([0, 255, 13, 10]));
    expect(await other.store.claim('k', 'f', MINUTE, 'b')).toEqual({
      state: 'done',
      outcome: Buffer.from([0, 255, 13, 10]),
    });
  });

  it('many long outcomes asked for at once do not make Redis silent', async () => {
    const one = replica((await server()).url, 600);
    const outcome = randomBytes(MAX_OUTCOME_BYTES);
    await one.store.claim('k', 'f', MINUTE, 'a');
    await one.store.complete('k', 'a', outcome);
    const claims = await Promise.all(Array.from({ length: 24 }, (_, i) => one.store.claim('k', 'f', MINUTE, `b${i}`)));
    for (const claim of claims) expect(claim.state === 'done' && outcome.equals(claim.outcome)).toBe(true);
    expect(one.redis.stats).toMatchObject({ state: 'ready', timeouts: 0 });
  });

  it('many long outcomes recorded at once go to Redis one after the other', async () => {
    const one = replica((await server()).url);
    const outcome = randomBytes(300_000);
    const names = Array.from({ length: 8 }, (_, i) => `k${i}`);
    for (const name of names) await one.store.claim(name, 'f', MINUTE, 'a');
    const run = one.redis.run.bind(one.redis);
    let long = 0;
    const atOnce: number[] = [];
    vi.spyOn(one.redis, 'run').mockImplementation(async (operation, sentBytes = 0) => {
      if (sentBytes > 0) atOnce.push(++long);
      return run(operation, sentBytes).finally(() => {
        if (sentBytes > 0) long--;
      });
    });
    const all = names.map((name) => one.store.complete(name, 'a', outcome));
    await expect(one.store.claim('other', 'f', MINUTE, 'a')).resolves.toEqual({ state: 'claimed' });
    expect(await Promise.all(all)).toEqual(names.map(() => true));
    expect(atOnce).toEqual(names.map(() => 1));
  });

  it('a long outcome that is gone by the time it is read is claimed anew, and never that of other arguments', async () => {
    const { redis, store } = replica((await server()).url);
    const long = (byte: number) => Buffer.alloc(300_000, byte);
    const record = 'mcp-bridge:idempotency:k';
    const claimWhile = async (change: (client: Redis) => Promise<unknown>): Promise<unknown> => {
      await redis.run((client) => client.del(record));
      await store.claim('k', 'f', MINUTE, 'a');
      await store.complete('k', 'a', long(1));
      const run = redis.run.bind(redis);
      let operations = 0;
      const spy = vi.spyOn(redis, 'run').mockImplementation(async (operation, sentBytes) => {
        operations += 1;
        if (operations === 2) await run(change);
        return run(operation, sentBytes);
      });
      const claim = await store.claim('k', 'f', MINUTE, 'b');
      spy.mockRestore();
      return claim;
    };
    expect(await claimWhile((client) => client.del(record))).toEqual({ state: 'claimed' });
    const others = (client: Redis) => client.hset(record, { fingerprint: 'other', outcome: long(2), leaseEnd: 0 });
    expect(await claimWhile(others)).toEqual({ state: 'reused' });
    const later = (client: Redis) => client.hset(record, { outcome: long(3) });
    expect(await claimWhile(later)).toEqual({ state: 'done', outcome: long(3) });
  });

  it('a record is kept for 24 hours from its claim, in one key of ours (P7)', async () => {
    const { redis, store } = replica((await server()).url);
    await store.claim('a{b}c', 'f', MINUTE, 'a');
    expect(await redis.run((client) => client.keys('*'))).toEqual(['mcp-bridge:idempotency:a{b}c']);
    const [key = ''] = await redis.run((client) => client.keys('*'));
    await redis.run((client) => client.pexpire(key, DAY_MS - MINUTE));
    await store.complete('a{b}c', 'a', Buffer.from('{}'));
    const left = await redis.run((client) => client.pttl(key));
    expect(left).toBeGreaterThan(DAY_MS - 2 * MINUTE);
    expect(left).toBeLessThanOrEqual(DAY_MS - MINUTE);
    await store.claim('fresh', 'f', MINUTE, 'a');
    const fresh = await redis.run((client) => client.pttl('mcp-bridge:idempotency:fresh'));
    expect(fresh).toBeGreaterThan(DAY_MS - MINUTE);
    expect(fresh).toBeLessThanOrEqual(DAY_MS);
  });

  it.each([1, -1])('a clock of this machine that jumps by %i h changes no lease (D7)', async (hours) => {
    const { store } = replica((await server()).url);
    await store.claim('k', 'f', MINUTE, 'a');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * 60 * MINUTE });
    const claim = await store.claim('k', 'f', MINUTE, 'b');
    expect(claim.state === 'in_flight' && claim.leaseLeftMs > MINUTE / 2 && claim.leaseLeftMs <= MINUTE).toBe(true);
  });

  it('a Redis that forgot the scripts is sent them again', async () => {
    const { redis, store } = replica((await server()).url);
    await store.claim('k', 'f', MINUTE, 'a');
    await redis.run((client) => client.script('FLUSH'));
    expect(await store.complete('k', 'a', Buffer.from([0, 255]))).toBe(true);
    await redis.run((client) => client.script('FLUSH'));
    expect(await store.claim('k', 'f', MINUTE, 'b')).toEqual({ state: 'done', outcome: Buffer.from([0, 255]) });
  });

  it('with appendfsync always nothing recorded is lost by a kill (P5)', async () => {
    const killed = await server({ appendfsync: 'always' });
    const one = replica(killed.url);
    await one.store.claim('flying', 'f', MINUTE, 'a');
    await one.store.claim('done', 'f', MINUTE, 'a');
    await one.store.complete('done', 'a', Buffer.from('{}'));
    await killed.restart();
    await until('the loss was noticed', () => one.redis.stats.outages === 1);
    await usable(one);
    expect(await one.store.claim('flying', 'f', MINUTE, 'b')).toMatchObject({ state: 'in_flight' });
    expect(await one.store.claim('done', 'f', MINUTE, 'b')).toMatchObject({ state: 'done' });
    expect(await one.store.complete('flying', 'a', Buffer.from('{}'))).toBe(true);
  });
});

describe('idempotency records while Redis is away', () => {
  it('every method says so, whether Redis was killed or hangs (D2, D3)', async () => {
    const gone = await server();
    const one = replica(gone.url, 1_000);
    await one.store.claim('k', 'f', MINUTE, 'a');
    const attempts = () => [
      one.store.claim('l', 'f', MINUTE, 'a'),
      one.store.complete('k', 'a', Buffer.from('{}')),
      one.store.release('k', 'a'),
      one.store.takeOver('k', 'f', MINUTE, 'b', undefined),
      one.store.giveBack('k', 'a'),
    ];
    for (const leave of [() => gone.pause(), () => gone.kill()]) {
      await leave();
      for (let turn = 0; turn < 2; turn++) {
        for (const attempt of await Promise.allSettled(attempts())) {
          expect(attempt.status === 'rejected' && attempt.reason).toBeInstanceOf(StoreUnavailableError);
        }
      }
    }
    await gone.restart();
    await usable(one);
    expect(await one.store.claim('l', 'f', MINUTE, 'b')).toEqual({ state: 'claimed' });
  });

  it('a claim that a hanging Redis took after all is released by the token of its claimer (D3)', async () => {
    const hung = await server();
    const one = replica(hung.url, 1_000);
    await one.store.claim('warm', 'f', MINUTE, 'a');
    hung.pause();
    await expect(one.store.claim('k', 'f', MINUTE, 'a')).rejects.toThrow(StoreUnavailableError);
    hung.resume();
    await usable(one);
    expect(await one.store.claim('k', 'f', MINUTE, 'b')).toMatchObject({ state: 'in_flight' });
    await one.store.release('k', 'a');
    expect(await one.store.claim('k', 'f', MINUTE, 'b')).toEqual({ state: 'claimed' });
  });
});
