import { JsonScanner } from '#core/json/scanner.ts';
import { collectGarbage } from '#core/jsonrpc/collect-garbage.ts';
import { Envelope, type ResultMarks, type Span } from '#core/jsonrpc/envelope.ts';

export interface FramesOptions {
  /** Longest line that is kept. */
  readonly maxLineBytes: number;
  readonly marks: ResultMarks;
}

/** What the lines of a byte stream turn out to be; called synchronously, in the order of arrival. */
export interface FrameSink {
  /** A line that is a JSON object. Its bytes are to be had from `Frames.slice` until the call returns. */
  message(envelope: Envelope): void;
  /** A line longer than `maxLineBytes`, thrown away while it streamed in; `valid`: it was a JSON object. */
  oversize(envelope: Envelope, valid: boolean): void;
  /** Bytes of a line that is no JSON object; `ended` with its newline. May come several times for one line. */
  noise(bytes: number, ended: boolean): void;
  /** A line reached `MAX_LINE_FACTOR` times `maxLineBytes`: the stream is not worth reading on. */
  endless(): void;
}

/** A line this many times longer than `maxLineBytes` is the end of the stream. */
export const MAX_LINE_FACTOR = 16;

/** Deeper results than this are noise; no reader could use them. */
const MAX_DEPTH = 10_000;
/** This many pieces below this size in a row become one. */
const MAX_SMALL_PIECES = 256;
const SMALL_PIECE_BYTES = 1024;
/** Of a line that is thrown away, this much may wait to be collected. */
const COLLECT_EVERY_BYTES = 4 * 1024 * 1024;
const NEWLINE = 0x0a;
const BOM = [0xef, 0xbb, 0xbf] as const;

/**
 * Cuts a byte stream into lines of JSON while it arrives, with a list of pieces and no concatenation: each
 * byte is looked at once, by the scanner, which finds the newline as it goes. A line over the cap keeps
 * no bytes but is scanned to its end, so that its id is known wherever it stands; memory stays within the cap
 * plus one chunk.
 *
 * CRLF, empty lines, a byte order mark before a line and chunks split anywhere are fine.
 */
export class Frames {
  readonly #maxLineBytes: number;
  readonly #sink: FrameSink;
  readonly #envelope: Envelope;
  readonly #scanner: JsonScanner;
  /** The line under way in earlier chunks. */
  #pieces: Uint8Array[] = [];
  /** Its length there, kept or not. */
  #length = 0;
  #oversize = false;
  /** It is no JSON, and its bytes up to this chunk have been told as noise. */
  #noise = false;
  /** Small pieces at the end of `#pieces`. */
  #small = 0;
  /** Bytes of a byte order mark seen at the start of this line, until something else came. */
  #mark: number | undefined = 0;
  #ended = false;

  /** The chunk being worked on, and where the line under way begins in it. */
  #chunk: Uint8Array = new Uint8Array(0);
  #from = 0;

  constructor(options: FramesOptions, sink: FrameSink) {
    this.#maxLineBytes = options.maxLineBytes;
    this.#sink = sink;
    this.#envelope = new Envelope(options.marks);
    this.#scanner = new JsonScanner({ maxDepth: MAX_DEPTH, lines: true, sink: this.#envelope });
  }

  /** The message being told of contains a byte above 0x7f, so its strings may not be UTF-8. */
  get sawNonAscii(): boolean {
    return this.#scanner.sawNonAscii;
  }

  /** Takes no further bytes, also when called from within the sink. */
  end(): void {
    this.#ended = true;
    this.#pieces = [];
  }

