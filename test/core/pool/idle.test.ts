import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const IDLE = { idleMs: 10_000, concurrency: 1 };

describe('an idle worker', () => {
  it('above min ends after idleMs, the others stay', async () => {
    const { pool, states, worker, seen } = scriptedPool({ settings: { ...IDLE, min: 1, max: 2 } });
    await pool.start();
    const calls = [attempt(pool), attempt(pool)];
    await pass(50);
    for (const call of calls) held(call).release();
    await pass(9_000);
    expect(states()).toEqual(['1 ready', '2 ready']);
    await pass(6_000);
    expect(states()).toEqual(['1 ready']);
    expect(worker(2).asked).toEqual(['drain']);
    expect(seen('worker:retiring')).toEqual([{ workerId: 2, reason: 'idle' }]);
    expect(pool.stats().ended).toEqual({ idle: 1 });
  });

  it('is one without a call, not one with a long call', async () => {
    const { pool, states } = scriptedPool({ settings: { ...IDLE, min: 0 } });
    const call = attempt(pool);
    await pass(60_000);
    expect(states()).toEqual(['1 ready']);
    held(call).release();
    await pass(20_000);
    expect(states()).toEqual([]);
  });

  it('is the last one with min 0: the pool is cold, ready, and starts again on the next call', async () => {
    const { pool, workers, worker } = scriptedPool({ settings: { ...IDLE, min: 0 }, born: () => {} });
    expect([pool.stats().state, pool.ready]).toEqual(['cold', true]);
    const first = attempt(pool);
    expect(pool.stats().state).toBe('starting');
    worker(1).becomeReady();
    await pass();
    held(first).release();
    await pass(20_000);
    expect([pool.stats().state, pool.ready]).toEqual(['cold', true]);
    const second = attempt(pool);
    expect(workers).toHaveLength(2);
    second.abort();
    await pass();
    expect(second.code).toBe('no_worker_ready');
    await pool.destroy();
  });

  it('at zero leaves no timer', async () => {
    const { pool } = scriptedPool({ settings: { ...IDLE, min: 0 } });
    const call = attempt(pool);
    await pass();
    held(call).release();
    await pass(20_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
