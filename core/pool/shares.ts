/** What one tool holds of the pool right now. */
export interface Tally {
  slots: number;
  waiting: number;
}

/** Beyond this many names those that hold nothing are forgotten: a server may list new tools for ever. */
const MAX_TALLIES = 1_024;

/**
 * How much of the slots and of the queue one tool may hold, so that a tool that hangs cannot take the
 * others' workers. A share of 1 means no limit: then every tool has the same tally and no map is touched.
 */
export class Shares {
  /** Slots one tool may hold; at least 1. */
  readonly maxSlots: number;
  /** Waiters one tool may have; at least 1. */
  readonly maxWaiting: number;
  readonly #tallies: Map<string, Tally> | undefined;
  readonly #common: Tally = { slots: 0, waiting: 0 };

  /** `share` in (0..1], of `slots` and of `queueMax`. */
  constructor(share: number, slots: number, queueMax: number) {
    const limited = share < 1;
    this.maxSlots = limited ? part(share, slots) : Number.POSITIVE_INFINITY;
    this.maxWaiting = limited ? part(share, queueMax) : Number.POSITIVE_INFINITY;
    this.#tallies = limited ? new Map() : undefined;
  }

  /** The tally of a tool, made on its first call. */
  of(key: string): Tally {
    if (this.#tallies === undefined) return this.#common;
    const known = this.#tallies.get(key);
    if (known !== undefined) return known;
    if (this.#tallies.size >= MAX_TALLIES) this.#forgetIdle(this.#tallies);
    const fresh: Tally = { slots: 0, waiting: 0 };
    this.#tallies.set(key, fresh);
    return fresh;
  }

  #forgetIdle(tallies: Map<string, Tally>): void {
    for (const [key, { slots, waiting }] of tallies) if (slots === 0 && waiting === 0) tallies.delete(key);
  }
}

function part(share: number, whole: number): number {
  // 0.29 * 100 is 28.999999999999996: the operator meant 29.
  return Math.max(1, Math.floor(share * whole + 1e-9));
}
