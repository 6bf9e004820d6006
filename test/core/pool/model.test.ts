import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Renewed } from '#core/pool/renewal.ts';
import type { RetireReason } from '#core/pool/worker.ts';
import { type Attempt, attempt, pass, type ScriptedWorker, scriptedPool } from './scripted-worker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** mulberry32: the same steps for the same seed. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const REASONS: readonly RetireReason[] = ['silent', 'abandoned', 'protocol', 'reload', 'crashed'];

describe.each([
  { seed: 1, min: 0, max: 1, concurrency: 1, queueMax: 3, maxShareOfTool: 1 },
  { seed: 2, min: 1, max: 4, concurrency: 2, queueMax: 8, maxShareOfTool: 0.5 },
  { seed: 3, min: 2, max: 3, concurrency: 3, queueMax: 6, maxShareOfTool: 0.75 },
  { seed: 4, min: 4, max: 4, concurrency: 1, queueMax: 16, maxShareOfTool: 0.3 },
])('10 000 random steps (seed $seed, min $min, max $max)', ({ seed, ...sizes }) => {
  it('keep every bound and settle every call once', async () => {
    const random = chance(seed);
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const alive: ScriptedWorker[] = [];
    const settings = { ...sizes, maxUses: 25, idleMs: 2_000, maxAgeMs: 60_000 };
    const { pool, workers, renew } = scriptedPool({
      settings,
      born: (worker) => {
        worker.deaf = random() < 0.2;
        if (random() < 0.1) throw new Error('no more processes');
        alive.push(worker);
      },
      options: { random },
    });
    const waiting = new Set<Attempt>();
    const leased = new Set<Attempt>();
    let once = 0;
    let renewing: Promise<void> | undefined;
    const renewals: (Renewed | undefined)[] = [];
    const share =
      settings.maxShareOfTool === 1
        ? Number.POSITIVE_INFINITY
        : Math.max(1, Math.floor(settings.maxShareOfTool * settings.max * settings.concurrency));

    const check = (step: number) => {
      for (const call of waiting) {
        if (call.settled === 0) continue;
        expect(call.settled, `step ${step}: settled once`).toBe(1);
        once++;
        waiting.delete(call);
        if (call.lease !== undefined) leased.add(call);
      }
      const stats = pool.stats();
      const live = stats.workers.filter(({ state }) => state === 'starting' || state === 'ready');
      const inFlight = stats.workers.reduce((sum, worker) => sum + worker.inFlight, 0);
      const heldAlive = [...leased].filter(({ lease }) => lease?.worker.over === false).length;
      const broken = [
        stats.workers.length > settings.max + 1 && 'more than max + 1 workers',
        live.length > settings.max + 1 && 'more than one surplus',
        stats.workers.some((worker) => worker.inFlight > settings.concurrency) && 'a worker above its concurrency',
        stats.workers.some((worker) => worker.inFlight < 0) && 'a slot freed twice',
        stats.waiting > settings.queueMax && 'queue above queueMax',
        stats.waiting !== waiting.size && `${stats.waiting} waiting, ${waiting.size} calls unsettled`,
        inFlight !== heldAlive && `${inFlight} in flight, ${heldAlive} leases held`,
        ['a', 'b', 'c'].some((key) => [...leased].filter((call) => call.key === key).length > share) &&
          'a tool above its share',
        settings.maxShareOfTool === 1 &&
          stats.waiting > 0 &&
          stats.workers.some(
            ({ id, state, inFlight: calls }) =>
              state === 'ready' && calls < settings.concurrency && workers[id - 1]?.accepting,
          ) &&
          'a waiter waits beside a free slot',
      ].filter((fault) => fault !== false);
      expect(broken, `step ${step}`).toEqual([]);
    };

    const end = (call: Attempt | undefined, how: (call: Attempt) => void) => {
      if (call === undefined) return;
      leased.delete(call);
      how(call);
    };

    for (let step = 0; step < 10_000; step++) {
      const dice = random();
      const worker = pick(alive.filter(({ over }) => !over));
      if (dice < 0.35) waiting.add(attempt(pool, { key: pick(['a', 'b', 'c']) ?? 'a' }));
      else if (dice < 0.6) end(pick([...leased]), (call) => call.lease?.release());
      else if (dice < 0.62) end(pick([...leased]), (call) => call.lease?.retire(pick(REASONS) ?? 'silent'));
      else if (dice < 0.67) pick([...waiting])?.abort();
      else if (dice < 0.8) worker?.becomeReady();
      else if (dice < 0.82) worker?.failToStart();
      else if (dice < 0.83) worker?.crash();
      else if (dice < 0.86 && worker !== undefined) worker.accepting = false;
      else if (dice < 0.9) {
        for (const one of alive) if (!one.over) one.takeAgain();
      } else if (dice < 0.92) {
        for (const one of alive) if (one.asked.length > 0) one.exit();
      } else if (dice < 0.93) {
        if (renewing === undefined) {
          renewing = renew().then((renewed) => {
            renewing = undefined;
            renewals.push(renewed);
          });
        }
      } else await pass(Math.floor(random() ** 4 * 6_000));
      await pass();
      if (step % 50 === 0)
        for (let index = alive.length - 1; index >= 0; index--) if (alive[index]?.over) alive.splice(index, 1);
      check(step);
    }

    const before = once;
    void pool.drain();
    for (const one of alive) one.becomeReady();
    await pass();
    await pool.destroy();
    await pass();
    check(-1);
    await renewing;
    expect(new Set(renewals.map((renewed) => renewed === undefined)).size).toBe(2);
    await Promise.all(renewals.map((renewed) => renewed?.done));
    expect(waiting.size).toBe(0);
    expect(before).toBeGreaterThan(2_000);
    expect(pool.stats()).toMatchObject({ state: 'ended', workers: [], waiting: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
