const SPACES = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const ONES = 0x01010101;
const HIGHS = 0x80808080 | 0;

/** Longer strings than this are worth the bigger steps. */
const SHORT = 48;
/** Bytes looked at in one go: behind so many there is a better way (string-run.ts). */
const LONG = 256;

/**
 * Where the run of plain string bytes in `bytes[from..to)` ends: at a quote, a backslash, a control character,
 * at `to`, or 256 bytes behind `from`. The complement (`~at`) of that place is returned when a byte above 0x7f
 * lies before it.
 *
 * `view` and `offset` are the DataView of the bytes' buffer and their place in it: fetching these costs more
 * than a short string, so the caller keeps them per chunk.
 *
 * Looked at four bytes a step, by the classic arithmetic on words (Bit Twiddling Hacks, "Determine if a word
 * has a byte less than n"): a borrow can only deceive in bytes above a true hit, so the lowest hit is true.
 */
export function stringEnd(view: DataView, offset: number, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  let seen = 0;
  const end = to - from > LONG ? from + LONG : to;
  const last = end - 4;
  let soon = Math.min(at + SHORT, last);
  for (;;) {
    while (at <= soon) {
      const word = view.getInt32(offset + at, true);
      const hit = ((word - SPACES) | ((word ^ QUOTES) - ONES) | ((word ^ BACKSLASHES) - ONES)) & ~word & HIGHS;
      if (hit !== 0) {
        const lowest = hit & -hit;
        seen |= word & (lowest - 1);
        at += (31 - Math.clz32(lowest)) >> 3;
        return (seen & HIGHS) === 0 ? at : ~at;
      }
      seen |= word;
      at += 4;
    }
    if (soon === last) break;
    soon = last;
    const lastBlock = end - 16;
    while (at <= lastBlock) {
      const a = view.getInt32(offset + at, true);
      const b = view.getInt32(offset + at + 4, true);
      const c = view.getInt32(offset + at + 8, true);
      const d = view.getInt32(offset + at + 12, true);
      const hit =
        (((a - SPACES) | ((a ^ QUOTES) - ONES) | ((a ^ BACKSLASHES) - ONES)) & ~a) |
        (((b - SPACES) | ((b ^ QUOTES) - ONES) | ((b ^ BACKSLASHES) - ONES)) & ~b) |
        (((c - SPACES) | ((c ^ QUOTES) - ONES) | ((c ^ BACKSLASHES) - ONES)) & ~c) |
        (((d - SPACES) | ((d ^ QUOTES) - ONES) | ((d ^ BACKSLASHES) - ONES)) & ~d);
      if ((hit & HIGHS) !== 0) break;
      seen |= a | b | c | d;
      at += 16;
    }
  }
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === 0x22 || byte === 0x5c || byte < 0x20) break;
    seen |= byte;
    at++;
  }
  return (seen & HIGHS) === 0 ? at : ~at;
}
