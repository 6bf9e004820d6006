import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ToolResult } from '#core/call.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { Breaker, type BreakerEvent } from '#core/policy/breaker.ts';
import { toolCall, toolResult } from '../../support/calls.ts';

const PROBES = 3;
const LEGAL: Readonly<Record<string, readonly string[]>> = {
  start: ['breaker:opened'],
  'breaker:opened': ['breaker:half_open'],
  'breaker:half_open': ['breaker:opened', 'breaker:closed'],
  'breaker:closed': ['breaker:opened'],
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Mulberry32: the same walk for the same seed, on every machine. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

it.each(Array.from({ length: 20 }, (_, i) => i + 1))(
  'any mix of calls, endings and time changes state only as drawn, loses no probe, and heals (seed %i)',
  async (seed) => {
    const random = randomOf(seed);
    const events: BreakerEvent[] = [];
    const breaker = new Breaker(
      { errorPercent: 50, minCalls: 5, windowMs: 1_000, openMs: 1_000, probes: PROBES },
      { on: (event) => events.push(event), random },
    );
    type Running = { readonly epoch: number; resolve(result: ToolResult): void; reject(reason: unknown): void };
    const running: Running[] = [];
    const all: Promise<unknown>[] = [];
    const stateNow = () => breaker.stats()[0]?.state ?? 'closed';
    const invoke = breaker.policy(() => {
      const { promise, resolve, reject } = Promise.withResolvers<ToolResult>();
      running.push({ epoch: events.length, resolve, reject });
      return promise;
    });
    let refused = 0;
    const start = () => {
      const state = stateNow();
      const before = running.length;
      all.push(
        invoke(toolCall()).catch((error: unknown) => {
          if (error instanceof BridgeError && error.code === 'circuit_open') refused++;
        }),
      );
      if (state === 'closed') expect(running.length).toBe(before + 1);
      if (state === 'open') expect(running.length).toBe(before);
      if (state === 'half_open') {
        expect(running.filter(({ epoch }) => epoch === events.length).length).toBeLessThanOrEqual(PROBES);
      }
    };
    for (let step = 0; step < 2_000; step++) {
      const dice = random();
      if (dice < 0.5) start();
      else if (dice < 0.55) await vi.advanceTimersByTimeAsync(random() * 3_000);
      else if (running.length > 0) {
        const [call] = running.splice(Math.floor(random() * running.length), 1);
        const ending = random();
        if (ending < 0.5) call?.resolve(toolResult());
        else if (ending < 0.8) call?.reject(new BridgeError('child_crashed', 'gone', { executed: 'maybe' }));
        else call?.reject(CLIENT_GONE);
        await vi.advanceTimersByTimeAsync(0);
      }
    }
    let last = 'start';
    for (const { event } of events) {
      expect(LEGAL[last]).toContain(event);
      last = event;
    }
    expect(events.length).toBeGreaterThan(4);
    expect(refused).toBeGreaterThan(0);

    for (const call of running.splice(0)) call.reject(CLIENT_GONE);
    await Promise.all(all);
    await vi.advanceTimersByTimeAsync(300_000);
    for (let i = 0; i < PROBES; i++) {
      start();
      running.pop()?.resolve(toolResult());
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(stateNow()).toBe('closed');
    breaker.close();
    expect(vi.getTimerCount()).toBe(0);
  },
);
