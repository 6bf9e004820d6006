import type { CancelSignal } from '#core/cancellation.ts';
import type { Lease } from '#core/pool/lease.ts';
import type { Tally } from '#core/pool/shares.ts';
import type { Worker } from '#core/pool/worker.ts';

/** One call that waits for a slot. It is its own `abort` listener, so that leaving costs no search and no closure. */
export class Waiter<W extends Worker> {
  readonly tally: Tally;
  readonly avoid: ReadonlySet<number> | undefined;
  readonly signal: CancelSignal;
  /** `performance.now()` when it began to wait. */
  readonly sinceMs: number;
  readonly promise: Promise<Lease<W>>;
  /** Neighbours in the queue; only `Waiters` writes them. */
  previous: Waiter<W> | undefined;
  next: Waiter<W> | undefined;
  readonly #settle: PromiseWithResolvers<Lease<W>>;
  readonly #onAbort: (waiter: Waiter<W>) => void;

  constructor(
    request: { readonly signal: CancelSignal; readonly avoid?: ReadonlySet<number> | undefined },
    tally: Tally,
    sinceMs: number,
    onAbort: (waiter: Waiter<W>) => void,
  ) {
    this.signal = request.signal;
    this.avoid = request.avoid;
    this.tally = tally;
    this.sinceMs = sinceMs;
    this.#onAbort = onAbort;
    this.#settle = Promise.withResolvers();
    this.promise = this.#settle.promise;
    this.signal.addEventListener('abort', this);
  }

  /** The signal was aborted; called by the signal alone. */
  handleEvent(): void {
    this.#onAbort(this);
  }

  /** Ends the wait with a lease; the signal no longer concerns the pool. */
  serve(lease: Lease<W>): void {
    this.signal.removeEventListener('abort', this);
    this.#settle.resolve(lease);
  }

  /** Ends the wait without one. */
  refuse(reason: unknown): void {
    this.signal.removeEventListener('abort', this);
    this.#settle.reject(reason);
  }
}

/**
 * The queue: first in, first out, as a doubly linked list, because a waiter whose caller has left goes at
 * that moment, from anywhere, and must not keep its place warm until it is reached.
 */
export class Waiters<W extends Worker> {
  #first: Waiter<W> | undefined;
  #last: Waiter<W> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one that has waited longest. */
  get first(): Waiter<W> | undefined {
    return this.#first;
  }

  /** Puts it at the end. It must be in no queue. */
  push(waiter: Waiter<W>): void {
    waiter.previous = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.#size++;
    waiter.tally.waiting++;
  }

  /** Takes it out, from wherever it is. It must be in this queue. */
  remove(waiter: Waiter<W>): void {
    const { previous, next } = waiter;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.#size--;
    waiter.tally.waiting--;
  }
}
