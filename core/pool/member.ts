import type { Renewal } from '#core/pool/renewal.ts';
import type { WorkerState, WorkerStats } from '#core/pool/stats.ts';
import type { RetireReason, Worker } from '#core/pool/worker.ts';

/**
 * What the pool has written down about one worker. A plain record: only `Pool` writes it, so that every
 * transition can be read in one file.
 */
export class Member<W extends Worker> {
  readonly id: number;
  readonly worker: W;
  readonly startedAtMs: number;
  /** Its own limit of age: the setting, shortened by chance so that workers of one start do not expire together. */
  readonly maxAgeMs: number;
  /** The worker that goes when this one is ready. */
  readonly replaces: Member<W> | undefined;
  /** What made it. */
  readonly create: (id: number) => W;
  /** It tries out another way of making workers: how it starts counts for that alone. */
  readonly trial: Renewal<W> | undefined;

  state: WorkerState = 'starting';
  readyAtMs = 0;
  inFlight = 0;
  /** Leases ended. */
  calls = 0;
  /** It has done a call, or lived long enough: its death says nothing about the next start. */
  proven = false;
  /** To be replaced, start-first; until its replacement is ready it goes on. */
  due: RetireReason | undefined;
  /** Why it retires or has ended. */
  reason: RetireReason | undefined;
  /** It has been told to end. */
  stopped = false;
  /** When it was first seen without a call, and its `calls` then: see `isIdle`. */
  idleSinceMs = 0;
  idleCalls = 0;

  constructor(
    worker: W,
    born: Pick<Member<W>, 'id' | 'maxAgeMs' | 'replaces' | 'create' | 'trial'> & { readonly nowMs: number },
  ) {
    this.worker = worker;
    this.id = born.id;
    this.startedAtMs = born.nowMs;
    this.maxAgeMs = born.maxAgeMs;
    this.replaces = born.replaces;
    this.create = born.create;
    this.trial = born.trial;
  }

  stats(nowMs: number): WorkerStats {
    return {
      id: this.id,
      state: this.state,
      inFlight: this.inFlight,
      calls: this.calls,
      ageMs: Math.round(nowMs - this.startedAtMs),
      rssBytes: this.worker.rss(),
      retireReason: this.reason ?? this.due,
    };
  }
}
