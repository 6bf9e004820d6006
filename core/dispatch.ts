import type { Invoke } from '#core/call.ts';
import type { McpWorker } from '#core/child/mcp-worker.ts';
import { BridgeError } from '#core/errors.ts';
import type { Pool } from '#core/pool/pool.ts';

/**
 * The innermost step: takes a slot of the least loaded worker and calls the tool there. The slot is given
 * back when the child has answered, not when the caller stops waiting: a cancelled call holds it until the
 * answer or the end of the grace time.
 */
export function dispatch(pool: Pool<McpWorker>): Invoke {
  return async function dispatchToPool(call) {
    call.report.attempts++;
    const lease = await pool.acquire({ key: call.tool, signal: call.abort.signal, avoid: call.avoid });
    if (call.avoid?.has(lease.worker.id)) {
      lease.release();
      throw new BridgeError('no_worker_ready', 'the only worker there is has just failed this call');
    }
    return lease.worker.call(call, (reason) => {
      if (reason === undefined) lease.release();
      else lease.retire(reason);
    });
  };
}
