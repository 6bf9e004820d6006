const FIRST_DELAY_MS = 100;
const MAX_START_DELAY_MS = 30_000;
const MAX_CRASH_DELAY_MS = 5_000;
/** Only upward: the plain delays 0.1, 0.2, … 25.6 s allow exactly ten starts in the first minute. */
const JITTER = 0.25;
const HOPELESS_AFTER = 3;

/**
 * When the next worker may be started after one that failed, and when to stop believing: the rule alone,
 * without timers or workers. Times are `performance.now()` values.
 *
 * - A failed start doubles the delay, from 0.1 s to 30 s. Three in a row are hopeless, until one succeeds.
 * - A death after `ready` doubles it too, but to 5 s at most and without a verdict: the server can start,
 *   and it is its calls that kill it.
 * - A worker that proved itself, by a call or by living for a while, sets the delays back to the first.
 */
export class Respawn {
  readonly #random: () => number;
  #failures = 0;
  #failedStarts = 0;
  #notBeforeMs = 0;

  /** `random` in [0..1) spreads the delays of replicas that failed together. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Failed or short-lived starts in a row; while it is above 0, starts are made one at a time. */
  get failures(): number {
    return this.#failures;
  }

  /** Starts in a row that never became ready. */
  get failedStarts(): number {
    return this.#failedStarts;
  }

  /** No start before this time. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** Three starts in a row failed: waiting for the next is not worth a caller's time. */
  get hopeless(): boolean {
    return this.#failedStarts >= HOPELESS_AFTER;
  }

  /** A worker never became ready. Returns the delay. */
  startFailed(nowMs: number): number {
    this.#failedStarts++;
    this.#failures++;
    return this.#delay(nowMs, MAX_START_DELAY_MS);
  }

  /** A worker that had been ready died or had to go; `proven` as of `proved`. Returns the delay. */
  died(nowMs: number, proven: boolean): number {
    this.#failures = proven ? 1 : this.#failures + 1;
    return this.#delay(nowMs, MAX_CRASH_DELAY_MS);
  }

  /** A worker became ready. */
  started(): void {
    this.#failedStarts = 0;
  }

  /** A worker has done a call, or has lived long enough. */
  proved(): void {
    this.#failures = 0;
    this.#failedStarts = 0;
  }

  /** What failed until now says nothing about the next start: it will be of another kind. */
  forget(): void {
    this.proved();
    this.#notBeforeMs = 0;
  }

  #delay(nowMs: number, maxMs: number): number {
    const plainMs = Math.min(maxMs, FIRST_DELAY_MS * 2 ** (this.#failures - 1));
    const delayMs = plainMs * (1 + JITTER * this.#random());
    this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + delayMs);
    return delayMs;
  }
}
