import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RetireReason } from '#core/pool/worker.ts';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a worker that has reached a limit', () => {
  it.each<{
    reason: RetireReason;
    settings: object;
    reach: (use: () => Promise<void>, grow: () => void) => Promise<void>;
  }>([
    {
      reason: 'uses',
      settings: { maxUses: 3 },
      reach: async (use) => {
        for (let index = 0; index < 3; index++) await use();
      },
    },
    { reason: 'age', settings: { maxAgeMs: 60_000 }, reach: () => pass(60_000) },
    {
      reason: 'rss',
      settings: { maxRssMb: 100 },
      reach: async (_use, grow) => {
        grow();
        await pass(5_000);
      },
    },
  ])('($reason) is replaced start-first: it serves until the other is ready', async ({ reason, settings, reach }) => {
    const { pool, worker, states, seen } = scriptedPool({
      settings: { max: 1, ...settings },
      born: (one) => one.id === 1 && one.becomeReady(),
    });
    await pool.start();
    const use = async () => held(attempt(pool)).release();
    await reach(use, () => {
      worker(1).rssMb = 101;
    });
    expect(states()).toEqual(['1 ready', '2 starting']);
    const last = held(attempt(pool));
    expect(last.worker.id).toBe(1);
    worker(2).becomeReady();
    await pass();
    expect(states()).toEqual(['1 retiring', '2 ready']);
    expect(held(attempt(pool)).worker.id).toBe(2);
    expect(worker(1).asked).toEqual([]);
    last.release();
    await pass();
    expect(worker(1).asked).toEqual(['drain']);
    expect(states()).toEqual(['2 ready']);
    expect(seen('worker:retiring')).toEqual([{ workerId: 1, reason }]);
    expect(seen('worker:ended')).toMatchObject([{ workerId: 1, reason, end: { expected: true } }]);
  });

  it('(uses) lives for a while all the same: at many calls a second it would be started again and again', async () => {
    const { pool, states } = scriptedPool({ settings: { max: 1, maxUses: 3, minLifeMs: 60_000 } });
    await pool.start();
    for (let index = 0; index < 59; index++) {
      held(attempt(pool)).release();
      await pass(1_000);
    }
    expect(states()).toEqual(['1 ready']);
    await pass(1_000);
    held(attempt(pool)).release();
    await pass();
    expect(states()).toEqual(['2 ready']);
    // Without a further call it is noticed as well.
    for (let index = 0; index < 3; index++) held(attempt(pool)).release();
    expect(states()).toEqual(['2 ready']);
    await pass(65_000);
    expect(states()).toEqual(['3 ready']);
  });

  it('goes on while its replacement cannot start', async () => {
    const { pool, states } = scriptedPool({
      settings: { max: 1, maxUses: 1 },
      born: (one) => (one.id === 1 ? one.becomeReady() : one.failToStart()),
    });
    await pool.start();
    for (let index = 0; index < 100; index++) {
      held(attempt(pool)).release();
      await pass(100);
    }
    expect(states()).toEqual(['1 ready']);
    expect(pool.stats().state).toBe('ready');
    expect(pool.stats().failures).toBeGreaterThan(3);
  });

  it('does not expire at the same moment as one of the same age', async () => {
    const chances = [0, 0.5];
    const { pool, seen } = scriptedPool({
      settings: { min: 2, max: 2, maxAgeMs: 100_000 },
      options: { random: () => chances.shift() ?? 0 },
    });
    await pool.start();
    await pass(90_000);
    expect(seen('worker:retiring')).toEqual([{ workerId: 2, reason: 'age' }]);
    await pass(10_000);
    expect(seen('worker:retiring')).toHaveLength(2);
  });
});

describe('twenty recycles under load', () => {
  it('fail no call and never exceed max + 1 workers', async () => {
    const { pool, seen } = scriptedPool({
      settings: { min: 2, max: 2, concurrency: 2, maxUses: 10, queueMax: 100 },
      born: (one) => void setTimeout(() => one.becomeReady(), 100),
    });
    void pool.start();
    let failed = 0;
    let done = 0;
    const client = async () => {
      while (done < 400) {
        const lease = await pool.acquire({ key: 'tool', signal: new AbortController().signal });
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (lease.worker.over) failed++;
        lease.release();
        done++;
        expect(pool.stats().workers.length).toBeLessThanOrEqual(3);
      }
    };
    const clients = Promise.all(Array.from({ length: 6 }, client));
    await pass(60_000);
    await clients;
    expect(seen('worker:ended').length).toBeGreaterThanOrEqual(20);
    expect(seen('worker:ended').every(({ reason, end }) => reason === 'uses' && end.expected)).toBe(true);
    expect(failed).toBe(0);
  });
});

describe('lease.retire', () => {
  it.each<RetireReason>(['silent', 'abandoned', 'protocol'])(
    'with %s takes the worker out at once and ends it after its other calls',
    async (reason) => {
      const { pool, worker, states } = scriptedPool({
        settings: { max: 1, concurrency: 3 },
        born: (one) => one.id === 1 && one.becomeReady(),
      });
      await pool.start();
      const [bad, good] = [held(attempt(pool)), held(attempt(pool))];
      bad.retire(reason);
      expect(states()).toEqual(['1 retiring']);
      expect(worker(1).asked).toEqual([]);
      const next = attempt(pool);
      await pass(100);
      expect(states()).toEqual(['1 retiring', '2 starting']);
      good.release();
      await pass();
      expect(worker(1).asked).toEqual(['drain']);
      worker(2).becomeReady();
      await pass();
      expect(held(next).worker.id).toBe(2);
      expect(pool.stats().ended).toEqual({ [reason]: 1 });
    },
  );

  it('with a planned reason replaces start-first', async () => {
    const { pool, states } = scriptedPool({ settings: { max: 1 }, born: (one) => one.id === 1 && one.becomeReady() });
    await pool.start();
    held(attempt(pool)).retire('reload');
    expect(states()).toEqual(['1 ready', '2 starting']);
    expect(pool.stats().workers[0]?.retireReason).toBe('reload');
  });
});
