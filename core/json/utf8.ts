import { isUtf8 } from 'node:buffer';

/** Whether the pieces, one after the other, are valid UTF-8; a character may be split between pieces. */
export function isUtf8Text(pieces: readonly Uint8Array[]): boolean {
  const first = pieces[0];
  if (first === undefined) return true;
  if (pieces.length === 1) return isUtf8(first);
  /** The beginning of a character whose rest is in the next piece. */
  let begun: Uint8Array = first.subarray(0, 0);
  for (const piece of pieces) {
    let rest = piece;
    if (begun.length > 0) {
      const missing = sequenceLength(begun[0] as number) - begun.length;
      const joined = Buffer.concat([begun, piece.subarray(0, missing)]);
      if (piece.length < missing) {
        begun = joined;
        continue;
      }
      if (!isUtf8(joined)) return false;
      rest = piece.subarray(missing);
    }
    const whole = wholeCharacters(rest);
    if (!isUtf8(rest.subarray(0, whole))) return false;
    begun = rest.subarray(whole);
  }
  return begun.length === 0;
}

/** Bytes of a character, by its first byte; 1 for what cannot begin one, so that it is judged at once. */
function sequenceLength(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0) return lead <= 0xef ? 3 : 1;
  return lead >= 0xc2 ? 2 : 1;
}

/** The length of `bytes` without a character at its end that is not complete yet. */
function wholeCharacters(bytes: Uint8Array): number {
  const end = bytes.length;
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    return sequenceLength(byte) > back ? end - back : end;
  }
  return end;
}
