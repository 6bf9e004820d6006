import type { PendingRequest } from '#core/jsonrpc/request.ts';

/** A power of two, above what a worker usually has in flight. */
const SLOTS = 256;

/**
 * The requests that wait for an answer, by id. Ids follow one another, so the newest stand in a ring; whoever still
 * waits when its place comes round again moves to a map. A plain map would be rehashed every few dozen calls, and
 * the tables it leaves behind keep dead calls alive until a major garbage collection.
 */
export class PendingRequests {
  readonly #ring: (PendingRequest | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #old = new Map<number, PendingRequest>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(request: PendingRequest): void {
    const place = request.id & (SLOTS - 1);
    const before = this.#ring[place];
    if (before !== undefined) this.#old.set(before.id, before);
    this.#ring[place] = request;
    this.#size++;
  }

  /** The request with this id, which then waits no longer. */
  take(id: number): PendingRequest | undefined {
    const place = id & (SLOTS - 1);
    const request = this.#ring[place];
    if (request?.id === id) {
      this.#ring[place] = undefined;
      this.#size--;
      return request;
    }
    if (this.#old.size === 0) return undefined;
    const old = this.#old.get(id);
    if (old !== undefined && this.#old.delete(id)) this.#size--;
    return old;
  }

  /** All of them, in the order of their ids; none waits any longer. */
  takeAll(): readonly PendingRequest[] {
    const all = [...this.#old.values(), ...this.#ring.filter((request) => request !== undefined)];
    this.#old.clear();
    this.#ring.fill(undefined);
    this.#size = 0;
    return all.sort((a, b) => a.id - b.id);
  }
}
