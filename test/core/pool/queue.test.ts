import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { attempt, deadline, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ONE = { max: 1, concurrency: 1 };

describe('the queue', () => {
  it('serves first in, first out', async () => {
    const { pool } = scriptedPool({ settings: ONE });
    await pool.start();
    const running = held(attempt(pool));
    const [first, second] = [attempt(pool), attempt(pool)];
    running.release();
    await pass();
    expect([first.settled, second.settled]).toEqual([1, 0]);
    held(first).release();
    await pass();
    expect(second.lease).toBeDefined();
  });

  it('refuses with the numbers when it is full, at once', async () => {
    const { pool, seen } = scriptedPool({ settings: { min: 2, max: 2, concurrency: 2, queueMax: 3 } });
    await pool.start();
    const calls = Array.from({ length: 8 }, () => attempt(pool));
    await pass();
    expect(calls.filter((call) => call.lease !== undefined)).toHaveLength(4);
    expect(calls[7]?.error).toMatchObject({
      code: 'queue_full',
      executed: 'no',
      retryAfterMs: 1_000,
      message: expect.stringContaining('2 workers busy with 4 calls, 3 waiting'),
    });
    expect(pool.stats().waiting).toBe(3);
    expect(seen('acquire:refused')).toEqual([{ code: 'queue_full' }]);
  });
});

describe('a waiter whose signal is aborted', () => {
  it('leaves at once and is never served', async () => {
    const { pool } = scriptedPool({ settings: ONE });
    await pool.start();
    const running = held(attempt(pool));
    const [first, second, third] = [attempt(pool), attempt(pool), attempt(pool)];
    second.abort(CLIENT_GONE);
    expect(pool.stats().waiting).toBe(2);
    running.release();
    await pass();
    held(first).release();
    await pass();
    expect(third.lease).toBeDefined();
    expect([second.lease, second.error, second.settled]).toEqual([undefined, CLIENT_GONE, 1]);
  });

  it('makes room for another', async () => {
    const { pool } = scriptedPool({ settings: { ...ONE, queueMax: 1 } });
    await pool.start();
    held(attempt(pool));
    attempt(pool).abort();
    const next = attempt(pool);
    await pass();
    expect(next.settled).toBe(0);
  });

  it('hears queue_timeout with the numbers when its deadline came and a worker has been ready', async () => {
    const { pool } = scriptedPool({ settings: ONE });
    await pool.start();
    held(attempt(pool));
    const calls = [attempt(pool), attempt(pool)];
    await pass(250);
    calls[0]?.abort();
    await pass();
    expect(calls[0]?.error).toMatchObject({
      code: 'queue_timeout',
      executed: 'no',
      message: expect.stringContaining('no worker within 250 ms: 1 busy, 2 waiting'),
    });
  });

  it('hears no_worker_ready when none has been ready since the pool was cold', async () => {
    const { pool } = scriptedPool({ settings: { min: 0 }, born: () => {} });
    const call = attempt(pool);
    await pass(100);
    call.abort();
    await pass();
    expect(call.error).toMatchObject({ code: 'no_worker_ready', executed: 'no' });
    await pool.destroy();
  });

  it('gets any other reason as it is', async () => {
    const { pool } = scriptedPool({ settings: ONE });
    await pool.start();
    held(attempt(pool));
    for (const reason of [new Error('mine'), new BridgeError('draining', 'not the deadline')]) {
      const call = attempt(pool);
      call.abort(reason);
      await pass();
      expect(call.error).toBe(reason);
    }
  });

  it('never gets a lease when it was aborted before, but its own reason', async () => {
    const { pool } = scriptedPool();
    await pool.start();
    const reason = deadline();
    await expect(pool.acquire({ key: 'tool', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(pool.stats().workers[0]?.inFlight).toBe(0);
  });

  it('no longer listens once it is served', async () => {
    const { pool } = scriptedPool({ settings: ONE });
    await pool.start();
    const running = held(attempt(pool));
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const waiting = pool.acquire({ key: 'tool', signal: controller.signal });
    running.release();
    await waiting;
    expect(add).toHaveBeenCalledOnce();
    expect(remove.mock.calls[0]?.slice(0, 2)).toEqual(add.mock.calls[0]?.slice(0, 2));
    controller.abort(deadline());
    expect(pool.stats().workers[0]?.inFlight).toBe(1);
  });
});
