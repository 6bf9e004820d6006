/** One closed loop's way to the subject: at most one call at a time, told through `onDone`. */
export interface Lane {
  /** Sends that call; `onDone` follows once. */
  start(call: number): void;
  /** `right` is false where the answer was not this call's own. */
  onDone: (right: boolean) => void;
  /** The connection broke; nothing follows. */
  onFailure: (error: Error) => void;
  close(): void;
}

/** What a stretch of load came to. */
export interface LoadResult {
  readonly calls: number;
  readonly wrong: number;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How long to load: until `ms` have passed and `minCalls` were answered, but never issuing after `maxMs`. */
export interface LoadLimits {
  readonly ms: number;
  readonly minCalls: number;
  readonly maxMs: number;
}
