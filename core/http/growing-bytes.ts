const NOTHING = Buffer.alloc(0);

/**
 * Bytes that come in pieces, held as one buffer of at most twice their length: a body in a million pieces of one byte
 * would otherwise cost a Buffer for each of them, hundreds of times its own size. One piece alone is not copied.
 */
export class GrowingBytes {
  #bytes: Buffer = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param expected how many bytes there will be in all, where that is known */
  add(piece: Uint8Array, expected = Number.POSITIVE_INFINITY): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) this.#bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    else {
      if (length > this.#bytes.length) {
        const grown = Buffer.allocUnsafe(Math.max(length, Math.min(2 * length, expected)));
        this.#bytes.copy(grown, 0, 0, this.#length);
        this.#bytes = grown;
      }
      this.#bytes.set(piece, this.#length);
    }
    this.#length = length;
  }

  /** What has come so far; shares its memory with what is here. */
  whole(): Buffer {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }
}
