import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BridgeError } from '#core/errors.ts';
import { deadline } from '#core/policy/deadline.ts';
import { toolCall, toolResult } from '../../support/calls.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the deadline policy', () => {
  it('aborts the call with deadline_exceeded when its time is over', async () => {
    const call = toolCall({ timeoutMs: 250 });
    const invoke = deadline(
      ({ abort }) =>
        new Promise((_, reject) => abort.signal.addEventListener('abort', () => reject(abort.signal.reason))),
    );
    const answer = invoke(call).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(249);
    expect(call.abort.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toMatchObject({ code: 'deadline_exceeded', message: expect.stringContaining('250 ms') });
  });

  it('counts from the arrival of the request, not from here', async () => {
    const next = vi.fn();
    const call = toolCall({ arrivedAtMs: performance.now() - 300, timeoutMs: 250 });
    await expect(deadline(next)(call)).rejects.toMatchObject({ code: 'deadline_exceeded', executed: 'no' });
    expect(next).not.toHaveBeenCalled();
  });

  it('leaves no timer behind, whether the call succeeds or fails', async () => {
    await deadline(async () => toolResult())(toolCall());
    await deadline(() => Promise.reject(new BridgeError('queue_full', 'full')))(toolCall()).catch(() => {});
    expect(vi.getTimerCount()).toBe(0);
  });
});
