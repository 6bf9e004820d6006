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

  describe('taken over', () => {
    const OLD = Buffer.from('old');

    async function lost(): Promise<string> {
      const name = key();
      await store.claim(name, 'f', 1, 'first');
      await claimUntil(store, name, 'lost');
      return name;
    }

    async function done(outcome: Uint8Array = OLD): Promise<string> {
      const name = key();
      await store.claim(name, 'f', MINUTE, 'first');
      await store.complete(name, 'first', outcome);
      return name;
    }

    const begins = [
      ['lost', lost, undefined],
      ['done', done, OLD],
    ] as const;
    const claimed = (name: string) => store.claim(name, 'f', MINUTE, randomUUID());

    it.each(begins)(
      'a %s record is in flight for everybody else, and its new owner records in its place',
      async (_state, begin, expected) => {
        const name = await begin();
        expect(await store.takeOver(name, 'f', MINUTE, 'second', expected)).toBe(true);
        const other = await claimed(name);
        expect(other.state === 'in_flight' && other.leaseLeftMs > MINUTE - 10_000).toBe(true);
        for (const outcome of ['new', 'newer'])
          expect(await store.complete(name, 'second', Buffer.from(outcome))).toBe(true);
        expect(await claimed(name)).toMatchObject({ state: 'done' });
        const claim = await claimed(name);
        expect(claim.state === 'done' && Buffer.from(claim.outcome).toString()).toBe('new');
        await store.release(name, 'second');
        await store.giveBack(name, 'second');
        expect(await claimed(name)).toEqual(claim);
      },
    );

    it.each(begins)('a %s record may be released', async (_state, begin, expected) => {
      const name = await begin();
      await store.takeOver(name, 'f', MINUTE, 'second', expected);
      await store.release(name, 'second');
      expect(await claimed(name)).toEqual({ state: 'claimed' });
    });

    it.each(begins)('a %s record that is given back is what it was', async (state, begin, expected) => {
      const name = await begin();
      const before = await claimed(name);
      await store.takeOver(name, 'f', MINUTE, 'second', expected);
      await store.giveBack(name, 'second');
      expect(before).toMatchObject({ state });
      expect(await claimed(name)).toEqual(before);
      expect(await store.takeOver(name, 'f', MINUTE, 'third', expected)).toBe(true);
    });

    it.each(begins)(
      'a %s record is what it was when its new owner says nothing in its lease',
      async (state, begin, expected) => {
        const name = await begin();
        const before = await claimed(name);
        await store.takeOver(name, 'f', 1, 'second', expected);
        await claimUntil(store, name, state);
        expect(await claimed(name)).toEqual(before);
      },
    );

    it.each(begins)('of a %s record nothing more is taken from its owner before', async (_state, begin, expected) => {
      const name = await begin();
      await store.takeOver(name, 'f', MINUTE, 'second', expected);
      expect(await store.complete(name, 'first', Buffer.from('late'))).toBe(false);
      await store.release(name, 'first');
      await store.giveBack(name, 'first');
      expect(await claimed(name)).toMatchObject({ state: 'in_flight' });
      await store.giveBack(name, 'second');
      expect(await store.complete(name, 'first', Buffer.from('late'))).toBe(false);
    });

    it.each(begins)('of 50 who take a %s record over at once one does', async (_state, begin, expected) => {
      const name = await begin();
      const taken = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.takeOver(name, 'f', MINUTE, `t${i}`, expected)),
      );
      expect(taken.filter(Boolean)).toHaveLength(1);
    });

    it('is only what is as expected', async () => {
      const [isLost, isDone, isEmpty] = [await lost(), await done(), await done(new Uint8Array(0))];
      const flying = key();
      await store.claim(flying, 'f', MINUTE, 'first');
      const attempts = [
        store.takeOver(key(), 'f', MINUTE, 'second', undefined),
        store.takeOver(key(), 'f', MINUTE, 'second', OLD),
        store.takeOver(flying, 'f', MINUTE, 'second', undefined),
        store.takeOver(isLost, 'f', MINUTE, 'second', OLD),
        store.takeOver(isLost, 'f', MINUTE, 'second', new Uint8Array(0)),
        store.takeOver(isLost, 'g', MINUTE, 'second', undefined),
        store.takeOver(isDone, 'f', MINUTE, 'second', undefined),
        store.takeOver(isDone, 'f', MINUTE, 'second', Buffer.from('new')),
        store.takeOver(isDone, 'f', MINUTE, 'second', Buffer.from('ol')),
        store.takeOver(isDone, 'g', MINUTE, 'second', OLD),
        store.takeOver(isEmpty, 'f', MINUTE, 'second', undefined),
      ];
      expect(await Promise.all(attempts)).toEqual(attempts.map(() => false));
      expect(await claimed(isLost)).toEqual({ state: 'lost' });
      expect(await claimed(isDone)).toMatchObject({ state: 'done' });
      expect(await store.complete(flying, 'first', OLD)).toBe(true);
      expect(await store.takeOver(isEmpty, 'f', MINUTE, 'second', new Uint8Array(0))).toBe(true);
    });

    it('with an outcome that is a piece of a larger buffer', async () => {
      const name = await done(Buffer.from([0, 255, 13, 10]));
      const larger = Buffer.from([1, 0, 255, 13, 10, 1]);
      expect(await store.takeOver(name, 'f', MINUTE, 'second', larger.subarray(1, 5))).toBe(true);
    });

    it('with other arguments it is still reused', async () => {
      const name = await done();
      await store.takeOver(name, 'f', MINUTE, 'second', OLD);
      expect(await store.claim(name, 'g', MINUTE, 'third')).toEqual({ state: 'reused' });
    });

    it('a record keeps its age', async () => {
      const brief = open({ ttlMs: 150 });
      const name = key();
      await brief.claim(name, 'f', MINUTE, 'first');
      await brief.complete(name, 'first', OLD);
      expect(await brief.takeOver(name, 'f', MINUTE, 'second', OLD)).toBe(true);
      await claimUntil(brief, name, 'claimed');
      expect(await brief.complete(name, 'second', Buffer.from('new'))).toBe(false);
      expect(await brief.takeOver(key(), 'f', MINUTE, 'second', undefined)).toBe(false);
    });
  });

  it('a claim that is given back is lost, a recorded one stays done', async () => {
    const [flying, done] = [key(), key()];
    for (const name of [flying, done]) await store.claim(name, 'f', MINUTE, 'a');
    await store.complete(done, 'a', Buffer.from('{}'));
    for (const name of [flying, done, key()]) await store.giveBack(name, 'a');
    await store.giveBack(flying, 'b');
    expect(await store.claim(flying, 'f', MINUTE, 'b')).toEqual({ state: 'lost' });
    expect(await store.claim(done, 'f', MINUTE, 'b')).toMatchObject({ state: 'done' });
    expect(await store.complete(flying, 'a', Buffer.from('{}'))).toBe(true);
  });

  it('keys are told apart to the byte', async () => {
    const name = key();
    for (const variant of [name, `${name} `, `{${name}}`, `${name}\u0000`, `${name}*`]) {
      expect(await store.claim(variant, 'f', MINUTE, 'a')).toEqual({ state: 'claimed' });
    }
  });
});
