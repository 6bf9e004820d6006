import { stringEnd } from './string-end.ts';
import { stringRuns } from './string-run.ts';

/** What a complete text turned out to be. */
export type JsonVerdict = 'ok' | 'invalid' | 'too_deep' | 'too_large';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** Is told of the members of the outermost object, and of one level below where it asks for it. */
export interface MemberSink {
  /**
   * A key has ended; `bytes[from..to)` is its raw text without quotes (a key of more than 64 bytes comes
   * empty: nobody looks for it). `escaped`: it contains a backslash and must be decoded before comparing.
   * Returning true at depth 1 asks for the members of this member's value too, should it be an object.
   */
  key(depth: number, bytes: Uint8Array, from: number, to: number, escaped: boolean): boolean;
  /**
   * The value of the key told last at this depth has ended. `start` and `end` are byte offsets from the
   * start of the text. `bytes[from..to)` is the raw text of a scalar (quotes included); empty for objects,
   * arrays, and scalars of more than 512 bytes that did not arrive in one chunk.
   */
  value(
    depth: number,
    kind: JsonKind,
    start: number,
    end: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    escaped: boolean,
  ): void;
}

export interface JsonScannerOptions {
  /** Objects and arrays inside each other. */
  readonly maxDepth: number;
  /** Values of any kind, members and elements alike. Default: no limit. */
  readonly maxNodes?: number;
  /** True: a newline outside the grammar of strings ends the text (one message per line) instead of being white space. */
  readonly lines?: boolean;
  readonly sink?: MemberSink;
}

// The states between two bytes. Within a container `#stack[depth]` says which kind it is.
// Up to DONE white space may stand here.
const VALUE = 0;
const ELEMENT_OR_END = 1;
const KEY = 2;
const KEY_OR_END = 3;
const COLON = 4;
const AFTER = 5;
const DONE = 6;
// From here on the byte belongs to a token.
const STRING = 7;
const ESCAPE = 8;
const UNICODE = 9;
const LITERAL = 10;
const MINUS = 11;
const ZERO = 12;
const INTEGER = 13;
const POINT = 14;
const FRACTION = 15;
const EXPONENT = 16;
const EXPONENT_SIGN = 17;
const EXPONENT_DIGITS = 18;

const OBJECT = 1;
const ARRAY = 2;

/**
 * Behind so many bytes of a string (in one chunk) the rest is looked at by `StringRuns`: its fixed price was
 * measured to be worth that much. Less in a scan that has paid it: rows of texts with some hundred bytes each.
 */
const NEAR_BYTES = 256;
const NEAR_BYTES_AGAIN = 64;

const MAX_KEY_BYTES = 64;
const SCRATCH_BYTES = 512;
const NOTHING = new Uint8Array(0);
const TRUE = Uint8Array.from(Buffer.from('true'));
const FALSE = Uint8Array.from(Buffer.from('false'));
const NULL = Uint8Array.from(Buffer.from('null'));

/** 1 at the bytes that complete an escape of two bytes: `"\\/bfnrt`. */
const SHORT_ESCAPE = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrt')) SHORT_ESCAPE[byte] = 1;

/** The value of a hexadecimal digit; -1 for every other byte. */
const HEX = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX[digit.charCodeAt(0)] = value;
  HEX[digit.toUpperCase().charCodeAt(0)] = value;
}

/** The kind of a value by its first byte. */
const KIND_OF: (JsonKind | undefined)[] = new Array(256).fill(undefined);
for (const byte of Buffer.from('-0123456789')) KIND_OF[byte] = 'number';
KIND_OF[0x22] = 'string';
KIND_OF[0x7b] = 'object';
KIND_OF[0x5b] = 'array';
KIND_OF[0x74] = 'true';
KIND_OF[0x66] = 'false';
KIND_OF[0x6e] = 'null';

/**
 * Checks JSON (RFC 8259) while it streams in, in one pass, split anywhere, without building anything: no
 * allocation per byte, no recursion. The verdict is that of `JSON.parse` on the same bytes, except that the
 * bytes of strings are not checked to be UTF-8 here: `sawNonAscii` says whether that is worth a look
 * (json/utf8.ts, which is native and fast).
 *
 * Use: `scan` each chunk, then `finish` for the verdict, then `reset` for the next text.
 */
export class JsonScanner {
  readonly #maxDepth: number;
  readonly #maxNodes: number;
  readonly #lines: boolean;
  readonly #sink: MemberSink | undefined;
  /** Kind of the container at each depth, from 1. */
  #stack: Uint8Array;

