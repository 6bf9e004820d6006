import { describe, expect, it, vi } from 'vitest';
import type { Effect, Invoke } from '#core/call.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { Retry } from '#core/policy/retry.ts';
import { toolCall, toolResult } from '../../support/calls.ts';

const crashed = (executed: 'no' | 'maybe', workerId = 1) =>
  new BridgeError('child_crashed', 'gone', { executed, workerId });

/** Fails with each error in turn, then succeeds. */
function failing(...errors: unknown[]) {
  return vi.fn<Invoke>(async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return toolResult();
  });
}

describe('R0, no byte reached a child', () => {
  it('moves a call of any effect to another worker', async () => {
    const retry = new Retry();
    const next = failing(crashed('no', 7));
    await expect(retry.policy(next)(toolCall({ effect: 'write' }))).resolves.toBeDefined();
    expect([...(next.mock.calls[1]?.[0].avoid ?? [])]).toEqual([7]);
    expect(retry.stats).toEqual({ r0: 1, r1: 0, overBudget: 0 });
  });

  it('gives up after two moves', async () => {
    const next = failing(crashed('no', 1), crashed('no', 2), crashed('no', 3), crashed('no', 4));
    await expect(new Retry().policy(next)(toolCall())).rejects.toMatchObject({ cause: { workerId: 3 } });
    expect(next).toHaveBeenCalledTimes(3);
  });

  it('is a refusal where no worker is left that it could move to: nothing was started', async () => {
    const gone = { code: 'no_worker_ready', executed: 'no', retryAfterMs: 1_000 };
    const moved = failing(crashed('no', 1), crashed('no', 2), crashed('no', 3));
    await expect(new Retry().policy(moved)(toolCall({ effect: 'write' }))).rejects.toMatchObject({
      ...gone,
      message: expect.stringContaining('each of 3 workers'),
    });
    const only = failing(crashed('no', 1), new BridgeError('no_worker_ready', 'only that one'));
    await expect(new Retry().policy(only)(toolCall())).rejects.toMatchObject(gone);
    const left = toolCall();
    left.abort.abort(CLIENT_GONE);
    await expect(new Retry().policy(failing(crashed('no', 1)))(left)).rejects.toMatchObject(gone);
    const retry = new Retry();
    const invoke = retry.policy(() => Promise.reject(crashed('no', 1)));
    for (let i = 0; i < 20; i++) await expect(invoke(toolCall())).rejects.toMatchObject(gone);
    expect(retry.stats.overBudget).toBeGreaterThan(0);
  });

  it('tells of the worker where no other one could be had', async () => {
    const full = new BridgeError('worker_backpressure', 'deaf', { workerId: 1 });
    const next = failing(full, new BridgeError('no_worker_ready', 'only that one'));
    await expect(new Retry().policy(next)(toolCall())).rejects.toBe(full);
  });

  it('leaves refusals of the pool alone: they would only repeat', async () => {
    const next = failing(new BridgeError('queue_full', 'full'));
    await expect(new Retry().policy(next)(toolCall())).rejects.toMatchObject({ code: 'queue_full' });
    expect(next).toHaveBeenCalledTimes(1);
  });
});

describe('R1, it may have run and may run again', () => {
  it.each<Effect>(['read', 'idempotent'])('repeats a %s call once', async (effect) => {
    const retry = new Retry();
    const next = failing(crashed('maybe', 1));
    await expect(retry.policy(next)(toolCall({ effect }))).resolves.toBeDefined();
    expect(retry.stats).toMatchObject({ r1: 1 });
  });

  const refused = (executed: string) =>
    toolResult(`{"isError":true,"structuredContent":{"error":{"code":"busy","executed":"${executed}"}}}`, true);

  it('tells of the first failure when the second attempt says that it did nothing: the first may have', async () => {
    const first = crashed('maybe', 1);
    const next = vi.fn<Invoke>().mockRejectedValueOnce(first).mockResolvedValue(refused('no'));
    await expect(new Retry().policy(next)(toolCall({ effect: 'idempotent' }))).rejects.toBe(first);
  });

  it.each<[Effect, Error, string]>([
    ['idempotent', crashed('maybe', 1), 'yes'],
    ['read', crashed('maybe', 1), 'no'],
    ['idempotent', crashed('no', 1), 'no'],
    ['write', crashed('no', 1), 'no'],
  ])('believes the tool otherwise: %s after %o, executed %s', async (effect, first, executed) => {
    const next = vi.fn<Invoke>().mockRejectedValueOnce(first).mockResolvedValue(refused(executed));
    await expect(new Retry().policy(next)(toolCall({ effect }))).resolves.toMatchObject({ isError: true });
  });

  it('repeats it once only', async () => {
    const next = failing(crashed('maybe', 1), crashed('maybe', 2));
    await expect(new Retry().policy(next)(toolCall())).rejects.toMatchObject({ workerId: 2 });
    expect(next).toHaveBeenCalledTimes(2);
  });

  it('tells of the first failure when the second attempt reached no child', async () => {
    const next = failing(crashed('maybe', 1), new BridgeError('queue_timeout', 'no worker'));
    await expect(new Retry().policy(next)(toolCall())).rejects.toMatchObject({
      code: 'child_crashed',
      executed: 'maybe',
    });
  });

  it('tells of the first failure when the second attempt could not be written', async () => {
    const next = failing(crashed('maybe', 1), crashed('no', 2));
    await expect(new Retry().policy(next)(toolCall())).rejects.toMatchObject({ workerId: 1, executed: 'maybe' });
  });

  it('does not repeat an answer that was too large or an error of the tool', async () => {
    for (const code of ['child_response_too_large', 'child_error', 'input_required_unsupported'] as const) {
      const next = failing(new BridgeError(code, 'no', { executed: 'maybe', workerId: 1 }));
      await expect(new Retry().policy(next)(toolCall())).rejects.toMatchObject({ code });
      expect(next).toHaveBeenCalledTimes(1);
    }
  });
});

describe('R2, a write that may have run', () => {
  it('is never repeated', async () => {
    const next = failing(crashed('maybe'));
    await expect(new Retry().policy(next)(toolCall({ effect: 'write' }))).rejects.toMatchObject({ executed: 'maybe' });
    expect(next).toHaveBeenCalledTimes(1);
  });
});

it('does not repeat a call whose client is gone or whose deadline is over', async () => {
  const call = toolCall();
  call.abort.abort(CLIENT_GONE);
  const next = failing(crashed('maybe'));
  await expect(new Retry().policy(next)(call)).rejects.toMatchObject({ code: 'child_crashed' });
  expect(next).toHaveBeenCalledTimes(1);
});

it('in total failure makes at most 20 % second attempts, and counts what it did not make', async () => {
  const retry = new Retry();
  const next = vi.fn<Invoke>(async () => {
    throw crashed('maybe');
  });
  const invoke = retry.policy(next);
  for (let i = 0; i < 200; i++) await invoke(toolCall()).catch(() => {});
  expect(next.mock.calls.length - 200).toBeLessThanOrEqual(40);
  expect(retry.stats.r1 + retry.stats.overBudget).toBe(200);
});
