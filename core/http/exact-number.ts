import { BridgeError } from '#core/errors.ts';

const PARTS = /^-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

/**
 * JSON.parse that never rounds an integer and never overflows silently.
 * @throws BridgeError unsafe_number
 * @throws SyntaxError as JSON.parse
 */
export function parseExactly(text: string): unknown {
  return JSON.parse(
    text,
    function check(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
      if (typeof value === 'number' && context?.source !== undefined && !isExact(context.source, value)) {
        throw new BridgeError(
          'unsafe_number',
          'an integer beyond 2^53 would be rounded, or a number is not finite; send it as a string if the tool takes one',
        );
      }
      return value;
    },
  );
}

/**
 * Whether a JSON number keeps its meaning as a double: it is finite, and if it is an integer it is the same
 * integer. Decimals may be rounded, as everywhere.
 */
export function isExact(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return true;
  const [, whole = '', fraction = '', exponent = '0'] = PARTS.exec(source) ?? [];
  // The integer that the source denotes: its digits, moved by the exponent.
  let digits = (whole + fraction).replace(/^0+/, '');
  let zeros = Number(exponent) - fraction.length;
  while (zeros < 0 && digits.endsWith('0')) {
    digits = digits.slice(0, -1);
    zeros++;
  }
  if (zeros < 0) return true;
  // 5 to the power of 23 is above 2^53, so no multiple of 10^23 is a double.
  if (zeros > 22 && digits !== '') return false;
  return BigInt(digits + '0'.repeat(zeros)) === BigInt(Math.abs(value));
}
