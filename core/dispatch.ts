import type { AttemptTrace, Invoke, ToolCall, ToolResult } from '#core/call.ts';
import type { CallMeter } from '#core/call-meter.ts';
import type { McpWorker } from '#core/child/mcp-worker.ts';
import { BridgeError } from '#core/errors.ts';
import type { Lease } from '#core/pool/lease.ts';
import type { Pool } from '#core/pool/pool.ts';
import type { RetireReason } from '#core/pool/worker.ts';

/**
 * The innermost step: takes a slot of the least loaded worker and calls the tool there. The slot is given
 * back when the child has answered, not when the caller stops waiting: a cancelled call holds it until the
 * answer or the end of the grace time.
 *
 * @param meter hears how long each attempt waited
 * @throws BridgeError no_worker_ready, queue_timeout or deadline_exceeded (executed `no`) where it is not called any
 * more, and whatever pool and worker throw
 */
export function dispatch(pool: Pool<McpWorker>, meter?: CallMeter): Invoke {
  return function dispatchToPool(call) {
    call.report.attempts++;
    const attempt = call.follow?.attempt(call);
    const lease = pool.acquire({ key: call.tool, signal: call.abort.signal, avoid: call.avoid });
    // Not awaited: nearly every lease is there at once, and each wait would put the call behind all others of this tick.
    if (lease instanceof Promise) return whenLeased(lease, call, attempt, meter);
    meter?.waited(0);
    return attempt === undefined ? callOn(lease, call, false, undefined) : callFollowed(lease, call, false, attempt);
  };
}

async function whenLeased(
  lease: Promise<Lease<McpWorker>>,
  call: ToolCall,
  attempt: AttemptTrace | undefined,
  meter: CallMeter | undefined,
): Promise<ToolResult> {
  const sinceMs = performance.now();
  let given: Lease<McpWorker>;
  try {
    given = await lease;
  } catch (error) {
    attempt?.refused(error);
    throw error;
  } finally {
    const waitMs = performance.now() - sinceMs;
    call.report.waitMs += waitMs;
    meter?.waited(waitMs);
  }
  return attempt === undefined ? callOn(given, call, true, undefined) : callFollowed(given, call, true, attempt);
}

/** As `callOn`, told to the attempt's trace, whose context the child gets instead of the caller's. */
function callFollowed(
  lease: Lease<McpWorker>,
  call: ToolCall,
  waited: boolean,
  attempt: AttemptTrace,
): Promise<ToolResult> {
  const { id, pid, info } = lease.worker;
  attempt.leased({ id, pid, protocolVersion: info?.protocolVersion });
  const result = callOn(lease, call, waited, attempt);
  // The first to listen: its span has ended when the request's does.
  result.then(
    (given) => attempt.ended(given),
    (error) => attempt.failed(error),
  );
  return result;
}

function callOn(
  lease: Lease<McpWorker>,
  call: ToolCall,
  waited: boolean,
  attempt: AttemptTrace | undefined,
): Promise<ToolResult> {
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
  const free = (reason?: RetireReason): void => {
    if (reason === undefined) lease.release();
    else lease.retire(reason);
  };
  return lease.worker.call(call, free, attempt);
}
