import type { Member } from '#core/pool/member.ts';
import type { Tally } from '#core/pool/shares.ts';
import type { RetireReason, Worker } from '#core/pool/worker.ts';

/** The right to one slot of one worker. Ends exactly once; a second ending throws. */
export interface Lease<W extends Worker> {
  readonly worker: W;
  /** The slot is free again. */
  release(): void;
  /** The slot is free again and the worker is to be replaced: it takes no new call and ends after its other calls. */
  retire(reason: RetireReason): void;
}

/** What the pool does when a lease ends; `reason` where its worker is to be replaced. */
export type EndLease<W extends Worker> = (member: Member<W>, tally: Tally, reason: RetireReason | undefined) => void;

/**
 * The pool's own lease: its only state is whether it has ended. It stays endable, once and without effect,
 * after its worker has died, so that a caller need not know who noticed the death first.
 */
export class SlotLease<W extends Worker> implements Lease<W> {
  readonly worker: W;
  readonly #member: Member<W>;
  readonly #tally: Tally;
  readonly #end: EndLease<W>;
  #ended = false;

  constructor(member: Member<W>, tally: Tally, end: EndLease<W>) {
    this.worker = member.worker;
    this.#member = member;
    this.#tally = tally;
    this.#end = end;
  }

  /** @throws Error when the lease has already ended: whoever does that frees a slot that is somebody else's. */
  release(): void {
    this.#finish(undefined);
  }

  /** @throws Error when the lease has already ended */
  retire(reason: RetireReason): void {
    this.#finish(reason);
  }

  #finish(reason: RetireReason | undefined): void {
    if (this.#ended) throw new Error(`a lease ends once: this one of worker ${this.#member.id} has already ended`);
    this.#ended = true;
    this.#end(this.#member, this.#tally, reason);
  }
}
