import { type JsonKind, JsonScanner, type MemberSink } from './scanner.ts';

const COMMA = 0x2c;

/**
 * Gives one member of the outermost object of a JSON text another value, or takes it out; every other byte stays as it
 * is, so that nothing is lost that parsing would round or drop.
 * @param name of at most 64 bytes
 * @param replace is given the value's text; undefined takes the member out
 * @returns the text in pieces; undefined where it is no JSON object that has the member exactly once
 */
export function replaceMember(
  text: Buffer,
  name: string,
  replace: (value: Buffer) => Buffer | undefined,
): readonly Buffer[] | undefined {
  const finder = new MemberFinder(name);
  const scanner = new JsonScanner({ maxDepth: Number.POSITIVE_INFINITY, sink: finder });
  scanner.scan(text, 0, text.length);
  if (scanner.finish() !== 'ok' || scanner.root !== 'object' || finder.count !== 1) return undefined;
  const { keyAt, start, end } = finder;
  const value = replace(text.subarray(start, end));
  if (value !== undefined) return [text.subarray(0, start), value, text.subarray(end)];
  // One of the commas beside it goes with it.
  const before = skipSpaceBack(text, keyAt);
  const after = skipSpace(text, end);
  if (text[before - 1] === COMMA) return [text.subarray(0, before - 1), text.subarray(end)];
  return [text.subarray(0, keyAt), text.subarray(text[after] === COMMA ? after + 1 : end)];
}

/** Never asks for what is below, so that all it is told of are members of the outermost object. */
class MemberFinder implements MemberSink {
  count = 0;
  /** Offset of the key's opening quote. */
  keyAt = 0;
  start = 0;
  end = 0;
  readonly #name: string;
  #found = false;

  constructor(name: string) {
    this.#name = name;
  }

  key(_depth: number, bytes: Uint8Array, from: number, to: number, escaped: boolean): boolean {
    const raw = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
    this.#found = (escaped ? JSON.parse(`"${raw}"`) : raw) === this.#name;
    if (this.#found) {
      this.count++;
      // The text is scanned in one piece, so that offsets in it are offsets of the text.
      this.keyAt = from - 1;
    }
    return false;
  }

  value(_depth: number, _kind: JsonKind, start: number, end: number): void {
    if (!this.#found) return;
    this.start = start;
    this.end = end;
  }
}

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (isSpace(text[at])) at++;
  return at;
}

function skipSpaceBack(text: Buffer, from: number): number {
  let at = from;
  while (isSpace(text[at - 1])) at--;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
