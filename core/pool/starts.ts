import type { PoolSettings } from '#core/manifest.ts';
import type { Crew } from '#core/pool/crew.ts';
import type { Member } from '#core/pool/member.ts';
import type { Waiter } from '#core/pool/waiters.ts';
import type { Worker } from '#core/pool/worker.ts';

/** A start that the state of the pool asks for. */
export interface WantedStart<W extends Worker> {
  /** A `performance.now()` time; 0 is at once. */
  readonly fromMs: number;
  /** The worker that goes when the new one is ready. */
  readonly replaces: Member<W> | undefined;
}

/** What asks for workers. */
export interface Demand<W extends Worker> {
  /** The oldest waiter that waits for want of a slot. */
  readonly blocked: Waiter<W> | undefined;
  readonly closing: boolean;
  readonly growAfterMs: number;
}

/** Starts made at the same time to reach `min`; a start is mostly CPU, more of them only make each one late. */
const MAX_STARTS_AT_ONCE = 4;

const AT_ONCE = { fromMs: 0, replaces: undefined } as const;

/**
 * Which worker to start next, if any: the rule alone. In this order: the first worker for somebody who waits,
 * `min`, a try after the verdict, one more for a queue that does not move, the replacement of a worker that
 * is due. The back-off is the caller's: it may delay what is wanted here.
 */
export function wantedStart<W extends Worker>(
  crew: Crew<W>,
  { min, max }: PoolSettings,
  { blocked, closing, growAfterMs }: Demand<W>,
): WantedStart<W> | undefined {
  // While failing, one at a time: the next start may be the one that shows that the trouble is over.
  const atOnce = crew.failing ? 1 : MAX_STARTS_AT_ONCE;
  if (!crew.hasRoom || crew.starting >= atOnce) return undefined;
  const { live } = crew;
  if (live === 0 && blocked !== undefined) return AT_ONCE;
  if (closing) return undefined;
  // After the verdict tries go on without calls, also with `min` 0: nobody sends calls to a replica that is
  // not ready, so a try that waited for one would wait for ever.
  if (live < min || (live === 0 && crew.failed)) return AT_ONCE;
  // Beyond `min` one at a time: the first may be all that was missing.
  if (crew.starting > 0) return undefined;
  let growth: WantedStart<W> | undefined;
  if (live < max && blocked !== undefined) {
    if (blocked.avoid !== undefined && crew.onlyHas(blocked.avoid)) return AT_ONCE;
    // A start costs hundreds of ms of CPU and tens of MB; a queue that moves within milliseconds is a burst
    // that the ready workers serve sooner than a new one could.
    growth = { fromMs: blocked.sinceMs + growAfterMs, replaces: undefined };
    if (growth.fromMs <= performance.now()) return growth;
  }
  const replaces = crew.firstDue;
  return replaces === undefined ? growth : { fromMs: 0, replaces };
}
