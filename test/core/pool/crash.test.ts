import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pool } from '#core/pool/pool.ts';
import { attempt, held, pass, type ScriptedWorker, SETTINGS, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a worker that dies', () => {
  it('is removed at once and replaced after the first back-off', async () => {
    const { pool, worker, states, seen } = scriptedPool({ settings: { min: 2 } });
    await pool.start();
    worker(1).crash();
    await pass();
    expect(states()).toEqual(['2 ready']);
    await pass(99);
    expect(states()).toEqual(['2 ready']);
    await pass(1);
    expect(states()).toEqual(['2 ready', '3 ready']);
    expect(seen('worker:ended')).toEqual([
      { workerId: 1, reason: 'crashed', end: { summary: 'exit code 1', expected: false } },
    ]);
    expect(seen('pool:backoff')).toEqual([{ failures: 1, delayMs: 100 }]);
  });

  it('while it was to finish its last calls, counts as crashed', async () => {
    const { pool, worker, renew } = scriptedPool({ settings: { max: 1 } });
    await pool.start();
    const lease = held(attempt(pool));
    void renew();
    await pass();
    worker(1).crash();
    await pass();
    lease.release();
    expect(pool.stats().ended).toEqual({ crashed: 1 });
  });

  it('on every call backs off to 5 s at most and never brings the verdict', async () => {
    const { pool, workers, seen } = scriptedPool({ settings: { max: 1 } });
    await pool.start();
    for (let index = 0; index < 12; index++) {
      const call = attempt(pool);
      await pass(6_000);
      const lease = held(call);
      lease.worker.crash();
      // As the session does it: the dead child's calls give their slots back.
      lease.release();
      await pass();
    }
    expect(seen('pool:backoff').map(({ delayMs }) => delayMs)).toEqual([
      100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000,
    ]);
    expect(workers).toHaveLength(12);
    expect(seen('pool:failed')).toEqual([]);
    await pool.destroy();
  });

  it('after a call that went well, or after 10 s, starts the back-off anew', async () => {
    const { pool, worker, seen } = scriptedPool({ settings: { max: 1 } });
    await pool.start();
    worker(1).crash();
    await pass(100);
    worker(2).crash();
    await pass(200);
    held(attempt(pool)).release();
    expect(pool.stats().failures).toBe(0);
    worker(3).crash();
    await pass(100);
    worker(4).crash();
    await pass(10_200);
    worker(5).crash();
    await pass();
    expect(seen('pool:backoff').map(({ delayMs }) => delayMs)).toEqual([100, 200, 100, 200, 100]);
    await pool.destroy();
  });

  it('is forgotten when its successor has lived for 10 s without a call', async () => {
    const { pool, worker } = scriptedPool();
    await pool.start();
    worker(1).crash();
    await pass(5_000);
    expect(pool.stats().failures).toBe(1);
    await pass(10_100);
    expect(pool.stats().failures).toBe(0);
    await pool.destroy();
  });

  it('with others at the same time is replaced one at a time while the pool is failing', async () => {
    const { pool, worker, states } = scriptedPool({
      settings: { min: 3 },
      born: (one) => one.id <= 3 && one.becomeReady(),
    });
    await pool.start();
    for (const id of [1, 2, 3]) worker(id).crash();
    await pass(10_000);
    expect(states()).toEqual(['4 starting']);
    worker(4).becomeReady();
    await pass();
    expect(states()).toEqual(['4 ready', '5 starting']);
    held(attempt(pool)).release();
    worker(5).becomeReady();
    await pass();
    expect(states()).toEqual(['4 ready', '5 ready', '6 starting']);
    await pool.destroy();
  });
});

