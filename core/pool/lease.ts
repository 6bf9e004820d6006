import type { RetireReason, Worker } from '#core/pool/worker.ts';

/** The right to one slot of one worker. Ends exactly once; a second ending throws. */
export interface Lease<W extends Worker> {
  readonly worker: W;
  /** The slot is free again. */
  release(): void;
  /** The slot is free again and the worker is to be replaced: it takes no new call and ends after its other calls. */
  retire(reason: RetireReason): void;
}
