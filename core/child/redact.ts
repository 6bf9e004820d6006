import { stripVTControlCharacters } from 'node:util';

/** Shorter values are left alone: hiding every "1" would make a text useless and protect nothing. */
const MIN_SECRET_LENGTH = 4;

const HIDDEN = '[redacted]';

/** C0, DEL, C1, line separators and bidirectional overrides: what could forge or disguise a line of a log. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Hides secrets in the text of a child, also where they are percent-encoded or inside JSON, and each line of those
 * that have several. Escape sequences are removed before, so that none can split a secret.
 */
export class Redactor {
  /** Characters of the longest form of a secret: what must follow a cut for {@link redact} to see across it. */
  readonly maxSecretLength: number;
  readonly #pattern: RegExp | undefined;

  constructor(secrets: readonly string[]) {
    const forms = new Set<string>();
    for (const secret of secrets) {
      for (const part of [secret, ...secret.split(/\r?\n/)]) {
        if (part.length < MIN_SECRET_LENGTH) continue;
        forms.add(part);
        forms.add(JSON.stringify(part).slice(1, -1));
        forms.add(percentEncoded(part));
      }
    }
    // Longest first: a secret that begins with another one is hidden whole.
    const longestFirst = [...forms].sort((a, b) => b.length - a.length);
    this.maxSecretLength = longestFirst[0]?.length ?? 0;
    if (forms.size > 0) this.#pattern = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g');
  }

  /** @param cutShort the text goes on elsewhere: its end, which may be the first half of a secret, is left out */
  redact(text: string, cutShort = false): string {
    const plain = stripVTControlCharacters(text);
    if (this.#pattern === undefined) return plain;
    const end = cutShort ? plain.length - this.maxSecretLength + 1 : plain.length;
    let shown = '';
    let from = 0;
    for (const { 0: secret, index } of plain.matchAll(this.#pattern)) {
      if (index >= end) break;
      shown += plain.slice(from, index) + HIDDEN;
      from = index + secret.length;
    }
    return from < end ? shown + plain.slice(from, end) : shown;
  }
}

/** Control characters and the like as `\u{1b}`: one line stays one line, and says what it held. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

function percentEncoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text; // a lone surrogate has no percent-encoding
  }
}

function escapeRegExp(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
