import type { Policy, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import { type Listed, Roster } from '#core/roster.ts';

/** A call in flight and when its time is over, by `performance.now()`. */
interface Dated extends Listed {
  readonly call: ToolCall;
  readonly endsAtMs: number;
}

/**
 * Ends a call that takes longer than its deadline, by aborting the call's one signal: a waiter leaves the
 * queue, a written request is cancelled in the child. The time before this policy (reading the body,
 * waiting for the first tools/list) has already been taken off, as the deadline counts from arrival.
 *
 * All calls share one timer, set for the first that ends. Most have their answer long before: a timer of its own, made
 * and cleared, would cost each of them more than its place in a list, and the list is looked through where the timer rings.
 *
 * @throws BridgeError `deadline_exceeded`, executed `no`, when nothing was left on arrival here. Later the
 * layer that held the call says how far it came: the queue `queue_timeout` or `no_worker_ready`, the
 * child's session `deadline_exceeded` with executed `maybe`.
 */
export class Deadline {
  readonly #calls = new Roster<Dated>();
  #timer: NodeJS.Timeout | undefined;
  #ringsAtMs = Number.POSITIVE_INFINITY;

  readonly policy: Policy = (next) => (call) => {
    const nowMs = performance.now();
    const endsAtMs = call.arrivedAtMs + call.timeoutMs;
    if (endsAtMs <= nowMs) return Promise.reject(exceeded(call));
    const dated: Dated = { call, endsAtMs, seat: -1 };
    this.#calls.join(dated);
    if (endsAtMs < this.#ringsAtMs) this.#ringAt(endsAtMs, nowMs);
    const leave = (): void => this.#calls.leave(dated);
    let answer: Promise<ToolResult>;
    try {
      answer = next(call);
    } catch (error) {
      // Nothing of ours throws; if it did, the call would be kept for ever.
      leave();
      return Promise.reject(error);
    }
    answer.then(leave, leave);
    return answer;
  };

  /** Ends the timer; whoever is still in flight has no deadline any more. Idempotent. */
  close(): void {
    clearTimeout(this.#timer);
    this.#ringsAtMs = Number.POSITIVE_INFINITY;
  }

  #ringAt(atMs: number, nowMs: number): void {
    clearTimeout(this.#timer);
    this.#ringsAtMs = atMs;
    // Who waits for a call has a connection, and who runs it is a process: neither needs this to stay alive.
    this.#timer = setTimeout(this.#ring, Math.ceil(atMs - nowMs)).unref();
  }

  readonly #ring = (): void => {
    const nowMs = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    this.#ringsAtMs = nextMs;
    for (const { call, endsAtMs } of this.#calls) {
      if (endsAtMs <= nowMs) call.abort.abort(exceeded(call));
      else nextMs = Math.min(nextMs, endsAtMs);
    }
    if (nextMs < this.#ringsAtMs) this.#ringAt(nextMs, nowMs);
  };
}

function exceeded(call: ToolCall): BridgeError {
  return new BridgeError(
    'deadline_exceeded',
    `no answer within the deadline of ${call.timeoutMs} ms; the longest this tool allows is ${call.policy.deadlineMs} ms`,
  );
}
