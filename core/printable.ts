/** Longest text of a child that is shown to a caller. */
const MAX_SAID_CHARS = 300;

/** A child's text made fit for one line of an answer: no control characters, and at most 300 characters. */
export function printable(text: string): string {
  const line = text
    .slice(0, MAX_SAID_CHARS + 1)
    .replace(/[\p{Cc}\p{Cf}\p{Z}]+/gu, ' ')
    .toWellFormed()
    .trim();
  return line.length > MAX_SAID_CHARS ? `${line.slice(0, MAX_SAID_CHARS).toWellFormed()}…` : line;
}
