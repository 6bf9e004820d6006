import type { Problems } from '#core/config/problems.ts';
import type { BridgeManifest } from '#core/manifest.ts';

/**
 * What a bridge lacks, given the variables that are set. Of several ways to sign in the one that was begun is told, and
 * all of them where none was: `A (or B, C)`. Two complete ones are a problem, since nobody can say which one is meant.
 */
export function missingVariables(
  { name, environment, signIn = [] }: Pick<BridgeManifest, 'name' | 'environment' | 'signIn'>,
  set: Readonly<Record<string, string>>,
  problems: Problems,
): readonly string[] {
  const isSet = (variable: string): boolean => Object.hasOwn(set, variable);
  const missing = environment.filter((variable) => variable.required && !isSet(variable.name)).map((it) => it.name);
  const complete = signIn.filter((way) => way.every(isSet));
  if (complete.length > 1) {
    problems.add(name, `has ${complete.map((way) => way.join(', ')).join(' as well as ')}; unset all but one way`);
  }
  if (signIn.length === 0 || complete.length > 0) return missing;
  const begun = signIn.find((way) => way.some(isSet));
  if (begun !== undefined) return [...missing, ...begun.filter((variable) => !isSet(variable))];
  const [first = '', ...others] = signIn.map((way) => way.join(', '));
  return [...missing, others.length === 0 ? first : `${first} (or ${others.join('; or ')})`];
}
