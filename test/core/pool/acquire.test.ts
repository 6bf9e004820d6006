import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('acquire', () => {
  it('gives a lease synchronously while a slot is free', async () => {
    const { pool } = scriptedPool();
    await pool.start();
    const answer = pool.acquire({ key: 'tool', signal: new AbortController().signal });
    expect(answer).not.toBeInstanceOf(Promise);
  });

  it('chooses the least loaded worker, and the oldest among equals', async () => {
    const { pool } = scriptedPool({ settings: { min: 3 } });
    await pool.start();
    const leases = Array.from({ length: 4 }, () => held(attempt(pool)));
    expect(leases.map((lease) => lease.worker.id)).toEqual([1, 2, 3, 1]);
    leases[1]?.release();
    expect(held(attempt(pool)).worker.id).toBe(2);
  });

  it('never gives a worker more than its concurrency', async () => {
    const { pool } = scriptedPool({ settings: { max: 1, concurrency: 2 } });
    await pool.start();
    held(attempt(pool));
    held(attempt(pool));
    const third = attempt(pool);
    await pass();
    expect(third.settled).toBe(0);
  });

  it('passes over a worker that is not accepting, and serves waiters when it accepts again', async () => {
    const { pool, worker } = scriptedPool({ settings: { max: 1 } });
    await pool.start();
    worker(1).accepting = false;
    const call = attempt(pool);
    await pass();
    expect(call.settled).toBe(0);
    worker(1).takeAgain();
    await pass();
    expect(held(call).worker.id).toBe(1);
  });

  it('does not give a worker that is starting', async () => {
    const { pool, worker } = scriptedPool({ born: () => {} });
    const call = attempt(pool);
    await pass();
    expect(call.settled).toBe(0);
    worker(1).becomeReady();
    await pass();
    expect(held(call).worker.id).toBe(1);
  });
});

describe('avoid', () => {
  it('gives another worker than the avoided one though that has less to do', async () => {
    const { pool } = scriptedPool({ settings: { min: 2 } });
    await pool.start();
    held(attempt(pool, { avoid: new Set([1]) }));
    expect(held(attempt(pool, { avoid: new Set([1]) })).worker.id).toBe(2);
  });

  it('starts another worker at once where the avoided one is the only one', async () => {
    const { pool, worker } = scriptedPool({ born: (one) => one.id === 1 && one.becomeReady() });
    await pool.start();
    const call = attempt(pool, { avoid: new Set([1]) });
    await pass();
    expect(call.settled).toBe(0);
    worker(2).becomeReady();
    await pass();
    expect(held(call).worker.id).toBe(2);
  });

  it('gives the avoided one where max allows no other', async () => {
    const { pool } = scriptedPool({ settings: { max: 1 } });
    await pool.start();
    expect(held(attempt(pool, { avoid: new Set([1]) })).worker.id).toBe(1);
  });

  it('gives the avoided one when the start of another fails', async () => {
    const { pool } = scriptedPool({ born: (one) => (one.id === 1 ? one.becomeReady() : one.failToStart()) });
    await pool.start();
    const call = attempt(pool, { avoid: new Set([1]) });
    await pass();
    expect(held(call).worker.id).toBe(1);
  });
});

describe('a lease', () => {
  it('throws when it is ended twice, however', async () => {
    const { pool } = scriptedPool();
    await pool.start();
    const lease = held(attempt(pool));
    lease.release();
    expect(() => lease.release()).toThrow('a lease ends once');
    expect(() => lease.retire('protocol')).toThrow('a lease ends once');
    expect(pool.stats().workers[0]?.inFlight).toBe(0);
  });

  it('of a dead worker ends once and silently', async () => {
    const { pool, worker } = scriptedPool({ settings: { min: 2 } });
    await pool.start();
    const [first, second] = [held(attempt(pool)), held(attempt(pool))];
    worker(1).crash();
    worker(2).crash();
    await pass();
    first.release();
    second.retire('protocol');
    expect(() => first.release()).toThrow('a lease ends once');
    expect(pool.stats().ended).toEqual({ crashed: 2 });
  });
});
