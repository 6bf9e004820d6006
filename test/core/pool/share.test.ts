import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Shares } from '#core/pool/shares.ts';
import { attempt, held, pass, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const HALF = { max: 1, concurrency: 4, queueMax: 4, maxShareOfTool: 0.5 };

describe('the share of one tool', () => {
  it('lets others be served though it has no slot left', async () => {
    const { pool } = scriptedPool({ settings: HALF });
    await pool.start();
    const hanging = [attempt(pool, { key: 'a' }), attempt(pool, { key: 'a' }), attempt(pool, { key: 'a' })];
    await pass();
    expect(hanging.map((call) => call.settled)).toEqual([1, 1, 0]);
    expect(attempt(pool, { key: 'b' }).lease).toBeDefined();
  });

  it('lets later waiters of other tools pass, and serves its own in order when it has a slot again', async () => {
    const { pool } = scriptedPool({ settings: { ...HALF, concurrency: 2 } });
    await pool.start();
    const a = held(attempt(pool, { key: 'a' }));
    const b = held(attempt(pool, { key: 'b' }));
    const [a2, a3, c] = [attempt(pool, { key: 'a' }), attempt(pool, { key: 'a' }), attempt(pool, { key: 'c' })];
    b.release();
    await pass();
    expect([a2.settled, a3.settled, c.settled]).toEqual([0, 0, 1]);
    a.release();
    await pass();
    expect([a2.settled, a3.settled]).toEqual([1, 0]);
  });

  it('bounds its waiters too', async () => {
    const { pool } = scriptedPool({ settings: HALF });
    await pool.start();
    const calls = Array.from({ length: 5 }, () => attempt(pool, { key: 'a' }));
    await pass();
    calls[3]?.abort();
    const again = attempt(pool, { key: 'a' });
    await pass();
    expect(again.settled).toBe(0);
    expect(calls[4]?.error).toMatchObject({
      code: 'queue_full',
      message: expect.stringContaining('2 calls of this tool waiting, its share of a queue of 4'),
    });
  });

  it('is never the reason to start a worker, as none would help', async () => {
    const { pool, workers } = scriptedPool({ settings: { max: 2, concurrency: 1, maxShareOfTool: 0.5 } });
    await pool.start();
    held(attempt(pool, { key: 'a' }));
    attempt(pool, { key: 'a' });
    await pass(1_000);
    expect(workers).toHaveLength(1);
  });

  it('is at least one slot, exact where floating point is not, and no limit at 1', () => {
    expect(new Shares(0.01, 4, 4)).toMatchObject({ maxSlots: 1, maxWaiting: 1 });
    expect(new Shares(0.29, 100, 0)).toMatchObject({ maxSlots: 29, maxWaiting: 1 });
    const all = new Shares(1, 4, 4);
    expect(all.maxSlots).toBe(Number.POSITIVE_INFINITY);
    expect(all.of('a')).toBe(all.of('b'));
  });

  it('forgets only names that hold nothing', () => {
    const shares = new Shares(0.5, 4, 4);
    const kept = shares.of('kept');
    kept.slots = 1;
    const idle = shares.of('idle');
    for (let index = 0; index < 1_100; index++) shares.of(`name ${index}`);
    expect(shares.of('kept')).toBe(kept);
    expect(shares.of('idle')).not.toBe(idle);
  });
});
