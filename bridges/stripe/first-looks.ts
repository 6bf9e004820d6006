const MAX_KEYS = 1_000;

/**
 * When this process was first asked about a key. A caller is let through to ask only after the first call has ended, so
 * the request it is about was sent before that; how much later it can still be carried out is known from here.
 */
export class FirstLooks {
  readonly #at = new Map<string, number>();
  readonly #now: () => number;

  /** @param now monotonic, ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** For how long the key has been asked about: 0 the first time. */
  sinceMs(key: string): number {
    const now = this.#now();
    const first = this.#at.get(key);
    if (first !== undefined) return now - first;
    if (this.#at.size >= MAX_KEYS) for (const [oldest] of this.#at) if (this.#at.delete(oldest)) break;
    this.#at.set(key, now);
    return 0;
  }
}
