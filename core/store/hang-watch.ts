/** One operation under way. */
interface Watched {
  done: boolean;
  timer: NodeJS.Timeout | undefined;
  giveUpAtMs: number;
  readonly sentBytes: number;
}

/** The slowest network for which a long value is waited for: 80 Mbit/s. */
const MIN_BYTES_PER_MS = 10_000;
/** A peer that sends something all the time, but not the answer that is waited for, is given up all the same. */
const MAX_PATIENCE_MS = 2_000;

/**
 * Tells a peer that hangs from one that is busy: it hangs when it owes an answer and has sent nothing at all for
 * `timeoutMs`. A long value on its way to it counts as its sending something, for as long as that may take.
 */
export class HangWatch {
  readonly #timeoutMs: number;
  readonly #onHang: () => void;
  #heardAtMs = 0;
  #large = 0;
  #largeUntilMs = 0;

  constructor(timeoutMs: number, onHang: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onHang = onHang;
  }

  /** The peer has sent something. */
  readonly heard = (): void => {
    this.#heardAtMs = performance.now();
  };

  /** Something has been asked; `sentBytes` where that is long. Ends with {@link end}. */
  begin(sentBytes: number): Watched {
    const watched: Watched = { done: false, timer: undefined, giveUpAtMs: 0, sentBytes };
    watched.timer = setTimeout(this.#late, this.#timeoutMs, watched);
    if (sentBytes > 0) {
      // What is sent after it on the same connection waits for it too.
      const untilMs = performance.now() + sentBytes / MIN_BYTES_PER_MS;
      this.#largeUntilMs = this.#large++ === 0 ? untilMs : Math.max(this.#largeUntilMs, untilMs);
    }
    return watched;
  }

  /** It was answered, or failed. */
  end(watched: Watched): void {
    watched.done = true;
    clearTimeout(watched.timer);
    if (watched.sentBytes > 0) this.#large--;
  }

  /** A timer that fires late, because this process was busy, comes before the answer that waits in the socket. */
  readonly #late = (watched: Watched): void => {
    setImmediate(this.#judge, watched);
  };

  readonly #judge = (watched: Watched): void => {
    if (watched.done) return;
    const now = performance.now();
    if (watched.giveUpAtMs === 0) watched.giveUpAtMs = now + MAX_PATIENCE_MS;
    const silentSinceMs = Math.max(this.#heardAtMs, this.#large > 0 ? this.#largeUntilMs : 0);
    const leftMs = silentSinceMs + this.#timeoutMs - now;
    if (leftMs < 1 || now >= watched.giveUpAtMs) this.#onHang();
    else watched.timer = setTimeout(this.#late, leftMs, watched);
  };
}
