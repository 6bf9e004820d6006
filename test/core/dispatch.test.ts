import { expect, it, vi } from 'vitest';
import type { ToolResult } from '#core/call.ts';
import type { McpWorker } from '#core/child/mcp-worker.ts';
import { dispatch } from '#core/dispatch.ts';
import type { Lease } from '#core/pool/lease.ts';
import type { Pool } from '#core/pool/pool.ts';
import { toolCall, toolResult } from '../support/calls.ts';

/** A pool with one slot, given at once or after a wait. */
function setup(waits: boolean) {
  const worker = { id: 1, call: vi.fn(async (): Promise<ToolResult> => toolResult()) };
  const lease = { worker, release: vi.fn(), retire: vi.fn() };
  const pool = { acquire: () => (waits ? Promise.resolve(lease) : lease) };
  return { invoke: dispatch(pool as unknown as Pool<McpWorker>), worker, lease: lease as unknown as Lease<McpWorker> };
}

it.each([
  [false, 'deadline_exceeded'],
  [true, 'queue_timeout'],
])('never starts a call whose deadline is over when its slot comes (waited: %s)', async (waits, code) => {
  const { invoke, worker, lease } = setup(waits);
  // As where the machine was paused: the timer of the deadline has not run yet.
  const call = toolCall({ arrivedAtMs: performance.now() - 1_001, timeoutMs: 1_000 });
  await expect(invoke(call)).rejects.toMatchObject({ code, executed: 'no' });
  expect(worker.call).not.toHaveBeenCalled();
  expect(lease.release).toHaveBeenCalledTimes(1);
});

it.each([[false], [true]])('starts a call that has time left (waited: %s)', async (waits) => {
  const { invoke, worker } = setup(waits);
  await expect(invoke(toolCall())).resolves.toMatchObject({ isError: false });
  expect(worker.call).toHaveBeenCalledTimes(1);
});