  /** The chunk scanned last, with what is costly to ask of it: one chunk often holds many texts. */
  #chunk: Uint8Array = NOTHING;
  #view: DataView = new DataView(NOTHING.buffer);
  #offset = 0;

  #state = VALUE;
  #failure: JsonVerdict = 'ok';
  #depth = 0;
  #nodes = 0;
  /** Bytes of this text in earlier chunks. */
  #consumed = 0;
  #root: JsonKind | undefined;

  /** The string under way is a key. */
  #inKey = false;
  #escaped = false;
  /** The number of the piece this scan has copied into the memory of `StringRuns`. */
  #piece = 0;
  #hexLeft = 0;
  #hex = 0;
  /** Offset right behind a high surrogate that still lacks its low one. */
  #highEndsAt = -1;
  #loneSurrogate = false;
  #nonAscii = false;
  #literal = TRUE;
  #literalAt = 0;

  /** Members of objects down to this depth are told to the sink. */
  #watchDepth: number;
  /** The key or scalar under way is one of them. */
  #watching = false;
  #start = 0;
  /** Start of the container value of a watched member, by the depth of that member. */
  #start1 = 0;
  #start2 = 0;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  /** Bytes of the token under way in earlier chunks; above `SCRATCH_BYTES` the scratch is incomplete. */
  #kept = 0;

  constructor(options: JsonScannerOptions) {
    this.#maxDepth = options.maxDepth;
    this.#maxNodes = options.maxNodes ?? Number.POSITIVE_INFINITY;
    this.#lines = options.lines ?? false;
    this.#sink = options.sink;
    this.#watchDepth = options.sink === undefined ? 0 : 1;
    this.#stack = new Uint8Array(Math.min(options.maxDepth, 62) + 2);
  }

  /** False from the first byte on that cannot belong to a JSON text within the limits. */
  get failed(): boolean {
    return this.#failure !== 'ok';
  }

  /** Nothing but white space so far. */
  get blank(): boolean {
    return this.#root === undefined && this.#failure === 'ok';
  }

  /** The kind of the whole text's value, once its first byte was seen. */
  get root(): JsonKind | undefined {
    return this.#root;
  }

  /** A byte above 0x7f occurred inside a string. */
  get sawNonAscii(): boolean {
    return this.#nonAscii;
  }

  /** A `\ud800`-like escape without its other half occurred: valid JSON, but no Unicode text. */
  get sawLoneSurrogate(): boolean {
    return this.#loneSurrogate;
  }

  /** Ready for the next text. */
  reset(): void {
    this.#state = VALUE;
    this.#failure = 'ok';
    this.#depth = 0;
    this.#nodes = 0;
    this.#consumed = 0;
    this.#root = undefined;
    this.#highEndsAt = -1;
    this.#loneSurrogate = false;
    this.#nonAscii = false;
    this.#watchDepth = this.#sink === undefined ? 0 : 1;
    this.#watching = false;
    this.#kept = 0;
  }

