/** What is left of a quota after a call was counted against it. */
export interface Taken {
  readonly allowed: boolean;
  /** Calls left in the current window. */
  readonly remaining: number;
  /** Until the window ends and the quota is full again. */
  readonly resetMs: number;
}

/**
 * Counts calls in windows of one minute. Where the shared store is away each process counts for itself; nothing here
 * rejects.
 */
export interface RateLimitStore {
  /** Counts one call against `key`, whose quota is `perMinute` calls a minute. A refused call is not counted. */
  take(key: string, perMinute: number): Promise<Taken>;
}
