import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attempt, held, pass, type ScriptedWorker, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Of the first `count` workers each is ready at once; what becomes of the others the test says. */
const first =
  (count: number) =>
  (one: ScriptedWorker): void => {
    if (one.id <= count) one.becomeReady();
  };

describe('a renewal', () => {
  it('tries one beside the others, which then follow one after the other, and is done when they have ended', async () => {
    const { pool, worker, states, renew, seen } = scriptedPool({ settings: { min: 2, max: 2 }, born: first(2) });
    await pool.start();
    const lease = held(attempt(pool));
    const done = vi.fn();
    const renewal = renew();
    void renewal.then((renewed) => renewed?.done.then(done));
    expect(states()).toEqual(['1 ready', '2 ready', '3 starting']);
    worker(3).becomeReady();
    await pass();
    expect(await renewal).toBeDefined();
    expect(states()).toEqual(['1 retiring', '2 ready', '3 ready']);
    lease.release();
    await pass();
    expect(states()).toEqual(['2 ready', '3 ready', '4 starting']);
    expect(done).not.toHaveBeenCalled();
    worker(4).becomeReady();
    await pass();
    expect(states()).toEqual(['3 ready', '4 ready']);
    expect(done).toHaveBeenCalledOnce();
    expect(pool.stats().ended).toEqual({ reload: 2 });
    expect(seen('worker:retiring').map(({ reason }) => reason)).toEqual(['reload', 'reload']);
  });

  it('whose first worker does not start has changed nothing: the next is made as before, without a back-off', async () => {
    const { pool, worker, states, renew, seen } = scriptedPool({ settings: { max: 1 }, born: first(1) });
    await pool.start();
    const other = renew();
    worker(2).failToStart();
    expect(await other).toBeUndefined();
    expect(states()).toEqual(['1 ready']);
    expect(seen('pool:backoff')).toEqual([]);
    expect(pool.stats()).toMatchObject({ failures: 0, ended: { start_failed: 1 } });
    await pass(60_000);
    expect(states()).toEqual(['1 ready']);
  });

  it('whose first worker cannot even be made has changed nothing', async () => {
    const { pool, states } = scriptedPool();
    await pool.start();
    const renewed = await pool.renew(() => {
      throw new Error('no more processes');
    });
    expect(renewed).toBeUndefined();
    expect(states()).toEqual(['1 ready']);
  });

  it('that becomes ready after a worker of before came in the place of the one that died leaves none of before', async () => {
    const { pool, worker, states, renew } = scriptedPool({ settings: { max: 1 }, born: first(1) });
    await pool.start();
    const renewal = renew();
    worker(1).crash();
    await pass(100);
    worker(3).becomeReady();
    await pass();
    expect(states()).toEqual(['2 starting', '3 ready']);
    worker(2).becomeReady();
    await pass();
    await (await renewal)?.done;
    expect(states()).toEqual(['2 ready']);
  });

  it('ends what is still starting in the old way, and is not tried where nothing could be started until now', async () => {
    const { pool, states, renew, worker, seen } = scriptedPool({ born: () => {} });
    void pool.start();
    for (let index = 1; index <= 3; index++) {
      worker(index).failToStart();
      await pass(1_000);
    }
    expect(pool.stats().state).toBe('failed');
    expect(states()).toEqual(['4 starting']);
    const renewed = await renew();
    expect(worker(4).asked).toEqual(['destroy reload']);
    await renewed?.done;
    expect(states()).toEqual(['5 starting']);
    expect(pool.stats().state).toBe('starting');
    // Who comes now waits for the new one, instead of being told of the old ones.
    const call = attempt(pool);
    worker(5).becomeReady();
    await pass();
    expect(held(call).worker.id).toBe(5);
    expect(seen('pool:failed')).toHaveLength(1);
  });

  it('is tried out where the pool rests at zero, too', async () => {
    const { worker, states, renew } = scriptedPool({ settings: { min: 0 }, born: () => {} });
    const failed = renew();
    worker(1).failToStart();
    expect(await failed).toBeUndefined();
    const good = renew();
    worker(2).becomeReady();
    expect(await good).toBeDefined();
    expect(states()).toEqual(['2 ready']);
  });

  it('waits for room while a replacement is under way', async () => {
    const { pool, worker, states, renew } = scriptedPool({ settings: { max: 1, maxUses: 1 }, born: first(1) });
    await pool.start();
    held(attempt(pool)).release();
    expect(states()).toEqual(['1 ready', '2 starting']);
    const renewal = renew();
    expect(states()).toEqual(['1 ready', '2 starting']);
    worker(2).becomeReady();
    await pass();
    expect(states()).toEqual(['2 ready', '3 starting']);
    worker(3).becomeReady();
    await (await renewal)?.done;
    expect(states()).toEqual(['3 ready']);
  });

  it('ends with the pool, waiting, tried out or asked for afterwards', async () => {
    const waiting = scriptedPool({ settings: { max: 1, maxUses: 1 }, born: first(1) });
    await waiting.pool.start();
    held(attempt(waiting.pool)).release();
    const never = waiting.renew();
    void waiting.pool.drain();
    expect(await never).toBeUndefined();

    const tried = scriptedPool({ born: first(1) });
    await tried.pool.start();
    const cut = tried.renew();
    await tried.pool.destroy();
    expect(await cut).toBeUndefined();
    expect(tried.pool.stats().ended).toEqual({ shutdown: 2 });
    expect(await tried.renew()).toBeUndefined();
  });

  it('is one at a time', async () => {
    const { pool, renew, worker } = scriptedPool({ born: first(1) });
    await pool.start();
    const one = renew();
    expect(() => renew()).toThrow('under way');
    worker(2).becomeReady();
    await one;
    const another = renew();
    await pool.destroy();
    await another;
  });
});
