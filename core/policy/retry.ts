import type { Policy, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, type ErrorCode } from '#core/errors.ts';
import { RetryBudget } from '#core/policy/retry-budget.ts';
import { toolFailureOf } from '#core/policy/tool-failure.ts';

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

/** Before the call reached the worker they are about the worker alone. */
const TOLD_AS_REFUSAL: ReadonlySet<ErrorCode> = new Set(['child_crashed', 'child_protocol_error']);

const SOONEST_REPEAT_MS = 1_000;

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
 * worker, or its tool answers that it did nothing, the caller is told of the first failure: that one may have executed,
 * and it says what is wrong.
 * A call that found only workers that were gone is told as a refusal, since it was never started.
 *
 * @throws BridgeError no_worker_ready (executed `no`) in place of a worker's failure before the call reached it, and
 * whatever the call throws
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
        if (kind === undefined) throw asRefusal(failure, attempt - 1);
        if (!this.#budget.take()) {
          this.#overBudget++;
          throw asRefusal(failure, attempt - 1);
        }
        if (kind === 'r0') this.#r0++;
        else this.#r1++;
        repeated ||= kind === 'r1';
        call.report.retry = kind;
        if (failure instanceof BridgeError && failure.workerId !== undefined) avoid.add(failure.workerId);
        let result: ToolResult;
        try {
          result = await next({ ...call, avoid });
        } catch (error) {
          if (repeated ? didNotRun(error) : reachedNoWorker(error)) throw asRefusal(failure, attempt - 1);
          failure = error;
          continue;
        }
        if (repeated && saysItDidNotRun(call, result)) throw failure;
        return result;
      }
      throw asRefusal(failure, MAX_ATTEMPTS);
    };
    return (call) => {
      this.#budget.call();
      return next(call).catch((error: unknown) => again(call, error));
    };
  };
}

function repeatable(call: ToolCall, failure: unknown, repeated: boolean): RetryClass | undefined {
  if (!(failure instanceof BridgeError) || !OF_THE_WORKER.has(failure.code)) return undefined;
  if (call.abort.signal.aborted) return undefined;
  if (failure.executed === 'no') return 'r0';
  return call.effect === 'write' || repeated ? undefined : 'r1';
}

/** What ended a worker is no answer of the tool: 502 would say that the call may have run. */
function asRefusal(failure: unknown, attempts: number): unknown {
  if (!didNotRun(failure) || !TOLD_AS_REFUSAL.has(failure.code)) return failure;
  const ended = attempts === 1 ? 'the worker ended' : `each of ${attempts} workers ended`;
  return new BridgeError(
    'no_worker_ready',
    `${ended} before the call reached it; nothing was run: repeat it in ${SOONEST_REPEAT_MS} ms`,
    { retryAfterMs: SOONEST_REPEAT_MS, cause: failure },
  );
}

/** It takes nothing back of what an attempt before it may have done. */
function didNotRun(failure: unknown): failure is BridgeError {
  return failure instanceof BridgeError && failure.executed === 'no';
}

/** A tool speaks of its own attempt only; of a `read` nobody needs to know. */
function saysItDidNotRun({ effect }: ToolCall, result: ToolResult): boolean {
  return result.isError && effect !== 'read' && toolFailureOf(result).executed === 'no';
}

function reachedNoWorker(failure: unknown): boolean {
  return didNotRun(failure) && failure.workerId === undefined;
}
