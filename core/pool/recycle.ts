import type { PoolSettings } from '#core/manifest.ts';
import type { Member } from '#core/pool/member.ts';
import type { RetireReason, Worker } from '#core/pool/worker.ts';

/**
 * How a worker that is to go leaves: `planned` it works well and goes on until its replacement is ready;
 * `forced` it cannot be trusted with another call, and its end counts as a death for the back-off.
 */
export const DEPARTURES = {
  idle: 'planned',
  age: 'planned',
  uses: 'planned',
  rss: 'planned',
  reload: 'planned',
  shutdown: 'planned',
  silent: 'forced',
  abandoned: 'forced',
  protocol: 'forced',
  crashed: 'forced',
  start_failed: 'forced',
} as const satisfies Record<RetireReason, 'planned' | 'forced'>;

/** How often the memory of the workers is looked at. */
export const RSS_EVERY_MS = 5_000;

/** A worker that has been ready for this long has proven that it can live. */
export const PROVEN_AFTER_MS = 10_000;

const AGE_JITTER = 0.2;
const MIN_SWEEP_MS = 50;

/** How often to look for workers that are too old, too big or idle: often enough for the shortest limit. */
export function sweepEveryMs({ idleMs, maxAgeMs }: PoolSettings): number {
  return Math.min(RSS_EVERY_MS, Math.max(MIN_SWEEP_MS, Math.min(idleMs, maxAgeMs) / 4));
}

/** The limit of age of one worker, up to a fifth below the setting. `random` in [0..1). */
export function jitteredMaxAgeMs(maxAgeMs: number, random: () => number): number {
  return maxAgeMs * (1 - AGE_JITTER * random());
}

/** Whether a worker has had its calls. One that has is asked again after each, so the clock is read last. */
export function isUsedUp({ calls, startedAtMs }: Member<Worker>, { maxUses, minLifeMs }: PoolSettings): boolean {
  return calls >= maxUses && performance.now() - startedAtMs >= minLifeMs;
}

/** Which limit a worker has reached, if any. `rssBytes` undefined where memory was not looked at. */
export function reachedLimit(
  member: Member<Worker>,
  settings: PoolSettings,
  nowMs: number,
  rssBytes: number | undefined,
): RetireReason | undefined {
  if (isUsedUp(member, settings)) return 'uses';
  if (nowMs - member.startedAtMs >= member.maxAgeMs) return 'age';
  if (rssBytes !== undefined && rssBytes > settings.maxRssMb * 1024 * 1024) return 'rss';
  return undefined;
}

/**
 * Whether a worker has had no call for `idleMs`. Judged by comparing its call count from sweep to sweep, so
 * that the path of a call need not read the clock; the price is up to one sweep more.
 */
export function isIdle(member: Member<Worker>, idleMs: number, nowMs: number): boolean {
  if (member.inFlight > 0 || member.calls !== member.idleCalls) {
    member.idleSinceMs = nowMs;
    member.idleCalls = member.calls;
    return false;
  }
  return nowMs - member.idleSinceMs >= idleMs;
}
