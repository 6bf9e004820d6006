import type { Environment } from '#core/config/environment.ts';
import type { Problems } from '#core/config/problems.ts';

/** A text with its variables put in. */
export interface Expanded {
  readonly text: string;
  /** The values that came from the environment: treated as secrets. */
  readonly values: readonly string[];
}

/**
 * Puts the environment's values in for `${NAME}` and `${NAME:-default}`, as other MCP clients do; `NAME` may come
 * as `NAME_FILE`. Any other use of `$` stays as it is. A variable that is not set is a problem at `where`.
 */
export function expand(text: string, environment: Environment, where: string, problems: Problems): Expanded {
  const values: string[] = [];
  const expanded = text.replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, fallback?: string) => {
      const value = environment.secret(name, problems);
      if (value !== undefined) {
        values.push(value);
        return value;
      }
      if (fallback === undefined)
        problems.add(where, `needs the variable ${name}, which is not set; set ${name} or ${name}_FILE`);
      return fallback ?? '';
    },
  );
  return { text: expanded, values };
}
