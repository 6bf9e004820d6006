import { readFileSync } from 'node:fs';

/** Every problem of a server's environment at once; `serve` prints them and exits with 78. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** One variable: how its text becomes a value, and what to say when it is missing. */
export interface Variable<T> {
  readonly help: string;
  readonly required: boolean;
  readonly fallback: T;
  /** @throws Error whose message says what the text should be, without repeating it. */
  parse(text: string): T;
}

/** A text that must be there. */
export function requiredText(help: string): Variable<string> {
  return { help, required: true, fallback: '', parse: (text) => text };
}

/** A text that may be absent. */
export function optionalText(help: string): Variable<string | undefined> {
  return { help, required: false, fallback: undefined, parse: (text) => text };
}

/** A whole number within bounds. */
export function integer(
  help: string,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): Variable<number> {
  return {
    help,
    required: false,
    fallback,
    parse: (text) => {
      const value = Number(text);
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value) || value < min || value > max) {
        throw new Error(`must be a whole number from ${min} to ${max}`);
      }
      return value;
    },
  };
}

/** `true` or `false`, also as 1 or 0. */
export function flag(help: string, fallback: boolean): Variable<boolean> {
  return {
    help,
    required: false,
    fallback,
    parse: (text) => {
      if (text === 'true' || text === '1') return true;
      if (text === 'false' || text === '0') return false;
      throw new Error('must be true or false');
    },
  };
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * Where a service is spoken to, without a slash at the end: `fallback` is the real one, another is a stand-in. It must be
 * https, or http on this very machine, so that no secret travels in the clear.
 */
export function serviceUrl(help: string, fallback: string): Variable<string> {
  return {
    help,
    required: false,
    fallback,
    parse: (text) => {
      const url = URL.parse(text);
      const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
      if (url === null || !safe || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
        throw new Error('must be an https address, or http on 127.0.0.1, without credentials and query');
      }
      return url.href.replace(/\/+$/, '');
    },
  };
}

type Values<T> = { readonly [K in keyof T]: T[K] extends Variable<infer V> ? V : never };

function textOf(name: string, source: NodeJS.ProcessEnv): string | undefined {
  const own = source[name];
  if (own !== undefined && own !== '') return own;
  const file = source[`${name}_FILE`];
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Error(`cannot read the file named by ${name}_FILE (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
}

/**
 * Reads a server's variables. `X` may come as `X_FILE`, a path (Docker secrets); an empty variable counts
 * as unset. Messages name variables and never repeat a value.
 * @throws EnvironmentError with every problem
 */
export function readEnvironment<const T extends Readonly<Record<string, Variable<unknown>>>>(
  variables: T,
  source: NodeJS.ProcessEnv = process.env,
): Values<T> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, variable] of Object.entries(variables)) {
    try {
      const text = textOf(name, source);
      if (text !== undefined && text !== '') values[name] = variable.parse(text);
      else if (variable.required)
        problems.push(`${name} is missing: ${variable.help}. Set it, or ${name}_FILE to a path`);
      else values[name] = variable.fallback;
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new EnvironmentError(problems);
  return values as Values<T>;
}
