import type { Quota } from '#core/call.ts';

/** The one with less left; of two that are equal the one that is full again later, since both must be waited for. */
export function tighterQuota(one: Quota, other: Quota): Quota {
  if (one.remaining !== other.remaining) return one.remaining < other.remaining ? one : other;
  return other.resetMs > one.resetMs ? other : one;
}
