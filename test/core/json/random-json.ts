/** Seeded random JSON texts and damaged ones: the same seed gives the same texts for ever. */

/** A small fast generator of numbers in [0, 1) (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function pick<T>(next: () => number, items: readonly T[]): T {
  return items[Math.floor(next() * items.length)] as T;
}

const ATOMS = [
  'true',
  'false',
  'null',
  '0',
  '-0',
  '1',
  '-17',
  '3.25',
  '1e9',
  '1E-9',
  '2.5e+10',
  '123456789012345678901234567890',
  '""',
] as const;

const STRING_PARTS = [
  'a',
  'plain text of some length, long enough for the bigger steps of the scanner to be taken at least once or twice here',
  'id',
  ' ',
  'é',
  '日本',
  '😀',
  '\\n',
  '\\"',
  '\\\\',
  '\\/',
  '\\u0041',
  '\\u00e9',
  '\\ud83d\\ude00',
  '\\ud800',
  '\\udc00x',
  '{',
  ']',
  ':',
  ',',
  '\u007f',
  '\u2028',
] as const;

const SPACES = ['', '', '', '', ' ', '\t', '\r', '\n', '  '] as const;

/** A JSON text, with white space between its tokens. */
export function randomJson(next: () => number, depth = 0): string {
  const space = (): string => pick(next, SPACES);
  const kind = next();
  if (depth < 6 && kind < 0.25) {
    const items = Array.from({ length: Math.floor(next() * 4) }, () => space() + randomJson(next, depth + 1) + space());
    return `[${items.length > 0 ? items.join(',') : space()}]`;
  }
  if (depth < 6 && kind < 0.6) {
    const members = Array.from(
      { length: Math.floor(next() * 5) },
      () => `${space()}${randomString(next)}${space()}:${space()}${randomJson(next, depth + 1)}${space()}`,
    );
    return `{${members.length > 0 ? members.join(',') : space()}}`;
  }
  return kind < 0.8 ? randomString(next) : pick(next, ATOMS);
}

export function randomString(next: () => number): string {
  return `"${Array.from({ length: Math.floor(next() * 5) }, () => pick(next, STRING_PARTS)).join('')}"`;
}

const DAMAGE = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '-',
  '.',
  'e',
  '+',
  't',
  'u',
  '\n',
  '\u0000',
  '\u001f',
  ' ',
  '/',
] as const;

/** The text with one to three characters removed, inserted, replaced or doubled; often no longer JSON. */
export function damaged(next: () => number, text: string): string {
  let result = text;
  for (let round = 1 + Math.floor(next() * 3); round > 0; round--) {
    const at = Math.floor(next() * (result.length + 1));
    const how = next();
    if (how < 0.3) result = result.slice(0, at) + result.slice(at + 1);
    else if (how < 0.6) result = result.slice(0, at) + pick(next, DAMAGE) + result.slice(at);
    else if (how < 0.9) result = result.slice(0, at) + pick(next, DAMAGE) + result.slice(at + 1);
    else result = result.slice(0, at);
  }
  return result;
}
