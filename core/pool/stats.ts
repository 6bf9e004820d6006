import type { RetireReason } from '#core/pool/worker.ts';

/** Where a worker stands. `starting` → `ready` → `retiring` → `ended`; only `ready` takes calls. */
export type WorkerState = 'starting' | 'ready' | 'retiring' | 'ended';

export interface WorkerStats {
  readonly id: number;
  readonly state: WorkerState;
  readonly inFlight: number;
  /** Leases ended since it became ready. */
  readonly calls: number;
  readonly ageMs: number;
  readonly rssBytes: number | undefined;
  readonly retireReason: RetireReason | undefined;
}

/** The pool as a whole: `cold` rests at zero, `failed` is the crash-loop verdict. */
export type PoolState = 'cold' | 'starting' | 'ready' | 'failed' | 'draining' | 'ended';

/** A snapshot made on demand. */
export interface PoolStats {
  readonly state: PoolState;
  readonly workers: readonly WorkerStats[];
  readonly waiting: number;
  /** Age of the oldest waiter. */
  readonly oldestWaiterMs: number;
  readonly queueMax: number;
  readonly max: number;
  readonly concurrency: number;
  /** Workers started since the pool was made, the first ones included. */
  readonly spawned: number;
  /** Workers that ended, by reason. */
  readonly ended: Readonly<Partial<Record<RetireReason, number>>>;
  /** Failed or short-lived starts in a row. */
  readonly failures: number;
  /** When the next start is tried, while backing off. */
  readonly nextStartInMs: number | undefined;
}
