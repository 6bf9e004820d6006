import type { Owned } from '#core/policy/keyed-call.ts';
import type { IdempotencyStore } from '#core/store/idempotency-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

/** How a claimed key ends: with an outcome to record, or released because nothing ran. */
export interface Settlement extends Owned {
  /** Undefined: released. */
  readonly outcome: Uint8Array | undefined;
}

export interface RecorderOptions {
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Settlements that wait for the store to come back, and as many releases of doubtful claims; default 1000. */
  readonly maxPending?: number;
  /** Bytes of outcomes that wait; default 32 MiB. */
  readonly maxPendingBytes?: number;
}

export interface RecorderStats {
  /** Outcomes that the store took, late ones included. */
  readonly recorded: number;
  /** Of those, the ones it took in a later attempt. */
  readonly recordedLate: number;
  readonly released: number;
  /** Outcomes whose record the store no longer had: expired, or forgotten by a store that lost it. */
  readonly orphaned: number;
  /** Settlements given up: no room, too old, or the process ended. Their keys answer `outcome_unknown`. */
  readonly dropped: number;
  /** Settlements that the store has not taken yet, first attempts included. */
  readonly pending: number;
  /** Of those that wait for a later attempt. */
  readonly pendingBytes: number;
}

const FIRST_PAUSE_MS = 100;
/** A store that is back gets its records within this. */
const LONGEST_PAUSE_MS = 2_000;
const LAST_ATTEMPT_MS = 500;

/**
 * Writes how keyed calls ended. What the store cannot take is tried again, with growing pauses, while this process
 * lives and the record would. Bounded in number and bytes: the oldest is given up for a new one. Of doubtful claims it
 * is the new one, since the first ones after a store went away are those that it may have taken.
 */
export class Recorder {
  readonly #store: IdempotencyStore;
  readonly #now: () => number;
  readonly #maxPending: number;
  readonly #maxPendingBytes: number;
  /** First attempts under way. */
  readonly #attempts = new Set<Promise<void>>();
  /** What waits of keys that were claimed, oldest first. */
  readonly #owed = new Set<Settlement>();
  /** Releases of keys that may have been claimed. */
  readonly #doubtful = new Set<Settlement>();
  #pendingBytes = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | undefined;
  #retrying: { readonly settlement: Settlement; readonly attempt: Promise<boolean> } | undefined;
  #closing: Promise<void> | undefined;
  #recorded = 0;
  #recordedLate = 0;
  #released = 0;
  #orphaned = 0;
  #dropped = 0;

  constructor(store: IdempotencyStore, options: RecorderOptions = {}) {
    this.#store = store;
    this.#now = options.now ?? (() => performance.now());
    this.#maxPending = options.maxPending ?? 1_000;
    this.#maxPendingBytes = options.maxPendingBytes ?? 32 * 1024 * 1024;
  }

  get stats(): RecorderStats {
    return {
      recorded: this.#recorded,
      recordedLate: this.#recordedLate,
      released: this.#released,
      orphaned: this.#orphaned,
      dropped: this.#dropped,
      pending: this.#attempts.size + this.#owed.size + this.#doubtful.size,
      pendingBytes: this.#pendingBytes,
    };
  }

  /** Settles when the store has taken it, or when it waits for a later attempt. Never rejects. */
  settle(settlement: Settlement): Promise<void> {
    const attempt = this.#write(settlement, false).then(
      () => {
        this.#attempts.delete(attempt);
      },
      (error: unknown) => {
        this.#attempts.delete(attempt);
        if (this.#closing === undefined && error instanceof StoreUnavailableError) this.#keep(settlement);
        else if (settlement.claimed) this.#dropped++;
      },
    );
    this.#attempts.add(attempt);
    return attempt;
  }

  /** Tries everything that waits once more, for 500 ms at most, and ends. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** @throws whatever the store throws */
  async #write(settlement: Settlement, late: boolean): Promise<void> {
    const { key, token, outcome } = settlement;
    if (outcome === undefined) {
      await this.#store.release(key, token);
      this.#released++;
    } else if (await this.#store.complete(key, token, outcome)) {
      this.#recorded++;
      if (late) this.#recordedLate++;
    } else this.#orphaned++;
  }

  #keep(settlement: Settlement): void {
    if (settlement.claimed) {
      this.#owed.add(settlement);
      this.#pendingBytes += settlement.outcome?.length ?? 0;
      for (const oldest of this.#owed) {
        if (this.#owed.size <= this.#maxPending && this.#pendingBytes <= this.#maxPendingBytes) break;
        this.#giveUp(oldest);
      }
    } else if (this.#doubtful.size < this.#maxPending) this.#doubtful.add(settlement);
    this.#retryLater();
  }

  /** @returns false when it had been forgotten before */
  #forget(settlement: Settlement): boolean {
    if (!settlement.claimed) return this.#doubtful.delete(settlement);
    if (!this.#owed.delete(settlement)) return false;
    this.#pendingBytes -= settlement.outcome?.length ?? 0;
    return true;
  }

  /** A doubtful claim costs nobody anything: it is no longer than its lease in the way, and probably not at all. */
  #giveUp(settlement: Settlement): void {
    if (this.#forget(settlement) && settlement.claimed) this.#dropped++;
  }

  #retryLater(): void {
    if (this.#timer !== undefined || this.#retrying !== undefined || this.#closing !== undefined) return;
    if (this.#owed.size + this.#doubtful.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#retry();
    }, this.#pauseMs).unref();
  }

  /** One after the other until the first that fails: a store that is back is not met with all of them at once. */
  async #retry(): Promise<void> {
    for (;;) {
      const settlement = firstOf(this.#owed) ?? firstOf(this.#doubtful);
      if (settlement === undefined || this.#closing !== undefined) break;
      this.#retrying = { settlement, attempt: this.#again(settlement) };
      if (!(await this.#retrying.attempt)) {
        this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
        break;
      }
      this.#pauseMs = FIRST_PAUSE_MS;
    }
    this.#retrying = undefined;
    this.#retryLater();
  }

  /** @returns false while the store is away; true when there is nothing left to do for this one */
  async #again(settlement: Settlement): Promise<boolean> {
    if (this.#now() >= settlement.expiresAtMs) {
      this.#giveUp(settlement);
      return true;
    }
    try {
      await this.#write(settlement, true);
      this.#forget(settlement);
    } catch (error) {
      if (error instanceof StoreUnavailableError) return false;
      this.#giveUp(settlement);
    }
    return true;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    const underWay = this.#retrying;
    const last: Promise<unknown>[] = [...this.#attempts];
    for (const settlement of [...this.#owed, ...this.#doubtful]) {
      last.push(settlement === underWay?.settlement ? underWay.attempt : this.#again(settlement));
    }
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LAST_ATTEMPT_MS);
    await Promise.race([Promise.all(last), enough]);
    clearTimeout(timer);
    for (const settlement of [...this.#owed, ...this.#doubtful]) this.#giveUp(settlement);
  }
}

function firstOf(settlements: ReadonlySet<Settlement>): Settlement | undefined {
  for (const settlement of settlements) return settlement;
  return undefined;
}
