import type { Policy, ToolCall } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';

/**
 * Ends a call that takes longer than its deadline, by aborting the call's one signal: a waiter leaves the
 * queue, a written request is cancelled in the child. The time before this policy (reading the body,
 * waiting for the first tools/list) has already been taken off, as the deadline counts from arrival.
 *
 * @throws BridgeError `deadline_exceeded`, executed `no`, when nothing was left on arrival here. Later the
 * layer that held the call says how far it came: the queue `queue_timeout` or `no_worker_ready`, the
 * child's session `deadline_exceeded` with executed `maybe`.
 */
export const deadline: Policy = (next) =>
  async function withinDeadline(call) {
    const leftMs = call.arrivedAtMs + call.timeoutMs - performance.now();
    if (leftMs <= 0) throw exceeded(call);
    const timer = setTimeout(expire, leftMs, call);
    try {
      return await next(call);
    } finally {
      clearTimeout(timer);
    }
  };

function expire(call: ToolCall): void {
  call.abort.abort(exceeded(call));
}

function exceeded(call: ToolCall): BridgeError {
  return new BridgeError(
    'deadline_exceeded',
    `no answer within the deadline of ${call.timeoutMs} ms; the longest this tool allows is ${call.policy.deadlineMs} ms`,
  );
}
