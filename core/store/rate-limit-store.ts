import type { Quota } from '#core/call.ts';

/** The length of every window: from the first call that is counted in it, not from a full minute of a clock. */
export const WINDOW_MS = 60_000;

/** A quota that a call would be counted against. */
export interface Limit {
  readonly name: Quota['name'];
  /** Whose, among those of the same name. It may hold anything, as ids of principals do. */
  readonly key: string;
  /** Calls in a window; 0 allows none. Not part of what is counted: a changed limit takes the count over. */
  readonly perMinute: number;
}

/** Whether a call is within its quotas, and the tighter one after it was counted. */
export interface Taken {
  readonly allowed: boolean;
  /** The one with the least left; where it is refused, the one that lasts longest of those that are used up. */
  readonly quota: Quota;
}

/**
 * Counts calls in fixed windows of one minute, so that it is known to the millisecond when a quota is full again.
 * The price: over the end of a window up to twice the limit may come within one minute. Where the shared store is away
 * each process counts for itself; nothing here throws or rejects.
 */
export interface RateLimitStore {
  /**
   * Counts one call against each limit, or against none where one of them is used up: a refused call costs nothing
   * and starts no window. A store of this process answers at once.
   */
  take(limit: Limit, other?: Limit): Taken | Promise<Taken>;
}
