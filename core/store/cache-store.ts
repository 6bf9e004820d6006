/** An answer that was kept: the bytes of a `CallToolResult`, never one with `isError`. */
export interface CachedAnswer {
  readonly body: Uint8Array;
  /** How long ago it was put there. */
  readonly ageMs: number;
}

/**
 * Answers of read-only tools, bounded in number and bytes. A store that is away is an empty one: `get` finds nothing,
 * `set` does nothing; neither rejects.
 */
export interface CacheStore {
  get(key: string): Promise<CachedAnswer | undefined>;
  /** Keeps a copy for `ttlMs`, where it is small enough to be worth it. */
  set(key: string, body: Uint8Array, ttlMs: number): Promise<void>;
}