  /** The verdict on all that was scanned since `reset`, as if the text ended here. */
  finish(): JsonVerdict {
    if (this.#failure !== 'ok') return this.#failure;
    const state = this.#state;
    const complete =
      state === DONE ||
      // A number has no end of its own; inside a container something must follow it.
      (this.#depth === 0 && (state === ZERO || state === INTEGER || state === FRACTION || state === EXPONENT_DIGITS));
    return complete ? 'ok' : 'invalid';
  }

  /**
   * Scans `bytes[from..to)` as the continuation of the text.
   * @returns where it stopped: `to`, the newline that ends the line, or the byte that made it fail (see `failed`)
   */
  scan(bytes: Uint8Array, from: number, to: number): number {
    if (this.#failure !== 'ok') return from;
    // What the loop touches for every token lives in locals; a store per byte or token would be felt.
    const base = this.#consumed - from;
    const lines = this.#lines;
    let stack = this.#stack;
    let state = this.#state;
    let depth = this.#depth;
    let watchDepth = this.#watchDepth;
    let watching = this.#watching;
    let nodes = this.#nodes;
    let inKey = this.#inKey;
    let escaped = this.#escaped;
    if (this.#chunk !== bytes) {
      this.#chunk = bytes;
      this.#offset = bytes.byteOffset;
      this.#view = new DataView(bytes.buffer);
    }
    const view = this.#view;
    const offset = this.#offset;
    // The chunk may have been written to since it was copied. Nearly always there was no copy.
    if (this.#piece !== 0) this.#piece = 0;
    let i = from;
    /** Where the token under way begins in this chunk. */
    let token = from;

    scanning: while (i < to) {
      let c = bytes[i] as number;
      switch (state) {
        case STRING: {
          const end = stringEnd(view, offset, bytes, i, to);
          if (end >= 0) i = end;
          else {
            i = ~end;
            this.#nonAscii = true;
          }
          if (i === to) break scanning;
          c = bytes[i] as number;
          if (c === 0x22) {
            i++;
            if (escaped && this.#highEndsAt !== -1) this.#endHigh();
            if (inKey) {
              if (watching) {
                watchDepth = this.#key(depth, bytes, token, i, escaped);
                watching = false;
              }
              state = COLON;
              // Nearly always the next byte; not worth another turn of the loop.
              if (i < to && bytes[i] === 0x3a) {
                i++;
                state = VALUE;
              }
            } else {
              if (watching) {
                this.#scalar(depth, 'string', base + i, bytes, token, i, escaped);
                watching = false;
              }
              state = depth === 0 ? DONE : AFTER;
            }
            continue;
          }
          if (c === 0x5c) {
            i++;
            escaped = true;
            // Nearly always a whole escape stands in this chunk.
            if (i < to && SHORT_ESCAPE[bytes[i] as number] === 1) i++;
            else {
              const unicodeEnd = this.#unicode(bytes, i, to, base);
              if (unicodeEnd === i) {
                state = ESCAPE;
                continue;
              }
              i = unicodeEnd;
            }
            if (i - token >= (this.#piece === 0 ? NEAR_BYTES : NEAR_BYTES_AGAIN)) {
              const farEnd = this.#far(bytes, i, to);
              i = farEnd >= 0 ? farEnd : ~farEnd;
            }
            continue;
          }
          if (c >= 0x20) {
            // Only the bytes that `stringEnd` looks at in one go have ended.
            const farEnd = this.#far(bytes, i, to);
            if (farEnd >= 0) i = farEnd;
            else {
              i = ~farEnd;
              escaped = true;
            }
            continue;
          }
          break;
        }

        case AFTER:
          if (c === 0x2c) {
            i++;
            if (stack[depth] !== OBJECT) {
              state = VALUE;
              continue;
            }
            state = KEY;
            // Nearly always the next byte; not worth another turn of the loop.
            if (i < to && bytes[i] === 0x22) {
              i++;
              inKey = true;
              escaped = false;
              watching = depth <= watchDepth;
              token = i;
              state = STRING;
            }
            continue;
          }
          if (c === 0x7d || c === 0x5d) {
            if (stack[depth] !== (c === 0x7d ? OBJECT : ARRAY)) break;
            i++;
            depth--;
            if (depth <= watchDepth) this.#container(depth, c === 0x7d ? 'object' : 'array', base + i);
            state = depth === 0 ? DONE : AFTER;
            continue;
          }
          break;

        case KEY:
        case KEY_OR_END:
          if (c === 0x22) {
            i++;
            inKey = true;
            escaped = false;
            watching = depth <= watchDepth;
            // The key's text without its quote.
            token = i;
            state = STRING;
            continue;
          }
          if (c === 0x7d && state === KEY_OR_END) {
            i++;
            depth--;
            if (depth <= watchDepth) this.#container(depth, 'object', base + i);
            state = depth === 0 ? DONE : AFTER;
            continue;
          }
          break;

        case VALUE:
        case ELEMENT_OR_END: {
          if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) break;
          if (c === 0x5d && state === ELEMENT_OR_END) {
            i++;
            depth--;
            if (depth <= watchDepth) this.#container(depth, 'array', base + i);
            state = depth === 0 ? DONE : AFTER;
            continue;
          }
          if (++nodes > this.#maxNodes) {
            this.#failure = 'too_large';
            break scanning;
          }
          if (depth <= watchDepth) {
            if (depth === 0) this.#root = KIND_OF[c];
            else if (stack[depth] === OBJECT) {
              watching = true;
              this.#start = base + i;
            }
          }
          token = i;
          if (c === 0x22) {
            inKey = false;
            escaped = false;
            state = STRING;
            i++;
            continue;
          }
          if (c === 0x7b || c === 0x5b) {
            if (depth === this.#maxDepth) {
              this.#failure = 'too_deep';
              break scanning;
            }
            if (watching) {
              watching = false;
              if (depth === 1) this.#start1 = base + i;
              else this.#start2 = base + i;
            }
            depth++;
            if (depth === stack.length) stack = this.#grow();
            stack[depth] = c === 0x7b ? OBJECT : ARRAY;
            i++;
            if (c !== 0x7b) {
              state = ELEMENT_OR_END;
              continue;
            }
            state = KEY_OR_END;
            if (i < to && bytes[i] === 0x22) {
              i++;
              inKey = true;
              escaped = false;
              watching = depth <= watchDepth;
              token = i;
              state = STRING;
            }
            continue;
          }
          i++;
          if (c >= 0x30 && c <= 0x39) state = c === 0x30 ? ZERO : INTEGER;
          else if (c === 0x2d) state = MINUS;
          else {
            const literal = c === 0x74 ? TRUE : c === 0x66 ? FALSE : NULL;
            if (c !== literal[0]) {
              i--;
              break;
            }
            this.#literal = literal;
            this.#literalAt = 1;
            state = LITERAL;
          }
          continue;
        }

        case ZERO:
        case INTEGER:
        case FRACTION:
        case EXPONENT_DIGITS:
          if (state !== ZERO) {
            while (c >= 0x30 && c <= 0x39) {
              if (++i === to) break scanning;
              c = bytes[i] as number;
            }
          }
          if (c === 0x2e && state <= INTEGER) {
            i++;
            state = POINT;
            continue;
          }
          if ((c === 0x65 || c === 0x45) && state !== EXPONENT_DIGITS) {
            i++;
            state = EXPONENT;
            continue;
          }
          // The number has ended before this byte.
          if (watching) {
            this.#scalar(depth, 'number', base + i, bytes, token, i, false);
            watching = false;
          }
          state = depth === 0 ? DONE : AFTER;
          continue;

        case LITERAL: {
          const literal = this.#literal;
          let at = this.#literalAt;
          while (c === literal[at]) {
            i++;
            if (++at === literal.length || i === to) break;
            c = bytes[i] as number;
          }
          if (at === literal.length) {
            if (watching) {
              this.#scalar(depth, KIND_OF[literal[0] as number] as JsonKind, base + i, bytes, token, i, false);
              watching = false;
            }
            state = depth === 0 ? DONE : AFTER;
            continue;
          }
          this.#literalAt = at;
          if (i === to) break scanning;
          break;
        }

        case COLON:
          if (c === 0x3a) {
            i++;
            state = VALUE;
            continue;
          }
          break;

        case ESCAPE:
          if (c === 0x75) {
            this.#hexLeft = 4;
            this.#hex = 0;
            state = UNICODE;
            i++;
            continue;
          }
          if (SHORT_ESCAPE[c] === 1) {
            state = STRING;
            i++;
            continue;
          }
          break;

        case UNICODE: {
          const digit = HEX[c] as number;
          if (digit === -1) break;
          i++;
          this.#hex = (this.#hex << 4) | digit;
          if (--this.#hexLeft === 0) {
            if ((this.#hex & 0xf800) === 0xd800) this.#surrogate(this.#hex, base + i);
            state = STRING;
          }
          continue;
        }

        case MINUS:
          if (c < 0x30 || c > 0x39) break;
          state = c === 0x30 ? ZERO : INTEGER;
          i++;
          continue;

        case POINT:
          if (c < 0x30 || c > 0x39) break;
          state = FRACTION;
          i++;
          continue;

        case EXPONENT:
        case EXPONENT_SIGN:
          if ((c === 0x2b || c === 0x2d) && state === EXPONENT) {
            i++;
            state = EXPONENT_SIGN;
            continue;
          }
          if (c < 0x30 || c > 0x39) break;
          state = EXPONENT_DIGITS;
          i++;
          continue;
      }

      // No state took the byte: white space between tokens, the end of the line, or a fault.
      if (state <= DONE) {
        if (c === 0x0a && lines) break;
        if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
          i++;
          continue;
        }
      }
      this.#failure = 'invalid';
      break;
    }

    if (watching && i === to && state > DONE) this.#keep(bytes, token, i);
    this.#state = state;
    this.#depth = depth;
    this.#watchDepth = watchDepth;
    this.#watching = watching;
    this.#nodes = nodes;
    this.#inKey = inKey;
    this.#escaped = escaped;
    this.#consumed = base + i;
    return i;
  }

  /**
   * Where the run of plain bytes and simple escapes ends that begins at `at`, for a string that has turned out
   * to be long; the complement of that place when there are escapes. May stop short of the end.
   */
  #far(bytes: Uint8Array, at: number, to: number): number {
    const runs = stringRuns();
    if (runs === null) return at;
    let end = at;
    let escaped = false;
    while (end < to) {
      this.#piece = runs.piece(this.#piece, bytes, end, to);
      end = runs.end(end);
      if (runs.sawNonAscii) this.#nonAscii = true;
      if (runs.sawEscape) escaped = true;
      if (!runs.endsAt(end)) break;
    }
    return escaped ? ~end : end;
  }

  #grow(): Uint8Array {
    const grown = new Uint8Array(Math.min(this.#stack.length * 2, this.#maxDepth + 2));
    grown.set(this.#stack);
    this.#stack = grown;
    return grown;
  }

  /**
   * Behind a backslash: the end of `uXXXX` and of the escapes of that kind that directly follow, as they do in
   * texts that are not English; `at` if there is none, or not the whole of it.
   */
  #unicode(bytes: Uint8Array, at: number, to: number, base: number): number {
    let end = at;
    let next = at;
    while (next + 5 <= to && bytes[next] === 0x75) {
      const code =
        ((HEX[bytes[next + 1] as number] as number) << 12) |
        ((HEX[bytes[next + 2] as number] as number) << 8) |
        ((HEX[bytes[next + 3] as number] as number) << 4) |
        (HEX[bytes[next + 4] as number] as number);
      // Negative if one of them is.
      if (code < 0) break;
      end = next + 5;
      if ((code & 0xf800) === 0xd800) this.#surrogate(code, base + end);
      if (end === to || bytes[end] !== 0x5c) break;
      next = end + 1;
    }
    return end;
  }

  #surrogate(code: number, end: number): void {
    if (code >= 0xdc00) {
      // The low half completes a pair only directly behind the high one: `\uXXXX` is six bytes.
      if (this.#highEndsAt !== end - 6) this.#loneSurrogate = true;
      this.#highEndsAt = -1;
      return;
    }
    if (this.#highEndsAt !== -1) this.#loneSurrogate = true;
    this.#highEndsAt = end;
  }

  #endHigh(): void {
    this.#loneSurrogate = true;
    this.#highEndsAt = -1;
  }

  /** Tells of a key. @returns the depth to watch from now on */
  #key(depth: number, bytes: Uint8Array, token: number, end: number, escaped: boolean): number {
    let text = bytes;
    let from = token;
    // Without the closing quote.
    let to = end - 1;
    if (this.#kept > 0) {
      this.#keep(bytes, token, end);
      text = this.#scratch;
      from = 0;
      to = this.#kept - 1;
      this.#kept = 0;
    }
    if (to - from > MAX_KEY_BYTES) {
      text = NOTHING;
      from = 0;
      to = 0;
    }
    const descend = (this.#sink as MemberSink).key(depth, text, from, to, escaped);
    return depth === 2 || descend ? 2 : 1;
  }

  #scalar(
    depth: number,
    kind: JsonKind,
    end: number,
    bytes: Uint8Array,
    token: number,
    at: number,
    escaped: boolean,
  ): void {
    const sink = this.#sink as MemberSink;
    if (this.#kept === 0) {
      sink.value(depth, kind, this.#start, end, bytes, token, at, escaped);
      return;
    }
    this.#keep(bytes, token, at);
    if (this.#kept > SCRATCH_BYTES) sink.value(depth, kind, this.#start, end, NOTHING, 0, 0, escaped);
    else sink.value(depth, kind, this.#start, end, this.#scratch, 0, this.#kept, escaped);
    this.#kept = 0;
  }

  /** A container has ended and left us at `depth`: is it the value of a watched member? */
  #container(depth: number, kind: JsonKind, end: number): void {
    if (depth === 0 || this.#stack[depth] !== OBJECT) return;
    const sink = this.#sink as MemberSink;
    sink.value(depth, kind, depth === 1 ? this.#start1 : this.#start2, end, NOTHING, 0, 0, false);
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    const room = SCRATCH_BYTES - this.#kept;
    if (room > 0) this.#scratch.set(bytes.subarray(from, Math.min(to, from + room)), this.#kept);
    this.#kept += to - from;
  }
}
