import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Claim, type IdempotencyStore, MAX_OUTCOME_BYTES } from '#core/store/idempotency-store.ts';
import { MemoryIdempotencyStore } from '#core/store/memory-idempotency-store.ts';
import { RedisConnection } from '#core/store/redis.ts';
import { RedisIdempotencyStore } from '#core/store/redis-idempotency-store.ts';
import { startTestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const MINUTE = 60_000;

/** A store, and how its time passes while a test polls. */
interface Subject {
  store(options?: { readonly ttlMs?: number }): IdempotencyStore;
  tick(): void;
}

const stack = new AsyncDisposableStack();
let redis: RedisConnection;

beforeAll(async () => {
  const { url } = stack.use(await startTestRedis());
  redis = stack.use(new RedisConnection({ url, commandTimeoutMs: 5_000 }));
});

afterAll(() => stack.disposeAsync());

function memorySubject(): Subject {
  let now = 0;
  return {
    store: (options) => new MemoryIdempotencyStore({ ...options, now: () => now }),
    tick: () => {
      now += 5;
    },
  };
}

function redisSubject(): Subject {
  return { store: (options) => new RedisIdempotencyStore(redis, options), tick: () => {} };
}

describe.each([
  ['in memory', memorySubject],
  ['in Redis', redisSubject],
])('idempotency records %s', (_, subject) => {
  let store: IdempotencyStore;
  let open: Subject['store'];
  let tick: Subject['tick'];
  beforeAll(() => {
    ({ store: open, tick } = subject());
    store = open();
  });
  const key = () => `planner/slack/post_message/${randomUUID()}`;
  const claimUntil = (store: IdempotencyStore, name: string, state: Claim['state']) =>
    until(`the key is ${state}`, async () => {
      tick();
      return (await store.claim(name, 'f', MINUTE, randomUUID())).state === state;
    });

  it('a new key is claimed, and in flight for whoever comes next', async () => {
    const name = key();
    expect(await store.claim(name, 'f', MINUTE, 'a')).toEqual({ state: 'claimed' });
    const second = await store.claim(name, 'f', MINUTE, 'b');
    expect(second).toEqual({ state: 'in_flight', leaseLeftMs: expect.any(Number) });
    if (second.state !== 'in_flight') return;
    expect(second.leaseLeftMs).toBeGreaterThan(MINUTE - 10_000);
    expect(second.leaseLeftMs).toBeLessThanOrEqual(MINUTE);
  });

  it('of 50 claims at once one is the first (P2)', async () => {
    const name = key();
    const claims = await Promise.all(Array.from({ length: 50 }, (_, i) => store.claim(name, 'f', MINUTE, `t${i}`)));
    expect(claims.filter(({ state }) => state === 'claimed')).toHaveLength(1);
    expect(claims.filter(({ state }) => state === 'in_flight')).toHaveLength(49);
  });

  it('what was recorded is told again, byte for byte, as often as asked (P1)', async () => {
    const name = key();
    const outcome = Buffer.from([...Array(256).keys(), 13, 10, 0, 255]);
    await store.claim(name, 'f', MINUTE, 'a');
    expect(await store.complete(name, 'a', outcome)).toBe(true);
    for (let turn = 0; turn < 2; turn++) {
      const claim = await store.claim(name, 'f', MINUTE, `b${turn}`);
      expect(claim.state === 'done' && Buffer.compare(claim.outcome, outcome)).toBe(0);
    }
  });

  it('an empty outcome is one', async () => {
    const name = key();
    await store.claim(name, 'f', MINUTE, 'a');
    await store.complete(name, 'a', new Uint8Array(0));
    expect(await store.claim(name, 'f', MINUTE, 'b')).toMatchObject({ state: 'done' });
  });

  it('the longest outcome is kept whole, a longer one is refused before it is sent', async () => {
    const name = key();
    const longest = randomBytes(MAX_OUTCOME_BYTES);
    await store.claim(name, 'f', MINUTE, 'a');
    await expect(store.complete(name, 'a', new Uint8Array(MAX_OUTCOME_BYTES + 1))).rejects.toThrow(RangeError);
    expect(await store.complete(name, 'a', longest)).toBe(true);
    const claim = await store.claim(name, 'f', MINUTE, 'b');
    expect(claim.state === 'done' && Buffer.compare(claim.outcome, longest)).toBe(0);
  });

  it('a piece of a larger buffer is kept as that piece', async () => {
    const name = key();
    const larger = Buffer.from('before|outcome|after');
    await store.claim(name, 'f', MINUTE, 'a');
    await store.complete(name, 'a', larger.subarray(7, 14));
    larger.fill('x');
    const claim = await store.claim(name, 'f', MINUTE, 'b');
    expect(claim.state === 'done' && Buffer.from(claim.outcome).toString()).toBe('outcome');
  });

  it('the same key with other arguments is reused, in flight, lost or done (P3)', async () => {
    const [flying, lost, done] = [key(), key(), key()];
    await store.claim(flying, 'f', MINUTE, 'a');
    await store.claim(lost, 'f', 1, 'a');
    await claimUntil(store, lost, 'lost');
    await store.claim(done, 'f', MINUTE, 'a');
    await store.complete(done, 'a', Buffer.from('{}'));
    for (const name of [flying, lost, done]) {
      expect(await store.claim(name, 'g', MINUTE, 'b')).toEqual({ state: 'reused' });
    }
  });

  it('a lease that runs out without an outcome leaves the key lost, for everybody (P5)', async () => {
    const name = key();
    await store.claim(name, 'f', 40, 'a');
    await claimUntil(store, name, 'lost');
    expect(await store.claim(name, 'f', MINUTE, 'b')).toEqual({ state: 'lost' });
    expect(await store.claim(name, 'f', MINUTE, 'a')).toEqual({ state: 'lost' });
  });

  it('a living owner may record after its lease ran out', async () => {
    const name = key();
    await store.claim(name, 'f', 1, 'a');
    await claimUntil(store, name, 'lost');
    expect(await store.complete(name, 'a', Buffer.from('late'))).toBe(true);
    expect(await store.claim(name, 'f', MINUTE, 'b')).toMatchObject({ state: 'done' });
  });

  it('what is recorded stays: recording again changes nothing', async () => {
    const name = key();
    await store.claim(name, 'f', MINUTE, 'a');
    await store.complete(name, 'a', Buffer.from('first'));
    expect(await store.complete(name, 'a', Buffer.from('second'))).toBe(true);
    const claim = await store.claim(name, 'f', MINUTE, 'b');
    expect(claim.state === 'done' && Buffer.from(claim.outcome).toString()).toBe('first');
  });

  it('a foreign token records nothing and releases nothing', async () => {
    const name = key();
    await store.claim(name, 'f', MINUTE, 'a');
    expect(await store.complete(name, 'b', Buffer.from('theirs'))).toBe(false);
    await store.release(name, 'b');
    expect(await store.claim(name, 'f', MINUTE, 'c')).toMatchObject({ state: 'in_flight' });
  });

  it('nothing is recorded or released of a key that nobody claimed', async () => {
    const name = key();
    expect(await store.complete(name, 'a', Buffer.from('{}'))).toBe(false);
    await store.release(name, 'a');
    expect(await store.claim(name, 'f', MINUTE, 'a')).toEqual({ state: 'claimed' });
  });

  it('a released key may be claimed anew, with other arguments too (P4)', async () => {
    const name = key();
    await store.claim(name, 'f', MINUTE, 'a');
    await store.release(name, 'a');
    expect(await store.claim(name, 'g', MINUTE, 'b')).toEqual({ state: 'claimed' });
    expect(await store.complete(name, 'a', Buffer.from('{}'))).toBe(false);
  });

  it('a recorded outcome is not released', async () => {
    const name = key();
    await store.claim(name, 'f', MINUTE, 'a');
    await store.complete(name, 'a', Buffer.from('{}'));
    await store.release(name, 'a');
    expect(await store.claim(name, 'f', MINUTE, 'b')).toMatchObject({ state: 'done' });
  });

  it('a record expires so long after its claim, whatever happened since (P7)', async () => {
    const brief = open({ ttlMs: 150 });
    const [flying, done] = [key(), key()];
    await brief.claim(flying, 'f', MINUTE, 'a');
    await brief.claim(done, 'f', MINUTE, 'a');
    await brief.complete(done, 'a', Buffer.from('{}'));
    expect(await brief.claim(done, 'f', MINUTE, 'b')).toMatchObject({ state: 'done' });
    await claimUntil(brief, flying, 'claimed');
    await claimUntil(brief, done, 'claimed');
    expect(await brief.complete(flying, 'a', Buffer.from('{}'))).toBe(false);
  });

  it('keys are told apart to the byte', async () => {
    const name = key();
    for (const variant of [name, `${name} `, `{${name}}`, `${name}\u0000`, `${name}*`]) {
      expect(await store.claim(variant, 'f', MINUTE, 'a')).toEqual({ state: 'claimed' });
    }
  });
});
