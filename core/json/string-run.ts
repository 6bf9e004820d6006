/**
 * `string-run.wat`, compiled. A test compiles that file again and compares it with this byte for byte.
 */
export const STRING_RUN_MODULE =
  'AGFzbQEAAAABBwFgAn9/AX8DAgEABQQBAQEBBxACBm1lbW9yeQIAA2VuZAAACrADAa0DAwN7CH8He0EC/Q8hDUEg/Q8hDkHcAP0PIQ9BD/0P' +
  'IRD9DAAAAQAAAgQIAAAAAAAAAAAhEf0MAAANAAgABAAAAAAAAgAEASESIAFBADoAAANAIAD9AAQAIQIgAP0ABBAhAyACIA39USAO/Sr9ZCAD' +
  'IA39USAO/Sr9ZEEQdHIhBSACIA/9I/1kIAMgD/0j/WRBEHRyIQYgBSAGciALcgRAIAYgC0F/c3EhByAHQQF0QarVqtV6ciAHa0Gq1arVenMh' +
  'ByAHIAYgC3JzIQggBSAIQX9zcSAIIBMgESACQQT9jQEgEP1O/Q4gEiACIBD9Tv0O/U79I/1kIBMgESADQQT9jQEgEP1O/Q4gEiADIBD9Tv0O' +
  '/U79I/1kQRB0cnFyIQkgCQRAIAggCWh2QQFxBEAgAEEBayEACyAAIAloaiEAIAlBACAJa3FBAWshCiAMIAYgCnFyBEAgAEGAgARyIQALIAT9' +
  'ZCAKIAL9ZCAD/WRBEHRycXIEQCAAQYCACHIhAAsgAA8LIAcgBnFBH3YhCyAMIAZyIQwLIAQgAiAD/VD9UCEEIABBIGohAAwACwAL';

/** The part of the global `WebAssembly` used here; the library of types without the DOM does not have it. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: object };
    }
  | undefined;

interface StringRunExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  end(at: number, to: number): number;
}

/** Bytes copied at first: the string may soon be over. */
const FIRST_PIECE_BYTES = 1024;
/** Bytes copied at a time after that: enough to forget the price of the call, few enough for the nearest cache. */
const PIECE_BYTES = 8 * 1024;

const PLACE = 0xffff;
const ESCAPE = 0x10000;
const NON_ASCII = 0x20000;

/**
 * Finds where long runs of string bytes end, with SIMD instructions (`string-run.wat`): several times faster
 * than `stringEnd`, and over simple escapes as well. The price is a copy of the bytes, a piece at a time,
 * into the memory of the module.
 *
 * That memory is shared by all who scan. A piece is therefore known by a number which is never given twice:
 * whoever copied a piece and finds its number still there can rely on finding its bytes as well.
 */
export class StringRuns {
  readonly #end: (at: number, to: number) => number;
  readonly #memory: Uint8Array;
  #piece = 0;
  /** Where in the bytes the piece begins and ends. */
  #from = 0;
  #to = 0;
  #flags = 0;

  constructor(exports: StringRunExports) {
    this.#end = exports.end;
    this.#memory = new Uint8Array(exports.memory.buffer);
  }

  /** The run told of last has a backslash in it or at its end. */
  get sawEscape(): boolean {
    return (this.#flags & ESCAPE) !== 0;
  }

  /** The run told of last has a byte above 0x7f in it. */
  get sawNonAscii(): boolean {
    return (this.#flags & NON_ASCII) !== 0;
  }

  /**
   * The piece to find the byte at `at` in: the piece of that number if it is still there and reaches so far,
   * otherwise a new one, copied from `bytes[at..to)`.
   * @param piece the number returned last for the same bytes, and for a place not behind `at`; 0 if none
   * @returns the number of the piece, never 0
   */
  piece(piece: number, bytes: Uint8Array, at: number, to: number): number {
    if (piece === this.#piece && at < this.#to) return piece;
    this.#from = at;
    this.#to = Math.min(to, at + (piece === 0 ? FIRST_PIECE_BYTES : PIECE_BYTES));
    this.#memory.set(bytes.subarray(at, this.#to));
    this.#piece++;
    return this.#piece;
  }

  /**
   * Where the run of plain bytes and of whole escapes of two bytes ends that begins at `at`, inside the piece
   * of now: at a quote, a control character, the backslash of another escape, or with the piece.
   */
  end(at: number): number {
    const from = this.#from;
    const result = this.#end(at - from, this.#to - from);
    this.#flags = result;
    return from + (result & PLACE);
  }

  /** Whether `at`, a place returned by `end`, is only where the piece ends. */
  endsAt(at: number): boolean {
    return at === this.#to;
  }
}

let shared: StringRuns | null | undefined;

/** The one instance of this process, made at first use; null where there is no WebAssembly with SIMD. */
export function stringRuns(): StringRuns | null {
  if (shared === undefined) shared = create();
  return shared;
}

function create(): StringRuns | null {
  try {
    if (typeof WebAssembly === 'undefined') return null;
    const module = new WebAssembly.Module(Buffer.from(STRING_RUN_MODULE, 'base64'));
    return new StringRuns(new WebAssembly.Instance(module).exports as StringRunExports);
  } catch {
    // No SIMD on this processor, or no address space for the memory: everything works without, only slower.
    return null;
  }
}
