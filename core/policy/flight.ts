import type { CallReport, Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { Cancellation } from '#core/cancellation.ts';
import { BridgeError } from '#core/errors.ts';

/**
 * One execution that all who want the same answer wait for.
 *
 * It is a call of its own, made of that of the first who waits, whose report tells its attempts. Nobody's departure and
 * nobody's deadline ends it for the others: it has the whole time that the operator gives the tool, and is cancelled
 * when nobody waits any more. Where it takes all that time, those who came later and have time left get one more
 * execution together. Otherwise its failure is everybody's, as its result is.
 */
export class Flight {
  readonly #execute: Invoke;
  readonly #onLanding: (flight: Flight) => void;
  /** All who have no answer yet, the last to leave included. */
  readonly #waiters = new Set<Waiter>();
  #present = 0;
  #attempt: ToolCall | undefined;

  /** @param onLanding told right before everybody is answered: nobody may join any more */
  constructor(execute: Invoke, onLanding: (flight: Flight) => void) {
    this.#execute = execute;
    this.#onLanding = onLanding;
  }

  /**
   * Waits with the others, until the call's own signal is aborted.
   * @throws BridgeError as the execution; the signal's reason, executed `maybe`, where others go on without this call
   */
  join(call: ToolCall): Promise<ToolResult> {
    return new Promise((resolve, reject) => {
      this.#present++;
      this.#waiters.add(new Waiter(this, call, resolve, reject));
    });
  }

  /** Executes, as long as anybody waits for it. Never rejects. */
  async fly(): Promise<void> {
    for (let [pilot] = this.#waiters; pilot !== undefined; [pilot] = this.#waiters) {
      const attempt = attemptOf(pilot.call);
      this.#attempt = attempt;
      const timer = setTimeout(expire, attempt.timeoutMs, attempt);
      try {
        this.land(await this.#execute(attempt));
        return;
      } catch (error) {
        this.#fail(error, attempt);
      } finally {
        clearTimeout(timer);
      }
    }
    this.#onLanding(this);
  }

  /** Everybody gets this result; `from` says where it was found if it was not executed. */
  land(result: ToolResult, from?: Pick<CallReport, 'source' | 'ageMs'>): void {
    this.#onLanding(this);
    for (const waiter of this.#waiters) {
      if (from !== undefined) Object.assign(waiter.call.report, from);
      this.#release(waiter).resolve(result);
    }
  }

  /** A waiter's own signal was aborted. */
  leave(waiter: Waiter): void {
    const { reason } = waiter.call.abort.signal;
    this.#present--;
    waiter.gone = true;
    if (this.#attempt === undefined) this.#release(waiter).reject(reason);
    else if (this.#present > 0) this.#release(waiter).reject(perhapsExecuted(reason));
    // What became of it is told by the layer that holds the call.
    else this.#attempt.abort.abort(reason);
  }

  /** Those who came to an execution that was cut short by its time, or by all others leaving, have another one. */
  #fail(error: unknown, { abort }: ToolCall): void {
    for (const waiter of this.#waiters) {
      if (abort.signal.aborted && !waiter.gone && !waiter.again) waiter.again = true;
      else this.#release(waiter).reject(error);
    }
  }

  #release(waiter: Waiter): Waiter {
    this.#waiters.delete(waiter);
    if (!waiter.gone) this.#present--;
    waiter.forget();
    return waiter;
  }
}

/** One call in a flight: its place, its promise's ends and its abort listener in one object. */
class Waiter {
  readonly call: ToolCall;
  readonly resolve: (result: ToolResult) => void;
  readonly reject: (reason: unknown) => void;
  /** Its signal was aborted. */
  gone = false;
  /** It has seen one execution run out of time. */
  again = false;
  readonly #flight: Flight;

  constructor(
    flight: Flight,
    call: ToolCall,
    resolve: (result: ToolResult) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#flight = flight;
    this.call = call;
    this.resolve = resolve;
    this.reject = reject;
    call.abort.signal.addEventListener('abort', this);
  }

  /** The abort listener. */
  handleEvent(): void {
    this.#flight.leave(this);
  }

  forget(): void {
    this.call.abort.signal.removeEventListener('abort', this);
  }
}

/** The same call with a life of its own. */
function attemptOf(call: ToolCall): ToolCall {
  const timeoutMs = call.policy.deadlineMs;
  return { ...call, abort: new Cancellation(), arrivedAtMs: performance.now(), timeoutMs };
}

function expire({ abort, timeoutMs }: ToolCall): void {
  abort.abort(
    new BridgeError('deadline_exceeded', `no answer within ${timeoutMs} ms, the longest that this tool allows`),
  );
}

/** A caller's own deadline, while the execution that it waited for goes on. */
function perhapsExecuted(reason: unknown): unknown {
  if (!(reason instanceof BridgeError)) return reason;
  return new BridgeError(reason.code, reason.message, {
    executed: 'maybe',
    cause: reason,
    ...(reason.retryAfterMs === undefined ? {} : { retryAfterMs: reason.retryAfterMs }),
    ...(reason.details === undefined ? {} : { details: reason.details }),
  });
}
