import type { Policy, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, type ErrorCode } from '#core/errors.ts';
import { RetryBudget } from '#core/policy/retry-budget.ts';

/** R0: no byte reached a child. R1: a worker failed a call that may safely run again. */
export type RetryClass = 'r0' | 'r1';

export interface RetryStats {
  readonly r0: number;
  readonly r1: number;
  /** Second attempts that the budget did not allow. */
  readonly overBudget: number;
}

/** Failures of one worker that another worker need not share; a queue or a deadline would only repeat. */
const OF_THE_WORKER: ReadonlySet<ErrorCode> = new Set(['child_crashed', 'child_protocol_error', 'worker_backpressure']);

/** A move costs the child nothing, but a call must not wander for ever between dying workers. */
const MAX_ATTEMPTS = 3;

/**
 * Second attempts, by what the first one may have done:
 *
 * - R0 (executed `no`): no byte was written to a child, so any tool may move to another worker;
 * - R1 (executed `maybe`, effect `read` or `idempotent`): once more, on another worker;
 * - R2 (executed `maybe`, effect `write`): never.
 *
 * All within the call's one deadline and the bridge's budget. Where a second attempt could not reach a
 * worker, the caller is told of the first failure: that one may have executed, and it says what is wrong.
 */
export class Retry {
  readonly #budget: RetryBudget;
  #r0 = 0;
  #r1 = 0;
  #overBudget = 0;

  constructor(budget: RetryBudget = new RetryBudget()) {
    this.#budget = budget;
  }

  get stats(): RetryStats {
    return { r0: this.#r0, r1: this.#r1, overBudget: this.#overBudget };
  }

  readonly policy: Policy = (next) => {
    const again = async (call: ToolCall, first: unknown): Promise<ToolResult> => {
      let failure = first;
      let repeated = false;
      const avoid = new Set<number>();
      for (let attempt = 2; attempt <= MAX_ATTEMPTS; attempt++) {
        const kind = repeatable(call, failure, repeated);
        if (kind === undefined) throw failure;
        if (!this.#budget.take()) {
          this.#overBudget++;
          throw failure;
        }
        if (kind === 'r0') this.#r0++;
        else this.#r1++;
        repeated ||= kind === 'r1';
        if (failure instanceof BridgeError && failure.workerId !== undefined) avoid.add(failure.workerId);
        try {
          return await next({ ...call, avoid });
        } catch (error) {
          if (repeated ? didNotRun(error) : reachedNoWorker(error)) throw failure;
          failure = error;
        }
      }
      throw failure;
    };
    return async (call) => {
      this.#budget.call();
      try {
        return await next(call);
      } catch (error) {
        return again(call, error);
      }
    };
  };
}

function repeatable(call: ToolCall, failure: unknown, repeated: boolean): RetryClass | undefined {
  if (!(failure instanceof BridgeError) || !OF_THE_WORKER.has(failure.code)) return undefined;
  if (call.abort.signal.aborted) return undefined;
  if (failure.executed === 'no') return 'r0';
  return call.effect === 'write' || repeated ? undefined : 'r1';
}

/** It takes nothing back of what an attempt before it may have done. */
function didNotRun(failure: unknown): failure is BridgeError {
  return failure instanceof BridgeError && failure.executed === 'no';
}

function reachedNoWorker(failure: unknown): boolean {
  return didNotRun(failure) && failure.workerId === undefined;
}
