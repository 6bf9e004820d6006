import type { Quota } from '#core/call.ts';
import { limitKey } from './limit-key.ts';
import { type Limit, type RateLimitStore, type Taken, WINDOW_MS } from './rate-limit-store.ts';
import { tighterQuota } from './tighter-quota.ts';

/** Some 4 MiB at most. */
const DEFAULT_MAX_WINDOWS = 20_000;
/** More than the one that is added, so that what has ended goes even where new keys keep coming. */
const SWEPT_PER_WINDOW = 2;
/** A key up to this length is kept as it is. */
const MAX_KEY_LENGTH = 200;

interface Window {
  used: number;
  readonly endsAtMs: number;
}

/**
 * Quotas of one process, by a monotonic clock and without a timer.
 *
 * At most `maxWindows` are kept; where all of them are still running the oldest is forgotten, which gives its owner
 * a new window at most a minute early.
 */
export class MemoryRateLimitStore implements RateLimitStore {
  readonly #now: () => number;
  readonly #maxWindows: number;
  /** In the order in which they end: all are equally long, and each is put last when it starts. */
  readonly #windows = new Map<string, Window>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now(), maxWindows: number = DEFAULT_MAX_WINDOWS) {
    this.#now = now;
    this.#maxWindows = maxWindows;
  }

  /** Windows kept, ended ones that nothing has swept yet included. */
  get size(): number {
    return this.#windows.size;
  }

  take(limit: Limit, other?: Limit): Taken {
    const now = this.#now();
    const key = boundedKey(limit.key);
    const window = this.#running(key, now);
    const within = window === undefined ? limit.perMinute > 0 : window.used < limit.perMinute;
    if (other === undefined) {
      return { allowed: within, quota: quotaOf(limit, within ? this.#count(key, window, now) : window, now) };
    }
    const otherKey = boundedKey(other.key);
    const otherWindow = this.#running(otherKey, now);
    const allowed = within && (otherWindow === undefined ? other.perMinute > 0 : otherWindow.used < other.perMinute);
    const quota = quotaOf(limit, allowed ? this.#count(key, window, now) : window, now);
    const otherQuota = quotaOf(other, allowed ? this.#count(otherKey, otherWindow, now) : otherWindow, now);
    return { allowed, quota: tighterQuota(quota, otherQuota) };
  }

  #running(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && window.endsAtMs > now ? window : undefined;
  }

  #count(key: string, running: Window | undefined, now: number): Window {
    if (running !== undefined) {
      running.used++;
      return running;
    }
    this.#sweep(now);
    const window = { used: 1, endsAtMs: now + WINDOW_MS };
    this.#windows.delete(key);
    this.#windows.set(key, window);
    return window;
  }

  /** Makes room for one window. */
  #sweep(now: number): void {
    let swept = 0;
    for (const [key, { endsAtMs }] of this.#windows) {
      if (endsAtMs > now && this.#windows.size < this.#maxWindows) return;
      this.#windows.delete(key);
      if (++swept === SWEPT_PER_WINDOW) return;
    }
  }
}

function boundedKey(key: string): string {
  return key.length > MAX_KEY_LENGTH ? limitKey(key) : key;
}

function quotaOf({ name, perMinute }: Limit, window: Window | undefined, now: number): Quota {
  if (window === undefined) return { name, perMinute, remaining: perMinute, resetMs: WINDOW_MS };
  const remaining = Math.max(0, perMinute - window.used);
  return { name, perMinute, remaining, resetMs: Math.ceil(window.endsAtMs - now) };
}
