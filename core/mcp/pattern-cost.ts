/** A bound on the steps a backtracking engine takes for n characters: `size * factor * (n + 1) ** exponent`. */
export interface PatternCost {
  /** `Infinity` where no polynomial bound is seen: a repetition of something that itself may match in several ways. */
  readonly exponent: number;
  readonly factor: number;
  /** Characters and classes, each as often as counted repetitions around it say: what it compiles to. */
  readonly size: number;
}

interface Group {
  size: number;
  /** Whether it may match the same text in more than one way. */
  variable: boolean;
}

/** A counted repetition with more choices than this is taken for an unbounded one. */
const MANY_CHOICES = 8;

/**
 * Estimates from above what a regular expression may cost, from its text alone. Coarse on purpose: where it says too
 * much the match only runs in a thread, and is never refused. Every choice (`?`, `|`, `{2,4}`) multiplies, every
 * unbounded repetition adds a power of n, and so do a missing `^` and a back reference.
 *
 * @see https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS
 */
export function patternCost(source: string): PatternCost {
  let exponent = 0;
  let factor = 1;
  const open: Group[] = [{ size: 0, variable: false }];
  let topLevelChoice = false;
  let at = 0;
  while (at < source.length) {
    const group = open.at(-1) as Group;
    const character = source[at] as string;
    if (character === '|') {
      if (open.length === 1) topLevelChoice = true;
      group.variable = true;
      factor *= 2;
      at += 1;
      continue;
    }
    if (character === '(') {
      open.push({ size: 0, variable: false });
      at += /^\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?/.exec(source.slice(at, at + 200))?.[0].length ?? 1;
      continue;
    }
    // An atom: what a quantifier may follow.
    let atomVariable = false;
    let atomSize = 1;
    if (character === ')') {
      const closed = open.length > 1 ? (open.pop() as Group) : { size: 1, variable: true };
      atomVariable = closed.variable;
      atomSize = closed.size;
      at += 1;
    } else if (character === '\\') {
      if (/[1-9k]/.test(source[at + 1] ?? '')) exponent += 1;
      at = afterEscape(source, at);
    } else if (character === '[') at = afterClass(source, at);
    else at += 1;

    const parent = open.at(-1) as Group;
    const repetition = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/.exec(source.slice(at, at + 40));
    if (repetition !== null) {
      at += repetition[0].length;
      const [min, max] = bounds(repetition);
      if (atomVariable && max > 1) exponent = Number.POSITIVE_INFINITY;
      else if (max - min > MANY_CHOICES) exponent += 1;
      else factor *= max - min + 1;
      if (max > min) parent.variable = true;
      atomSize *= Math.max(1, max === Number.POSITIVE_INFINITY ? min : max);
    }
    parent.size += atomSize;
    if (atomVariable) parent.variable = true;
  }
  if (!source.startsWith('^') || topLevelChoice) exponent += 1;
  return { exponent, factor, size: open[0]?.size ?? 0 };
}

/** Steps for a string of this length at most, from above. */
export function maxSteps({ exponent, factor, size }: PatternCost, length: number): number {
  return Math.max(1, size) * factor * (length + 1) ** exponent;
}

function bounds(repetition: RegExpExecArray): [min: number, max: number] {
  const [, sign, least, comma, most] = repetition;
  if (sign === '?') return [0, 1];
  if (sign !== undefined) return [0, Number.POSITIVE_INFINITY];
  const min = Number(least);
  if (comma === undefined) return [min, min];
  return [min, most === '' ? Number.POSITIVE_INFINITY : Number(most)];
}

/** `\p{…}` and `\u{…}` hold braces that are no repetition. */
function afterEscape(source: string, at: number): number {
  const braces = /^\\[pPuk](?:\{[^}]*\}|<[^>]*>)/.exec(source.slice(at, at + 200));
  return at + (braces?.[0].length ?? 2);
}

function afterClass(source: string, at: number): number {
  let end = at + 1;
  while (end < source.length && source[end] !== ']') end += source[end] === '\\' ? 2 : 1;
  return end + 1;
}
