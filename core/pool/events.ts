import type { RetireReason, WorkerEnd } from '#core/pool/worker.ts';

/** Everything the pool tells; it does not log. Payloads are plain data. */
export interface PoolEvents {
  /** A worker is being started. */
  'worker:starting': { readonly workerId: number };
  /** It takes calls. */
  'worker:ready': { readonly workerId: number; readonly startMs: number };
  /** It takes no further call and will be replaced where it must be. */
  'worker:retiring': { readonly workerId: number; readonly reason: RetireReason };
  /** Nothing of it is left. */
  'worker:ended': { readonly workerId: number; readonly reason: RetireReason; readonly end: WorkerEnd };
  /** A start failed or a ready worker was lost; no start is tried within `delayMs`. */
  'pool:backoff': { readonly failures: number; readonly delayMs: number };
  /** The crash-loop verdict: calls are refused until a start succeeds. */
  'pool:failed': { readonly failures: number };
  /** A start succeeded after the verdict. */
  'pool:recovered': Record<never, never>;
  /** A call was refused or left the queue: an error code, or `aborted` where its signal gave another reason than the deadline. */
  'acquire:refused': { readonly code: string };
}
