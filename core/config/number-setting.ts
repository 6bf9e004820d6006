import type { Environment } from '#core/config/environment.ts';
import type { Problems } from '#core/config/problems.ts';

/** A number an operator may set: its default and the range that makes sense. */
export interface NumberSetting {
  readonly default: number;
  /** Smallest and largest value taken; both inclusive unless `exclusive`. */
  readonly least: number;
  readonly most: number;
  /** False: fractions are taken too, and `least` itself is not. */
  readonly whole: boolean;
  /** For the JSON Schema of the config file. */
  readonly help: string;
}

/** What a value must be, for messages: `must be a whole number from 1 to 65535`. */
export function expectation({ whole, least, most }: NumberSetting): string {
  return whole
    ? `must be a whole number from ${least} to ${most}`
    : `must be a number above ${least} and up to ${most}`;
}

/** Whether a number is one this setting takes. */
export function fits({ whole, least, most }: NumberSetting, value: number): boolean {
  return whole ? Number.isSafeInteger(value) && value >= least && value <= most : value > least && value <= most;
}

/** The number in a variable or flag; undefined when it is not one this setting takes. */
export function parseNumber(setting: NumberSetting, text: string): number | undefined {
  if (!(setting.whole ? /^\d{1,15}$/ : /^\d{0,15}(\.\d{1,15})?$/).test(text) || text === '') return undefined;
  const value = Number(text);
  return fits(setting, value) ? value : undefined;
}

/** The setting from a flag, else from a variable, else its default, which also stands in for a wrong one. */
export function numberFrom(
  setting: NumberSetting,
  environment: Environment,
  variable: string,
  problems: Problems,
  flag?: string | undefined,
  flagName = '',
): number {
  const text = flag ?? environment.get(variable);
  if (text === undefined) return setting.default;
  const value = parseNumber(setting, text);
  if (value === undefined) problems.add(flag === undefined ? variable : flagName, expectation(setting));
  return value ?? setting.default;
}
