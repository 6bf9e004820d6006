import type { Worker } from '#core/pool/worker.ts';

/** What came of a renewal. */
export interface Renewed {
  /** Settles when every worker of before has ended. */
  readonly done: Promise<void>;
}

/** Another way of making workers, tried out on one of them before the others follow. */
export class Renewal<W extends Worker> {
  readonly create: (id: number) => W;
  /** Undefined where the one that was tried out did not become ready. */
  readonly outcome: Promise<Renewed | undefined>;
  readonly #outcome = Promise.withResolvers<Renewed | undefined>();
  #begun = false;

  constructor(create: (id: number) => W) {
    this.create = create;
    this.outcome = this.#outcome.promise;
  }

  /** Waits for room to be tried out. */
  get waits(): boolean {
    return !this.#begun;
  }

  begin(): void {
    this.#begun = true;
  }

  succeed(renewed: Renewed): void {
    this.#begun = true;
    this.#outcome.resolve(renewed);
  }

  /** Without effect after a success. */
  fail(): void {
    this.#begun = true;
    this.#outcome.resolve(undefined);
  }
}
