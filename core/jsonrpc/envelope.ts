import type { JsonKind, MemberSink } from '#core/json/scanner.ts';

/** Two members of a `result` object that whoever uses the connection wants to know without parsing it. */
export interface ResultMarks {
  /** A member whose literal `true` matters. */
  readonly flag: string;
  /** A member whose value, a short string, matters. */
  readonly tag: string;
}

/** A top-level member's value: byte offsets into its line, `end` behind the last byte. */
export class Span {
  kind: JsonKind | undefined = undefined;
  start = 0;
  end = 0;
}

type Member = 'jsonrpc' | 'id' | 'method' | 'result' | 'error' | 'params' | 'flag' | 'tag' | undefined;

/** Longest `method` or tag that is read. */
const MAX_NAME_BYTES = 128;

/**
 * What one JSON-RPC message says at its top level, collected while the scanner passes over it, in whatever
 * order the members stand. One instance serves a connection: `reset` before each message.
 *
 * A `__proto__` or any other unknown member is passed over. A known member that stands twice is ambiguous
 * (which one counts depends on the reader), so the message is marked as `duplicated`.
 */
export class Envelope implements MemberSink {
  /** `"jsonrpc": "2.0"` was seen. */
  version = false;
  /** The id as a number, or its text, or null; undefined when absent or none of these. */
  id: number | string | null | undefined = undefined;
  /** An `id` member was there, readable or not. */
  hasId = false;
  /** A method was there; `method` is its name when it is a string of at most 128 bytes. */
  hasMethod = false;
  method: string | undefined = undefined;
  readonly result = new Span();
  readonly error = new Span();
  readonly params = new Span();
  duplicated = false;
  /** The flag of the result is literally `true`; the last one counts, as for `JSON.parse`. */
  flag = false;
  /** The tag of the result, when it is a string of at most 128 bytes. */
  tag: string | undefined = undefined;

  readonly #flagName: Uint8Array;
  readonly #tagName: Uint8Array;
  /** The member whose value comes next, at each depth. */
  #top: Member = undefined;
  #inner: Member = undefined;
  #versionSeen = false;

  constructor(marks: ResultMarks) {
    this.#flagName = Buffer.from(marks.flag);
    this.#tagName = Buffer.from(marks.tag);
  }

  reset(): void {
    this.version = false;
    this.id = undefined;
    this.hasId = false;
    this.hasMethod = false;
    this.method = undefined;
    this.result.kind = undefined;
    this.error.kind = undefined;
    this.params.kind = undefined;
    this.duplicated = false;
    this.flag = false;
    this.tag = undefined;
    this.#versionSeen = false;
  }

  key(depth: number, bytes: Uint8Array, from: number, to: number, escaped: boolean): boolean {
    if (escaped) {
      const plain = Buffer.from(decoded(bytes, from, to));
      return this.#name(depth, plain, 0, plain.length);
    }
    return this.#name(depth, bytes, from, to);
  }

  #name(depth: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (depth === 2) {
      this.#inner = is(bytes, from, to, this.#flagName)
        ? 'flag'
        : is(bytes, from, to, this.#tagName)
          ? 'tag'
          : undefined;
      return false;
    }
    const member = topMember(bytes, from, to);
    this.#top = member;
    switch (member) {
      case 'jsonrpc':
        this.duplicated ||= this.#versionSeen;
        this.#versionSeen = true;
        return false;
      case 'id':
        this.duplicated ||= this.hasId;
        this.hasId = true;
        return false;
      case 'method':
        this.duplicated ||= this.hasMethod;
        this.hasMethod = true;
        return false;
      case 'result':
        this.duplicated ||= this.result.kind !== undefined;
        return true;
      case 'error':
        this.duplicated ||= this.error.kind !== undefined;
        return false;
      case 'params':
        this.duplicated ||= this.params.kind !== undefined;
        return false;
      default:
        return false;
    }
  }

  value(
    depth: number,
    kind: JsonKind,
    start: number,
    end: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    escaped: boolean,
  ): void {
    if (depth === 2) {
      if (this.#inner === 'flag') this.flag = kind === 'true';
      else if (this.#inner === 'tag') this.tag = kind === 'string' ? text(bytes, from, to, escaped) : undefined;
      return;
    }
    switch (this.#top) {
      case 'jsonrpc':
        this.version = kind === 'string' && text(bytes, from, to, escaped) === '2.0';
        return;
      case 'id':
        this.id = id(kind, bytes, from, to, escaped);
        return;
      case 'method':
        this.method = kind === 'string' ? text(bytes, from, to, escaped) : undefined;
        return;
      case 'result':
        fill(this.result, kind, start, end);
        return;
      case 'error':
        fill(this.error, kind, start, end);
        return;
      case 'params':
        fill(this.params, kind, start, end);
        return;
    }
  }
}

function fill(span: Span, kind: JsonKind, start: number, end: number): void {
  span.kind = kind;
  span.start = start;
  span.end = end;
}

const ID = Buffer.from('id');
const ERROR = Buffer.from('error');
const METHOD = Buffer.from('method');
const RESULT = Buffer.from('result');
const PARAMS = Buffer.from('params');
const JSONRPC = Buffer.from('jsonrpc');

function topMember(bytes: Uint8Array, from: number, to: number): Member {
  switch (to - from) {
    case 2:
      return is(bytes, from, to, ID) ? 'id' : undefined;
    case 5:
      return is(bytes, from, to, ERROR) ? 'error' : undefined;
    case 6:
      if (is(bytes, from, to, RESULT)) return 'result';
      if (is(bytes, from, to, METHOD)) return 'method';
      return is(bytes, from, to, PARAMS) ? 'params' : undefined;
    case 7:
      return is(bytes, from, to, JSONRPC) ? 'jsonrpc' : undefined;
    default:
      return undefined;
  }
}

function is(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  const length = name.length;
  if (to - from !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== name[i]) return false;
  return true;
}

/** A short ASCII string without escapes is the rule; everything else is decoded properly. */
function text(bytes: Uint8Array, from: number, to: number, escaped: boolean): string | undefined {
  // With its quotes; from === to where the text was too long to be kept.
  if (to - from < 2 || to - from > MAX_NAME_BYTES + 2) return undefined;
  if (escaped) return decoded(bytes, from + 1, to - 1);
  if (to - from === 5 && bytes[from + 1] === 0x32 && bytes[from + 2] === 0x2e && bytes[from + 3] === 0x30) return '2.0';
  return Buffer.from(bytes.buffer, bytes.byteOffset + from + 1, to - from - 2).toString('utf8');
}

function id(
  kind: JsonKind,
  bytes: Uint8Array,
  from: number,
  to: number,
  escaped: boolean,
): number | string | null | undefined {
  if (kind === 'string') return text(bytes, from, to, escaped);
  if (kind === 'null') return null;
  if (kind !== 'number' || to === from) return undefined;
  // Our own ids: a few digits. Up to 15 are exact.
  if (to - from <= 15) {
    let value = 0;
    for (let i = from; i < to; i++) {
      const digit = (bytes[i] as number) - 0x30;
      if (digit < 0 || digit > 9) return Number(latin1(bytes, from, to));
      value = value * 10 + digit;
    }
    return value;
  }
  return Number(latin1(bytes, from, to));
}

/** What a string's raw text (without quotes) means; the scanner has checked its escapes. */
function decoded(bytes: Uint8Array, from: number, to: number): string {
  return JSON.parse(`"${Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8')}"`) as string;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}
