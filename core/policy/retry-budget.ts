const BUCKETS = 10;
const BUCKET_MS = 1_000;
const SHARE = 0.2;
const FLOOR = 3;

/**
 * Bounds second attempts so that they cannot multiply an outage: in any 10 s at most 20 % of the calls,
 * and never fewer than 3. Counted in one-second buckets by a monotonic clock.
 */
export class RetryBudget {
  readonly #now: () => number;
  readonly #calls = new Uint32Array(BUCKETS);
  readonly #retries = new Uint32Array(BUCKETS);
  #second = Number.NEGATIVE_INFINITY;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A call came in. */
  call(): void {
    const bucket = this.#bucket();
    this.#calls[bucket] = (this.#calls[bucket] ?? 0) + 1;
  }

  /** True, and counted, when one more second attempt is within the budget. */
  take(): boolean {
    const bucket = this.#bucket();
    let calls = 0;
    let retries = 0;
    for (let i = 0; i < BUCKETS; i++) {
      calls += this.#calls[i] ?? 0;
      retries += this.#retries[i] ?? 0;
    }
    if (retries + 1 > Math.max(FLOOR, SHARE * calls)) return false;
    this.#retries[bucket] = (this.#retries[bucket] ?? 0) + 1;
    return true;
  }

  /** The bucket of this second; the ones that fell out of the window are cleared on the way. */
  #bucket(): number {
    const second = Math.floor(this.#now() / BUCKET_MS);
    if (second !== this.#second) {
      const from = Math.max(this.#second + 1, second - BUCKETS + 1);
      for (let s = from; s <= second; s++) {
        this.#calls[s % BUCKETS] = 0;
        this.#retries[s % BUCKETS] = 0;
      }
      this.#second = second;
    }
    return second % BUCKETS;
  }
}