describe('a crash loop', () => {
  const failing = (settings = {}) =>
    scriptedPool({ settings, born: (worker) => void setTimeout(() => worker.failToStart(), 10) });

  it('starts at most ten times in the first minute, with any number of callers', async () => {
    for (const min of [0, 1, 4]) {
      const { pool, workers } = failing({ min, max: 4 });
      for (let index = 0; index < 600; index++) {
        attempt(pool);
        await pass(100);
      }
      expect(workers.length, `min ${min}`).toBeLessThanOrEqual(10);
      expect(workers.length, `min ${min}`).toBeGreaterThanOrEqual(9);
      await pool.destroy();
    }
  });

  it('lets waiters wait until three starts have failed, then refuses them and new calls at once', async () => {
    const { pool, seen } = failing();
    const waiting = attempt(pool);
    await pass(300);
    expect([waiting.settled, pool.stats().failures]).toEqual([0, 2]);
    await pass(50);
    expect(waiting.error).toMatchObject({ code: 'bridge_unavailable', executed: 'no', retryAfterMs: 400 });
    expect(waiting.error).toMatchObject({
      message: expect.stringContaining('3 starts in a row failed, next try in 400 ms'),
    });
    const late = attempt(pool);
    await pass();
    expect(late.code).toBe('bridge_unavailable');
    expect(pool.stats()).toMatchObject({ state: 'failed', waiting: 0 });
    expect(pool.ready).toBe(false);
    expect(seen('pool:failed')).toEqual([{ failures: 3 }]);
    await pool.destroy();
  });

  it.each([0, 1])('recovers unaided when a start succeeds (min %i)', async (min) => {
    let broken = true;
    const { pool, seen } = scriptedPool({
      settings: { min },
      born: (worker) => (broken ? worker.failToStart() : worker.becomeReady()),
    });
    const call = attempt(pool);
    await pass(2_000);
    expect(call.code).toBe('bridge_unavailable');
    expect(pool.ready).toBe(false);
    broken = false;
    await pass(30_000);
    expect(seen('pool:recovered')).toHaveLength(1);
    expect(pool.ready).toBe(true);
    expect(pool.stats().state).toBe('ready');
    const calls = Array.from({ length: 3 }, () => attempt(pool));
    await pass();
    expect(calls.map(({ settled }) => settled)).toEqual([1, 1, 0]);
    await pool.destroy();
  });

  it('is what a call hears also where none may wait', async () => {
    const { pool } = failing({ queueMax: 0 });
    void pool.start();
    await pass(2_000);
    const call = attempt(pool);
    await pass();
    expect(call.code).toBe('bridge_unavailable');
    await pool.destroy();
  });

  it('brings no verdict while another worker serves, and brings it when that one dies', async () => {
    const { pool, worker } = scriptedPool({
      settings: { min: 2 },
      born: (one) => (one.id === 1 ? one.becomeReady() : one.failToStart()),
    });
    await pool.start();
    await pass(5_000);
    expect(pool.stats().failures).toBeGreaterThanOrEqual(3);
    expect(attempt(pool).lease).toBeDefined();
    worker(1).crash();
    await pass();
    const call = attempt(pool);
    await pass();
    expect(call.code).toBe('bridge_unavailable');
    await pool.destroy();
  });

  it('of a create that throws is the same', async () => {
    const ended: unknown[] = [];
    const pool = new Pool<ScriptedWorker>({
      settings: SETTINGS,
      create: () => {
        throw new Error('EAGAIN');
      },
      on: (event, payload) => void (event === 'worker:ended' && ended.push(payload)),
      random: () => 0,
    });
    const call = attempt(pool);
    await pass(60_000);
    expect(call.code).toBe('bridge_unavailable');
    expect(pool.stats()).toMatchObject({ state: 'failed', spawned: 10, ended: { start_failed: 10 }, workers: [] });
    expect(ended[0]).toMatchObject({
      workerId: 1,
      reason: 'start_failed',
      end: { summary: expect.stringContaining('EAGAIN') },
    });
    await pool.destroy();
  });

  it('of workers that end before they are ready counts each start once', async () => {
    const { pool } = scriptedPool({
      born: (worker) => {
        worker.failToStart();
        worker.crash();
      },
    });
    void pool.start();
    await pass(50);
    expect(pool.stats()).toMatchObject({ failures: 1, ended: { start_failed: 1 } });
    await pool.destroy();
  });

  it('ends what failed to start, so that nothing of it is left', async () => {
    const { pool, worker } = scriptedPool({ born: (one) => one.failToStart() });
    await pool.start();
    expect(worker(1).asked).toEqual(['destroy start_failed']);
    await pool.destroy();
  });
});
