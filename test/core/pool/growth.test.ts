import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('growth', () => {
  it('starts min workers and settles when they are ready', async () => {
    const { pool, workers, worker } = scriptedPool({ settings: { min: 2 }, born: () => {} });
    let started = false;
    void pool.start().then(() => {
      started = true;
    });
    await pass();
    expect(workers).toHaveLength(2);
    worker(1).becomeReady();
    await pass();
    expect(started).toBe(false);
    worker(2).becomeReady();
    await pass();
    expect(started).toBe(true);
  });

  it('settles start when the first attempts have failed', async () => {
    const { pool } = scriptedPool({ born: (worker) => worker.failToStart() });
    await pool.start();
    expect(pool.stats()).toMatchObject({ failures: 1, spawned: 1 });
    expect(pool.ready).toBe(false);
    await pool.destroy();
  });

  it('starts the first worker at once for a call that finds none', async () => {
    const { pool, workers } = scriptedPool({ settings: { min: 0 } });
    const call = attempt(pool);
    expect(workers).toHaveLength(1);
    await pass();
    expect(call.lease).toBeDefined();
  });

  it('starts no worker for a queue that moves within growAfterMs', async () => {
    const { pool, workers } = scriptedPool({ settings: { concurrency: 1 } });
    await pool.start();
    let running = held(attempt(pool));
    for (let index = 0; index < 20; index++) {
      const next = attempt(pool);
      await pass(49);
      running.release();
      await pass();
      running = held(next);
    }
    expect(workers).toHaveLength(1);
  });

  it('starts one more when the oldest waiter has waited growAfterMs, one at a time, up to max', async () => {
    const { pool, workers, worker } = scriptedPool({
      settings: { max: 3, concurrency: 1 },
      born: (one) => one.id === 1 && one.becomeReady(),
      options: { growAfterMs: 50 },
    });
    await pool.start();
    const calls = Array.from({ length: 6 }, () => attempt(pool));
    await pass(49);
    expect(workers).toHaveLength(1);
    await pass(1);
    expect(workers).toHaveLength(2);
    await pass(1_000);
    expect(workers).toHaveLength(2);
    worker(2).becomeReady();
    await pass();
    expect(workers).toHaveLength(3);
    worker(3).becomeReady();
    await pass(1_000);
    expect(workers).toHaveLength(3);
    expect(calls.filter((call) => call.lease !== undefined)).toHaveLength(3);
  });

  it('makes at most four starts at once to reach min', async () => {
    const { pool, workers, worker } = scriptedPool({ settings: { min: 6, max: 6 }, born: () => {} });
    void pool.start();
    await pass();
    expect(workers).toHaveLength(4);
    worker(1).becomeReady();
    await pass();
    expect(workers).toHaveLength(5);
    await pool.destroy();
  });
});
