const NS_PER_MS = 1e6;
/** `Date.now()` is cut to whole ms: it is behind by half of one on average. */
const CUT_MS = 0.5;
/** Less is the cut of `Date.now()` and the time between two readings. */
const MAX_DRIFT_MS = 2;

let originMs = performance.timeOrigin;

/**
 * The wall clock's time, in ms since the epoch, at which `performance.now()` began to count. Follows the wall clock when
 * that is set, and when the two drift apart over days; a trace asks once, so that its spans stay in order.
 */
export function wallOriginMs(): number {
  const driftMs = Date.now() + CUT_MS - originMs - performance.now();
  if (driftMs > MAX_DRIFT_MS || driftMs < -MAX_DRIFT_MS) originMs += driftMs;
  return originMs;
}

/** A time in whole ms since the epoch, and the nanoseconds beyond: together they are more than a number holds. */
export class WallTime {
  wholeMs = 0;
  ns = 0;

  /** Takes it for another time, `atMs` after `originMs`. */
  at(originMs: number, atMs: number): this {
    const originWholeMs = Math.floor(originMs);
    const ms = originMs - originWholeMs + atMs;
    const wholeMs = Math.floor(ms);
    const ns = Math.round((ms - wholeMs) * NS_PER_MS);
    const carry = ns === NS_PER_MS ? 1 : 0;
    this.wholeMs = originWholeMs + wholeMs + carry;
    this.ns = carry === 1 ? 0 : ns;
    return this;
  }
}
