import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import { Deadline } from '#core/policy/deadline.ts';
import { toolCall, toolResult } from '../../support/calls.ts';

let deadline: Deadline;

beforeEach(() => {
  vi.useFakeTimers();
  deadline = new Deadline();
});
afterEach(() => {
  deadline.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Ends when it is cancelled, and not before. */
const endless: Invoke = ({ abort }) =>
  new Promise((_, reject) => abort.signal.addEventListener('abort', () => reject(abort.signal.reason)));

/** A call that is on its way, and when it was cancelled. */
class Running {
  readonly call: ToolCall;
  readonly error: Promise<unknown>;
  endedAtMs: number | undefined;

  constructor(timeoutMs: number) {
    this.call = toolCall({ timeoutMs });
    this.call.abort.signal.addEventListener('abort', () => {
      this.endedAtMs = performance.now() - this.call.arrivedAtMs;
    });
    this.error = deadline
      .policy(endless)(this.call)
      .catch((error: unknown) => error);
  }
}

describe('the deadline policy', () => {
  it('aborts the call with deadline_exceeded when its time is over', async () => {
    const { call, error } = new Running(250);
    await vi.advanceTimersByTimeAsync(249);
    expect(call.abort.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await error).toMatchObject({ code: 'deadline_exceeded', message: expect.stringContaining('250 ms') });
  });

  it('gives each of many calls its own time, in whatever order they came', async () => {
    const calls: Running[] = [];
    for (const timeoutMs of [5_000, 300, 70_000, 300, 20, 8_000]) {
      calls.push(new Running(timeoutMs));
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(100_000);
    expect(calls.map(({ endedAtMs }) => endedAtMs)).toEqual([5_000, 300, 70_000, 300, 20, 8_000]);
  });

  it('a call that has ended is told nothing, and one that begins later has its time all the same', async () => {
    const call = toolCall({ timeoutMs: 100 });
    await deadline.policy(async () => toolResult())(call);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(call.abort.signal.aborted).toBe(false);
    const later = new Running(100);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(later.endedAtMs).toBe(100);
  });

  it('counts from the arrival of the request, not from here', async () => {
    const next = vi.fn();
    const call = toolCall({ arrivedAtMs: performance.now() - 300, timeoutMs: 250 });
    await expect(deadline.policy(next)(call)).rejects.toMatchObject({ code: 'deadline_exceeded', executed: 'no' });
    expect(next).not.toHaveBeenCalled();
  });

  it('forgets a call that throws at once', async () => {
    const call = toolCall({ timeoutMs: 100 });
    const broken = deadline.policy(() => {
      throw new TypeError('ours');
    });
    await expect(broken(call)).rejects.toThrow('ours');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(call.abort.signal.aborted).toBe(false);
  });

  it('rings no more when the calls have ended, however they did', async () => {
    await deadline.policy(async () => toolResult())(toolCall());
    await deadline
      .policy(() => Promise.reject(new BridgeError('queue_full', 'full')))(toolCall())
      .catch(() => {});
    await vi.advanceTimersByTimeAsync(120_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
