/**
 * JSON in pure ASCII: everything beyond is written as `\uXXXX`, so that a character is a byte and a
 * body's length is known without counting.
 */
export function asciiJson(value: unknown): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is meant
  return JSON.stringify(value).replace(/[^\x00-\x7f]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
