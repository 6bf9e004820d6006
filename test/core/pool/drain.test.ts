import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('drain', () => {
  it('refuses new calls, serves those that wait, finishes all, then ends the workers gently', async () => {
    const { pool, worker, states } = scriptedPool({ settings: { max: 1, concurrency: 1 } });
    await pool.start();
    const running = held(attempt(pool));
    const waiting = attempt(pool);
    const drained = vi.fn();
    void pool.drain().then(drained);
    const refused = attempt(pool);
    await pass();
    expect(refused.error).toMatchObject({ code: 'draining', executed: 'no', retryAfterMs: 1_000 });
    expect([pool.ready, pool.stats().state]).toEqual([false, 'draining']);
    running.release();
    await pass();
    expect(states()).toEqual(['1 retiring']);
    held(waiting).release();
    await pass();
    expect(drained).toHaveBeenCalledOnce();
    expect(worker(1).asked).toEqual(['drain']);
    expect(pool.stats()).toMatchObject({ state: 'ended', ended: { shutdown: 1 }, workers: [] });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('starts a worker for those that wait though none is left, and no other', async () => {
    const { pool, worker, workers } = scriptedPool({ settings: { min: 2, max: 2, concurrency: 1 } });
    await pool.start();
    held(attempt(pool));
    held(attempt(pool));
    const waiting = attempt(pool);
    const drained = pool.drain();
    worker(1).crash();
    worker(2).crash();
    await pass(1_000);
    expect(workers).toHaveLength(3);
    held(waiting).release();
    await drained;
  });

  it('serves one that waits from the worker it would avoid, as no other will be started', async () => {
    const { pool, worker, workers } = scriptedPool({
      settings: { concurrency: 1 },
      born: (one) => one.id === 1 && one.becomeReady(),
    });
    await pool.start();
    const running = held(attempt(pool));
    const waiting = attempt(pool, { avoid: new Set([1]) });
    void pool.drain();
    worker(2).failToStart();
    await pass(1_000);
    running.release();
    await pass();
    expect(held(waiting).worker.id).toBe(1);
    expect(workers).toHaveLength(2);
    await pool.destroy();
  });

  it('ends workers that are still starting at once', async () => {
    const { pool, worker } = scriptedPool({ settings: { min: 2 }, born: (one) => one.id === 1 && one.becomeReady() });
    const started = pool.start();
    await pass();
    await pool.drain();
    await started;
    expect(worker(1).asked).toEqual(['drain']);
    expect(worker(2).asked).toEqual(['destroy shutdown']);
  });

  it('joins when repeated, and ends at once without workers', async () => {
    const { pool } = scriptedPool();
    expect(pool.drain()).toBe(pool.drain());
    await pool.drain();
    expect(pool.stats().state).toBe('ended');
  });

  it('clears what it waited for', async () => {
    const { pool } = scriptedPool({ born: (worker) => worker.failToStart() });
    void pool.start();
    await pass(50);
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    await pool.drain();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('destroy', () => {
  it('refuses waiters, ends every worker now, and takes the late ends of leases silently', async () => {
    const { pool, worker } = scriptedPool({ settings: { max: 1, concurrency: 1 } });
    await pool.start();
    const running = held(attempt(pool));
    const waiting = attempt(pool);
    await pool.destroy();
    expect(waiting.code).toBe('draining');
    expect(worker(1).asked).toEqual(['destroy shutdown']);
    expect(pool.stats().state).toBe('ended');
    running.release();
    expect(() => running.release()).toThrow('a lease ends once');
    expect(attempt(pool).lease).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('cuts a drain short, and both settle', async () => {
    const { pool, worker } = scriptedPool();
    await pool.start();
    held(attempt(pool));
    const drained = vi.fn();
    void pool.drain().then(drained);
    await pass(60_000);
    expect(drained).not.toHaveBeenCalled();
    await pool.destroy();
    await pass();
    expect(drained).toHaveBeenCalledOnce();
    expect(worker(1).asked).toEqual(['destroy shutdown']);
  });

  it('cuts a worker short that lingers in its own drain', async () => {
    const { pool, worker } = scriptedPool();
    await pool.start();
    worker(1).deaf = true;
    const drained = pool.drain();
    await pass();
    expect(worker(1).asked).toEqual(['drain']);
    await pool.destroy();
    await drained;
    expect(worker(1).asked).toEqual(['drain', 'destroy shutdown']);
  });

  it('is what disposing does', async () => {
    const { pool, worker } = scriptedPool();
    {
      await using owned = pool;
      await owned.start();
    }
    expect(worker(1).asked).toEqual(['destroy shutdown']);
  });
});
