import type { Writable } from 'node:stream';

/** Bytes that may wait for a reader that is slow or gone; beyond them lines are dropped and counted. */
const maxWaitingBytes = 1024 * 1024;

/** What became of lines that were not written. */
export interface LineLosses {
  /** The stream refused them: its reader is gone (EPIPE), its disk is full (ENOSPC). */
  readonly failed: number;
  /** The reader was too slow. */
  readonly dropped: number;
}

/**
 * Lines towards a stream that may break at any time. Nothing here throws, waits or keeps the process alive: a line that
 * cannot be written is counted, and the next one is tried again.
 */
export class LineOutput {
  readonly #stream: Writable;
  #failed = 0;
  #dropped = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Every failed write is counted by its own callback; without a listener the event would end the process.
    stream.on('error', ignore);
  }

  get losses(): LineLosses {
    return { failed: this.#failed, dropped: this.#dropped };
  }

  write(line: string): void {
    if (this.#stream.writableLength > maxWaitingBytes) {
      this.#dropped += 1;
      return;
    }
    try {
      this.#stream.write(line, this.#written);
    } catch {
      this.#failed += 1;
    }
  }

  /** Settles when what was written so far has been handed over, or after `budgetMs`. */
  async flush(budgetMs: number): Promise<void> {
    const stream = this.#stream;
    if (stream.writableLength === 0) return;
    await new Promise<void>((settle) => {
      const timer = setTimeout(settle, budgetMs);
      stream.write('', () => {
        clearTimeout(timer);
        settle();
      });
    });
  }

  readonly #written = (error?: Error | null): void => {
    if (error) this.#failed += 1;
  };
}

function ignore(): void {}
