import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import type { McpWorker } from '#core/child/mcp-worker.ts';
import { BridgeError } from '#core/errors.ts';
import type { Lease } from '#core/pool/lease.ts';
import type { Pool } from '#core/pool/pool.ts';

/**
 * The innermost step: takes a slot of the least loaded worker and calls the tool there. The slot is given
 * back when the child has answered, not when the caller stops waiting: a cancelled call holds it until the
 * answer or the end of the grace time.
 *
 * @throws BridgeError no_worker_ready, queue_timeout or deadline_exceeded (executed `no`) where it is not called any
 * more, and whatever pool and worker throw
 */
export function dispatch(pool: Pool<McpWorker>): Invoke {
  return function dispatchToPool(call) {
    call.report.attempts++;
    const lease = pool.acquire({ key: call.tool, signal: call.abort.signal, avoid: call.avoid });
    // Not awaited: nearly every lease is there at once, and each wait would put the call behind all others of this tick.
    return lease instanceof Promise ? lease.then((given) => callOn(given, call, true)) : callOn(lease, call, false);
  };
}

function callOn(lease: Lease<McpWorker>, call: ToolCall, waited: boolean): Promise<ToolResult> {
  // The deadline's timer is late where the machine was paused, and by then the call's key may have been given up.
  if (performance.now() >= call.arrivedAtMs + call.timeoutMs) {
    lease.release();
    const why = `the call's turn came after its deadline of ${call.timeoutMs} ms; it was not started`;
    return Promise.reject(new BridgeError(waited ? 'queue_timeout' : 'deadline_exceeded', why));
  }
  if (call.avoid?.has(lease.worker.id)) {
    lease.release();
    return Promise.reject(new BridgeError('no_worker_ready', 'the only worker there is has just failed this call'));
  }
  return lease.worker.call(call, (reason) => {
    if (reason === undefined) lease.release();
    else lease.retire(reason);
  });
}
