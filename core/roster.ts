/** Something that can stand in one {@link Roster}. */
export interface Listed {
  /** Its place there, kept by the roster; -1 where it stands in none. */
  seat: number;
}

/**
 * Those that are present just now, in no order. Joining and leaving move at most one other and leave no garbage: a
 * Set would be rehashed every few calls, and its old tables keep the dead alive until a major collection.
 */
export class Roster<T extends Listed> implements Iterable<T> {
  readonly #present: T[] = [];

  get size(): number {
    return this.#present.length;
  }

  join(one: T): void {
    one.seat = this.#present.length;
    this.#present.push(one);
  }

  /** Does nothing where it has left already. */
  leave(one: T): void {
    const { seat } = one;
    if (seat === -1) return;
    const last = this.#present.pop() as T;
    if (last !== one) {
      this.#present[seat] = last;
      last.seat = seat;
    }
    one.seat = -1;
  }

  /** Over a copy, so that those told to leave may do so. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.#present].values();
  }
}
