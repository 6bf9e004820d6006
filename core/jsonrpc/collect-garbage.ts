import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let minorCollection: ((options: { readonly type: 'minor' }) => void) | undefined;

/**
 * Frees what was thrown away a moment ago, in about a millisecond. For streams that are read only to be dropped:
 * the memory of chunks does not count as heap, so V8 would let tens of megabytes of them gather first.
 */
export function collectGarbage(): void {
  if (minorCollection === undefined) {
    setFlagsFromString('--expose-gc');
    minorCollection = runInNewContext('gc') as typeof minorCollection;
    setFlagsFromString('--no-expose-gc');
  }
  minorCollection?.({ type: 'minor' });
}
