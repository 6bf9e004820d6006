/**
 * A schema's regular expression. Schemas are written for engines without the `u` flag, too: `[\w-.]` is an error with it.
 * @throws SyntaxError
 */
export function lenientRegExp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    if (!flags.includes('u')) throw error;
    return new RegExp(source, flags.replace('u', ''));
  }
}

/**
 * Tries a pattern on what makes bad ones explode: a long run of something it repeats, and then a mismatch. Returns
 * when it is harmless, and else perhaps never: to be run where it can be stopped.
 * @throws SyntaxError when it is no pattern, or too large to be compiled
 */
export function probePattern(source: string): void {
  const pattern = lenientRegExp(source, 'u');
  for (const attempt of adversaries(source)) pattern.test(attempt);
}

function adversaries(source: string): string[] {
  const literals = source.replace(/\\./g, '').match(/[\p{L}\p{N} .,:;@/_-]/gu) ?? [];
  const units = [...new Set(['a', 'A', '0', ' ', '-', 'a.', 'a-', ...literals.slice(0, 20)])];
  return units.flatMap((unit) => [`${unit.repeat(32)}\u0000`, `${unit.repeat(32)}!`]);
}
