import { isUtf8 } from 'node:buffer';
import { JsonScanner, type JsonVerdict } from './scanner.ts';

export interface JsonLimits {
  /** Objects and arrays inside each other. */
  readonly maxDepth: number;
  /** Values of any kind; as each member has one, it bounds the keys too. */
  readonly maxNodes: number;
}

/**
 * Makes a check with these limits: the verdict on a whole JSON text, at the price of one pass over its bytes and before anything is built
 * from it. Stricter than `JSON.parse`: bytes that are not UTF-8 and escapes that leave half a surrogate pair
 * are `invalid`, since neither survives being passed on. A byte order mark is `invalid` too (RFC 8259, 8.1).
 */
export function jsonCheck(limits: JsonLimits): (text: Uint8Array) => JsonVerdict {
  // One for all texts: a check never yields, so two never overlap.
  const scanner = new JsonScanner(limits);
  return (text) => {
    scanner.reset();
    scanner.scan(text, 0, text.length);
    const verdict = scanner.finish();
    if (verdict !== 'ok') return verdict;
    if (scanner.sawLoneSurrogate) return 'invalid';
    return scanner.sawNonAscii && !isUtf8(text) ? 'invalid' : 'ok';
  };
}
