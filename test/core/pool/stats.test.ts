import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('stats', () => {
  it('tell the whole pool as plain numbers', async () => {
    const { pool } = scriptedPool({ settings: { max: 1, concurrency: 1, queueMax: 5 } });
    expect(pool.stats().state).toBe('cold');
    await pool.start();
    held(attempt(pool)).release();
    held(attempt(pool));
    attempt(pool);
    await pass(300);
    attempt(pool);
    expect(pool.stats()).toEqual({
      state: 'ready',
      workers: [
        {
          id: 1,
          state: 'ready',
          inFlight: 1,
          calls: 1,
          ageMs: 300,
          rssBytes: 10 * 1024 * 1024,
          retireReason: undefined,
        },
      ],
      waiting: 2,
      oldestWaiterMs: 300,
      queueMax: 5,
      max: 1,
      concurrency: 1,
      spawned: 1,
      ended: {},
      failures: 0,
      nextStartInMs: undefined,
    });
    await pool.destroy();
  });

  it('are a snapshot that later changes do not touch', async () => {
    const { pool, worker } = scriptedPool();
    await pool.start();
    const before = pool.stats();
    const copy = structuredClone(before);
    worker(1).crash();
    await pass();
    expect(before).toEqual(copy);
    expect(pool.stats()).toMatchObject({ state: 'starting', failures: 1, nextStartInMs: 100, ended: { crashed: 1 } });
    await pool.destroy();
  });

  it('tell the start of a worker with its duration', async () => {
    const { pool, seen } = scriptedPool({ born: (worker) => void setTimeout(() => worker.becomeReady(), 250) });
    void pool.start();
    await pass(250);
    expect(seen('worker:starting')).toEqual([{ workerId: 1 }]);
    expect(seen('worker:ready')).toEqual([{ workerId: 1, startMs: 250 }]);
    await pool.destroy();
  });
});
