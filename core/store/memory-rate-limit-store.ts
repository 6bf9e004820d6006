import type { Quota } from '#core/call.ts';
import { boundedKey } from './limit-key.ts';
import { type Limit, type RateLimitStore, type Taken, WINDOW_MS } from './rate-limit-store.ts';
import { tighterQuota } from './tighter-quota.ts';
import { type Window, Windows } from './windows.ts';

/** Of each name; some 4 MiB at most. */
const DEFAULT_MAX_WINDOWS = 10_000;

/** Quotas of one process, by a monotonic clock. At most `maxWindows` of principals run at a time, and as many of tools. */
export class MemoryRateLimitStore implements RateLimitStore {
  readonly #now: () => number;
  /** Apart, so that an id that every call of a principal brings along is its key as it is. */
  readonly #windows: Readonly<Record<Quota['name'], Windows>>;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now(), maxWindows: number = DEFAULT_MAX_WINDOWS) {
    this.#now = now;
    this.#windows = { principal: new Windows(maxWindows), tool: new Windows(maxWindows) };
  }

  /** Windows kept, ended ones that nothing has swept yet included. */
  get size(): number {
    return this.#windows.principal.size + this.#windows.tool.size;
  }

  take(limit: Limit, other?: Limit): Taken {
    const now = this.#now();
    const windows = this.#windows[limit.name];
    const key = boundedKey(limit.key);
    const running = windows.running(key, now);
    const within = isWithin(limit, running);
    if (other === undefined) {
      return { allowed: within, quota: quotaOf(limit, within ? windows.count(key, running, now) : running, now) };
    }
    const otherWindows = this.#windows[other.name];
    const otherKey = boundedKey(other.key);
    const otherRunning = otherWindows.running(otherKey, now);
    const allowed = within && isWithin(other, otherRunning);
    const quota = quotaOf(limit, allowed ? windows.count(key, running, now) : running, now);
    const otherQuota = quotaOf(other, allowed ? otherWindows.count(otherKey, otherRunning, now) : otherRunning, now);
    return { allowed, quota: tighterQuota(quota, otherQuota) };
  }
}

function isWithin({ perMinute }: Limit, running: Window | undefined): boolean {
  return (running?.used ?? 0) < perMinute;
}

function quotaOf({ name, perMinute }: Limit, window: Window | undefined, now: number): Quota {
  if (window === undefined) return { name, perMinute, remaining: perMinute, resetMs: WINDOW_MS };
  const remaining = Math.max(0, perMinute - window.used);
  return { name, perMinute, remaining, resetMs: Math.ceil(window.endsAtMs - now) };
}
