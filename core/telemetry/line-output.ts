import type { Writable } from 'node:stream';

/** Bytes that may wait for a reader that is slow or gone; beyond them lines are dropped and counted. */
const maxWaitingBytes = 1024 * 1024;
/** Lines that may wait for each other are written together: as many as fit here, or what comes within this time. */
const batchBytes = 32 * 1024;
const maxBatchMs = 10;
/** Of UTF-8 for one UTF-16 unit. */
const maxBytesPerUnit = 3;

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
  /** Bytes, since a text that grows is a long chain of pieces, which every garbage collection meanwhile walks along. */
  readonly #batch = Buffer.allocUnsafeSlow(batchBytes);
  #batchLength = 0;
  #batched = 0;
  #timer: NodeJS.Timeout | undefined;
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
   * Writes the line within 10 ms, in one piece with others: a write to a file or a pipe costs as much as half a call of a
   * tool. The order of lines is kept.
   */
  writeSoon(line: string): void {
    const most = line.length * maxBytesPerUnit;
    if (this.#batchLength + most > batchBytes) {
      this.#writeBatch();
      if (most > batchBytes) {
        this.#write(this.#finish(line), 1);
        return;
      }
    }
    this.#batchLength += this.#batch.write(line, this.#batchLength);
    this.#batched += 1;
    this.#timer ??= setTimeout(this.#writeBatch, maxBatchMs).unref();
  }

  readonly #writeBatch = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batched === 0) return;
    const lines = this.#batch.toString('utf8', 0, this.#batchLength);
    const count = this.#batched;
    this.#batchLength = 0;
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
