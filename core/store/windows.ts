import { WINDOW_MS } from './rate-limit-store.ts';

/** Calls counted since `endsAtMs` − one minute. */
export interface Window {
  used: number;
  readonly endsAtMs: number;
}

/** More than the one that is added, so that what has ended goes even where new keys keep coming. */
const SWEPT_PER_WINDOW = 2;

/**
 * Windows by key, at most `max` of them and without a timer. Where all of them still run the oldest is forgotten, which
 * gives its owner a new one at most a minute early.
 */
export class Windows {
  readonly #max: number;
  /** In the order in which they end: all are equally long, and each is put last when it starts. */
  readonly #byKey = new Map<string, Window>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Ended ones that nothing has swept yet included. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The one that runs; it ends at its last millisecond's end. */
  running(key: string, now: number): Window | undefined {
    const window = this.#byKey.get(key);
    return window !== undefined && window.endsAtMs > now ? window : undefined;
  }

  /** Counts one call in the window that runs, or in a new one. */
  count(key: string, running: Window | undefined, now: number): Window {
    if (running !== undefined) {
      running.used++;
      return running;
    }
    this.#sweep(now);
    const window = { used: 1, endsAtMs: now + WINDOW_MS };
    this.#byKey.delete(key);
    this.#byKey.set(key, window);
    return window;
  }

  /** Makes room for one. */
  #sweep(now: number): void {
    let swept = 0;
    for (const [key, { endsAtMs }] of this.#byKey) {
      if (endsAtMs > now && this.#byKey.size < this.#max) return;
      this.#byKey.delete(key);
      if (++swept === SWEPT_PER_WINDOW) return;
    }
  }
}
