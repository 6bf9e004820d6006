import type { Readable } from 'node:stream';
import { printable, Redactor } from '#core/child/redact.ts';

/** What is kept of the end of a stream. */
const MAX_KEPT_LINES = 64;
const MAX_KEPT_BYTES = 16 * 1024;
/** A longer line is cut, kept or told. */
const MAX_LINE_BYTES = 8 * 1024;
/** Lines told per second; the others are counted. */
const MAX_LINES_PER_SECOND = 50;

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

export interface StderrTailOptions {
  /** Never shown, in no form that {@link Redactor} knows. */
  readonly secrets: readonly string[];
  /** Gets lines as they come, at most {@link MAX_LINES_PER_SECOND} a second, fit to be logged. */
  readonly onLine?: (line: string) => void;
}

/**
 * Reads a child's stderr for as long as it lives, whatever it holds: a full pipe would block the child. Keeps the
 * last lines for the log entry of a crash. The cost of a flood is that of counting its newlines: a line is decoded
 * only when it is told or asked for, and nothing but the last few KiB is kept.
 */
export class StderrTail {
  readonly #redactor: Redactor;
  readonly #rawLineBytes: number;
  readonly #onLine: ((line: string) => void) | undefined;
  /** The last complete lines, oldest first; their bytes are copies and pin no larger buffer. */
  #kept: Buffer[] = [];
  /** The line being received, at most `#rawLineBytes` of it. */
  #open: Buffer[] = [];
  #openBytes = 0;
  #bytes = 0;
  #droppedLines = 0;
  #unreportedDrops = 0;
  #windowStartMs = 0;
  #toldInWindow = 0;

  constructor(stream: Readable, { secrets, onLine }: StderrTailOptions) {
    this.#redactor = new Redactor(secrets);
    this.#onLine = onLine;
    // Room beyond the cut (a character is at most 3 bytes), so that a secret lying across it is seen whole.
    this.#rawLineBytes = MAX_LINE_BYTES + 3 * this.#redactor.maxSecretLength;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.once('close', () => {
      this.#closeLine();
      this.#reportDrops();
    });
  }

  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lines that were not told because there were too many. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** The last lines, at most 64 and 16 KiB, redacted; an unfinished last line is included. */
  text(): string {
    const newestFirst: string[] = [];
    let bytes = 0;
    const add = (line: string): boolean => {
      bytes += Buffer.byteLength(line) + 1;
      if (bytes > MAX_KEPT_BYTES || newestFirst.length >= MAX_KEPT_LINES) return false;
      return newestFirst.push(line) > 0;
    };
    if (this.#openBytes > 0) add(this.#present(Buffer.concat(this.#open), true));
    for (let n = this.#kept.length - 1; n >= 0; n -= 1) if (!add(this.#present(this.#kept[n] as Buffer))) break;
    return newestFirst.reverse().join('\n');
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    const now = performance.now();
    // Where the last lines of this chunk begin and end, as a ring of pairs: older ones need no copy.
    const ends: number[] = [];
    let lines = 0;
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      if (this.#openBytes > 0) {
        this.#append(chunk.subarray(from, at));
        this.#closeLine();
      } else {
        if (this.#mayTell(now)) this.#tell(chunk.subarray(from, at));
        ends[2 * (lines % MAX_KEPT_LINES)] = from;
        ends[2 * (lines % MAX_KEPT_LINES) + 1] = at;
        lines += 1;
      }
      from = at + 1;
    }
    for (let n = Math.max(0, lines - MAX_KEPT_LINES); n < lines; n += 1) {
      const slot = 2 * (n % MAX_KEPT_LINES);
      this.#keep(chunk.subarray(ends[slot], ends[slot + 1]));
    }
    if (from < chunk.length) this.#append(chunk.subarray(from));
  }

  #append(piece: Buffer): void {
    const room = this.#rawLineBytes - this.#openBytes;
    if (room <= 0 || piece.length === 0) return;
    this.#open.push(Buffer.from(piece.subarray(0, room)));
    this.#openBytes += Math.min(room, piece.length);
  }

  #closeLine(): void {
    if (this.#openBytes === 0) return;
    const line = Buffer.concat(this.#open);
    this.#open = [];
    this.#openBytes = 0;
    if (this.#mayTell(performance.now())) this.#tell(line);
    this.#keep(line);
  }

  #keep(line: Buffer): void {
    if (line.length === 0) return;
    if (this.#kept.length >= MAX_KEPT_LINES) this.#kept.shift();
    this.#kept.push(Buffer.from(line.subarray(0, this.#rawLineBytes)));
  }

  #mayTell(now: number): boolean {
    if (this.#onLine === undefined) return false;
    if (now - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = now;
      this.#toldInWindow = 0;
    }
    if (this.#toldInWindow < MAX_LINES_PER_SECOND) {
      this.#toldInWindow += 1;
      return true;
    }
    this.#droppedLines += 1;
    this.#unreportedDrops += 1;
    return false;
  }

  #tell(raw: Buffer): void {
    if (raw.length === 0) return;
    this.#reportDrops();
    this.#onLine?.(this.#present(raw.subarray(0, this.#rawLineBytes)));
  }

  #reportDrops(): void {
    if (this.#unreportedDrops > 0) this.#onLine?.(`[${this.#unreportedDrops} lines left out]`);
    this.#unreportedDrops = 0;
  }

  /** Redacted before it is cut, so that no half of a secret is left at the edge. */
  #present(raw: Buffer, unfinished = raw.length >= this.#rawLineBytes): string {
    const end = raw.at(-1) === CARRIAGE_RETURN ? raw.length - 1 : raw.length;
    const line = Buffer.from(printable(this.#redactor.redact(raw.toString('utf8', 0, end), unfinished)));
    if (line.length <= MAX_LINE_BYTES) return line.toString();
    let cut = MAX_LINE_BYTES - Buffer.byteLength('…');
    while (((line[cut] ?? 0) & 0xc0) === 0x80) cut -= 1; // not within a character
    return `${line.toString('utf8', 0, cut)}…`;
  }
}