  push(chunk: Uint8Array): void {
    if (this.#ended) return;
    const scanner = this.#scanner;
    const to = chunk.length;
    let at = 0;
    this.#chunk = chunk;
    this.#from = 0;
    while (at < to) {
      if (this.#mark !== undefined) {
        at = this.#skipMark(chunk, at);
        this.#from = at;
        if (at === to) return;
      }
      at = scanner.scan(chunk, at, to);
      if (at < to && scanner.failed) at = endOfLine(chunk, at);
      const length = this.#length + at - this.#from;
      if (length > this.#maxLineBytes && !this.#oversize) {
        this.#oversize = true;
        this.#pieces = [];
      }
      if (at === to) {
        this.#pause(chunk, at);
        return;
      }
      this.#line(at - this.#from);
      if (this.#ended) return;
      at++;
      this.#from = at;
    }
  }

  /** The bytes of a member's value of the message being told of, in one piece or several. */
  slice(span: Span): Uint8Array[] {
    const chunk = this.#chunk;
    // Nearly always the whole line stands in one chunk.
    if (this.#length === 0) return [chunk.subarray(this.#from + span.start, this.#from + span.end)];
    const slices: Uint8Array[] = [];
    let before = 0;
    for (const piece of this.#pieces) {
      const from = span.start - before;
      const to = span.end - before;
      if (to > 0 && from < piece.length) slices.push(piece.subarray(Math.max(from, 0), Math.min(to, piece.length)));
      before += piece.length;
    }
    if (span.end > before) {
      slices.push(chunk.subarray(this.#from + Math.max(span.start - before, 0), this.#from + span.end - before));
    }
    return slices;
  }

  /** A newline ends the line, whose last `bytes` stand in this chunk. */
  #line(bytes: number): void {
    const scanner = this.#scanner;
    if (!scanner.blank) {
      const valid = scanner.finish() === 'ok' && scanner.root === 'object';
      if (scanner.failed) this.#sink.noise((this.#noise ? 0 : this.#length) + bytes + 1, true);
      else if (this.#oversize) this.#sink.oversize(this.#envelope, valid);
      else if (valid) this.#sink.message(this.#envelope);
      else this.#sink.noise(this.#length + bytes + 1, true);
    }
    if (this.#length > 0) {
      this.#pieces = [];
      this.#length = 0;
    }
    this.#oversize = false;
    this.#noise = false;
    this.#small = 0;
    this.#mark = 0;
    scanner.reset();
    this.#envelope.reset();
  }

  /** The chunk ends within the line. */
  #pause(chunk: Uint8Array, to: number): void {
    const bytes = to - this.#from;
    const failed = this.#scanner.failed;
    // A line that is no JSON is not kept, and counts while it streams: it may never end.
    const before = this.#length;
    this.#length += bytes;
    if (failed) {
      this.#sink.noise(this.#noise ? bytes : before + bytes, false);
      this.#noise = true;
      this.#pieces = [];
    } else if (!this.#oversize) {
      this.#keep(this.#from === 0 && to === chunk.length ? chunk : chunk.subarray(this.#from, to));
    }
    if (this.#ended) return;
    if (this.#oversize && crosses(before, this.#length, COLLECT_EVERY_BYTES)) collectGarbage();
    if (this.#length > this.#maxLineBytes * MAX_LINE_FACTOR) {
      this.end();
      this.#sink.endless();
    }
  }

  /** Pieces stay as they came, except that a line written byte by byte must not cost an object per byte. */
  #keep(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#small = piece.length < SMALL_PIECE_BYTES ? this.#small + 1 : 0;
    if (this.#small < MAX_SMALL_PIECES) return;
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-MAX_SMALL_PIECES)));
    this.#small = 0;
  }

  /** @returns where the line begins, behind a byte order mark that may come in parts */
  #skipMark(chunk: Uint8Array, from: number): number {
    let at = from;
    let mark = this.#mark ?? 0;
    while (at < chunk.length && mark < BOM.length && chunk[at] === BOM[mark]) {
      at++;
      mark++;
    }
    if (at < chunk.length && mark > 0 && mark < BOM.length) {
      // Not a mark after all; its first bytes cannot begin JSON either.
      this.#scanner.scan(Uint8Array.of(BOM[0]), 0, 1);
    }
    this.#mark = at === chunk.length && mark < BOM.length ? mark : undefined;
    return at;
  }
}

function endOfLine(chunk: Uint8Array, from: number): number {
  const at = chunk.indexOf(NEWLINE, from);
  return at === -1 ? chunk.length : at;
}

function crosses(before: number, after: number, every: number): boolean {
  return Math.floor(before / every) !== Math.floor(after / every);
}
