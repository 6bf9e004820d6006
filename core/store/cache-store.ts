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
  /** Larger answers are not to be put there. */
  readonly maxAnswerBytes: number;
  /** What is kept under `key`, at once where it is kept in this process. */
  get(key: string): Promise<CachedAnswer | undefined> | CachedAnswer | undefined;
  /** Keeps a copy of `body`, in pieces as a `ToolResult` has it, for `ttlMs` or until room is needed. */
  set(key: string, body: readonly Uint8Array[], ttlMs: number): Promise<void>;
}
