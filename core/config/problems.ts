/** One mistake: where it is (`fleet.config.json mcpServers.echo.pool.max`, `POOL_MAX`, `--port`) and what to do. */
export interface Problem {
  readonly where: string;
  /** Never a value that could be a secret; numbers and names only. */
  readonly what: string;
}

/** Collects every mistake of a configuration, so that all can be told at once. A repeated one is kept once. */
export class Problems {
  readonly #problems = new Map<string, Problem>();
  readonly #warnings = new Map<string, Problem>();

  /** A mistake: nothing may be started. */
  add(where: string, what: string): void {
    this.#problems.set(problemLine({ where, what }), { where, what });
  }

  /** Something that is not in force or probably not meant; the process starts all the same. */
  warn(where: string, what: string): void {
    this.#warnings.set(problemLine({ where, what }), { where, what });
  }

  /** Whether a mistake was found at this very place already. */
  has(where: string): boolean {
    return this.list.some((problem) => problem.where === where);
  }

  get list(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  get warnings(): readonly Problem[] {
    return [...this.#warnings.values()];
  }
}

/** The configuration cannot be used; `problems` has every mistake, at least one. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemLine).join('\n'));
    this.problems = problems;
  }
}

/** A problem on one line; control characters of names that came from outside are shown escaped. */
export function problemLine({ where, what }: Problem): string {
  return escapeControls(`${where}: ${what}`);
}

function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
