const TWO_POW_16 = 65_536;
const TWO_POW_32 = 4_294_967_296;
/** Up to here characters are written one by one; a call into the runtime costs as much as they do. */
const MAX_SHORT_TEXT = 48;
/** The longest tag, length or number. */
const MAX_VARINT_BYTES = 10;
const NS_PER_MS = 1e6;

/** How values are laid out after a field's number. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Writes protobuf into a buffer that grows and is used again. A message within a message is begun with room for its length,
 * which is filled in when it ends.
 */
export class ProtobufWriter {
  /** Bytes written. */
  length = 0;
  #bytes: Buffer;

  constructor(firstBytes = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(firstBytes);
  }

  /** What has been written; good until the next byte is. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** What has been written, for good. */
  copy(): Uint8Array {
    return new Uint8Array(this.written);
  }

  /** Begins anew in the same buffer. */
  clear(): void {
    this.length = 0;
  }

  /** Begins a message in `field`. @returns what `end` wants */
  begin(field: number): number {
    this.#reserve(2 * MAX_VARINT_BYTES);
    this.#varint(tag(field, WIRE.bytes));
    return this.length++;
  }

  /** Ends the message that `begin` began. */
  end(begun: number): void {
    const size = this.length - begun - 1;
    const more = varintBytes(size) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(begun + 1 + more, begun + 1, this.length);
    }
    const end = this.length + more;
    this.length = begun;
    this.#varint(size);
    this.length = end;
  }

  varint(field: number, value: number): void {
    this.#reserve(2 * MAX_VARINT_BYTES);
    this.#varint(tag(field, WIRE.varint));
    this.#varint(value);
  }

  /** An int64: negative ones are ten bytes, as protobuf has it. */
  int64(field: number, value: number): void {
    this.#reserve(2 * MAX_VARINT_BYTES);
    this.#varint(tag(field, WIRE.varint));
    if (value >= 0 && value < TWO_POW_32) {
      this.#varint(value);
      return;
    }
    let high = Math.floor(value / TWO_POW_32);
    let low = value - high * TWO_POW_32;
    high >>>= 0;
    while (high > 0 || low > 0x7f) {
      this.#bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#bytes[this.length++] = low;
  }

  double(field: number, value: number): void {
    this.#reserve(MAX_VARINT_BYTES + 8);
    this.#varint(tag(field, WIRE.fixed64));
    this.length = this.#bytes.writeDoubleLE(value, this.length);
  }

  fixed32(field: number, value: number): void {
    this.#reserve(MAX_VARINT_BYTES + 4);
    this.#varint(tag(field, WIRE.fixed32));
    this.#fixed32(value);
  }

  /** A fixed64 of `wholeMs * 1e6 + ns`, exactly: the product is beyond what a number holds. */
  nanos(field: number, wholeMs: number, ns: number): void {
    this.#reserve(MAX_VARINT_BYTES + 8);
    this.#varint(tag(field, WIRE.fixed64));
    // wholeMs = a * 2^16 + b: a * 1e6 and b * 1e6 + ns are exact, and a * 1e6 is cut where the upper half begins.
    const a = Math.floor(wholeMs / TWO_POW_16);
    const upper = a * NS_PER_MS;
    const upperHigh = Math.floor(upper / TWO_POW_16);
    const low = (upper - upperHigh * TWO_POW_16) * TWO_POW_16 + (wholeMs - a * TWO_POW_16) * NS_PER_MS + ns;
    this.#fixed32(low >>> 0);
    this.#fixed32(upperHigh + Math.floor(low / TWO_POW_32));
  }

  /** Bytes from lower-case hex digits. */
  hex(field: number, digits: string): void {
    const size = digits.length >> 1;
    this.#reserve(2 * MAX_VARINT_BYTES + size);
    this.#varint(tag(field, WIRE.bytes));
    this.#varint(size);
    const bytes = this.#bytes;
    let at = this.length;
    for (let i = 0; i < digits.length; i += 2) {
      bytes[at++] = (digit(digits.charCodeAt(i)) << 4) | digit(digits.charCodeAt(i + 1));
    }
    this.length = at;
  }

  string(field: number, value: string): void {
    const size = utf8Bytes(value);
    this.#reserve(2 * MAX_VARINT_BYTES + size);
    this.#varint(tag(field, WIRE.bytes));
    this.#varint(size);
    this.#text(value, size);
  }

  /** What has been written elsewhere, tags and all. */
  raw(written: Uint8Array): void {
    this.#reserve(written.length);
    const bytes = this.#bytes;
    const { length } = written;
    const at = this.length;
    // Short ones are cheaper byte by byte than by a call into the runtime.
    if (length > MAX_SHORT_TEXT) bytes.set(written, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = written[i] as number;
    this.length = at + length;
  }

  /** Of fewer than 2^32. */
  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.length;
    let rest = value;
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  #fixed32(value: number): void {
    const bytes = this.#bytes;
    const at = this.length;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.length = at + 4;
  }

  #text(value: string, size: number): void {
    if (size > MAX_SHORT_TEXT || size !== value.length) {
      this.length += this.#bytes.write(value, this.length, size, 'utf8');
      return;
    }
    const bytes = this.#bytes;
    const at = this.length;
    for (let i = 0; i < size; i++) bytes[at + i] = value.charCodeAt(i);
    this.length = at + size;
  }

  #reserve(more: number): void {
    const wanted = this.length + more;
    if (wanted <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

function tag(field: number, wire: number): number {
  return (field << 3) | wire;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

function utf8Bytes(value: string): number {
  const { length } = value;
  if (length > MAX_SHORT_TEXT) return Buffer.byteLength(value);
  for (let i = 0; i < length; i++) if (value.charCodeAt(i) > 0x7f) return Buffer.byteLength(value);
  return length;
}

function digit(code: number): number {
  return code > 0x39 ? code - 0x57 : code - 0x30;
}
