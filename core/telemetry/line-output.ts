import type { Writable } from 'node:stream';

/** Bytes that may wait for a reader that is slow or gone; beyond them lines are dropped and counted. */
const maxWaitingBytes = 1024 * 1024;
/** Lines that may wait for each other are written together, this many characters at most. */
const maxBatchLength = 32 * 1024;

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
  readonly #finish: (lines: string) => string;
  #batch = '';
  #batched = 0;
  #turn: NodeJS.Immediate | undefined;
  #failed = 0;
  #dropped = 0;

  /** @param finish what is done to a batch before it is written */
  constructor(stream: Writable, finish: (lines: string) => string = (lines) => lines) {
    this.#stream = stream;
    this.#finish = finish;
    // Every failed write is counted by its own callback; without a listener the event would end the process.
    stream.on('error', ignore);
  }

  get losses(): LineLosses {
    return { failed: this.#failed, dropped: this.#dropped };
  }

  write(line: string): void {
    this.#writeBatch();
    this.#write(line, 1);
  }

  /**
   * Writes the line at the end of this turn of the event loop, in one piece with others of the turn: a write is a call of the
   * system. The order of lines is kept.
   */
  writeSoon(line: string): void {
    this.#batch += line;
    this.#batched += 1;
    if (this.#batch.length >= maxBatchLength) this.#writeBatch();
    else this.#turn ??= setImmediate(this.#writeBatch);
  }

  readonly #writeBatch = (): void => {
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#turn = undefined;
    if (this.#batched === 0) return;
    const lines = this.#batch;
    const count = this.#batched;
    this.#batch = '';
    this.#batched = 0;
    this.#write(this.#finish(lines), count);
  };

  #write(lines: string, count: number): void {
    if (this.#stream.writableLength > maxWaitingBytes) {
      this.#dropped += count;
      return;
    }
    try {
      this.#stream.write(lines, count === 1 ? this.#written : (error) => this.#lost(error, count));
    } catch {
      this.#failed += count;
    }
  }

  /** Settles when what was written so far has been handed over, or after `budgetMs`. */
  async flush(budgetMs: number): Promise<void> {
    this.#writeBatch();
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

  readonly #written = (error?: Error | null): void => this.#lost(error, 1);

  #lost(error: Error | null | undefined, count: number): void {
    if (error) this.#failed += count;
  }
}

function ignore(): void {}
