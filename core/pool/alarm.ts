/** One timer for many wishes: the earliest wins, and whoever is woken says again what is still wished for. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = 0;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** True while it will ring. */
  get set(): boolean {
    return this.#timer !== undefined;
  }

  /** Rings at `atMs`, unless it rings sooner anyway; both are `performance.now()` times. */
  ringAt(atMs: number, nowMs: number): void {
    if (this.#timer !== undefined) {
      if (this.#atMs <= atMs) return;
      clearTimeout(this.#timer);
    }
    this.#atMs = atMs;
    // Not unref'd: somebody waits for what it brings.
    this.#timer = setTimeout(() => this.#fire(), Math.ceil(atMs - nowMs));
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#ring();
  }
}
