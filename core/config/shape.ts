import { expectation, fits, type NumberSetting } from '#core/config/number-setting.ts';
import type { Problems } from '#core/config/problems.ts';
import { nearNames } from '#core/near-names.ts';

/** JSON Schema 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a JSON value must look like: checks one, and says itself as JSON Schema, so that the two cannot differ. */
export interface Shape<T> {
  readonly schema: JsonSchema;
  /** The value, or undefined after adding what is wrong at `where`; no message repeats the value. */
  check(value: unknown, where: string, problems: Problems): T | undefined;
}

/** The type of the values of a shape. */
export type Checked<S> = S extends Shape<infer T> ? T : never;

/** A number as a setting describes it. */
export function numeric(setting: NumberSetting): Shape<number> {
  const { whole, least, most, help } = setting;
  return {
    schema: {
      type: whole ? 'integer' : 'number',
      [whole ? 'minimum' : 'exclusiveMinimum']: least,
      maximum: most,
      default: setting.default,
      description: help,
    },
    check(value, where, problems) {
      if (typeof value === 'number' && fits(setting, value)) return value;
      problems.add(where, expectation(setting));
      return undefined;
    },
  };
}

/** A text without NUL, which no argument, variable or path can hold. */
export function text(description: string, { mayBeEmpty = false } = {}): Shape<string> {
  return {
    schema: { type: 'string', ...(mayBeEmpty ? {} : { minLength: 1 }), description },
    check(value, where, problems) {
      if (typeof value !== 'string') problems.add(where, 'must be a string');
      else if (value.includes('\0')) problems.add(where, 'must not contain a NUL character');
      else if (value === '' && !mayBeEmpty) problems.add(where, 'must not be empty');
      else return value;
      return undefined;
    },
  };
}

/** One of a few words. */
export function choice<const V extends string>(values: readonly V[], byDefault: V, description: string): Shape<V> {
  return {
    schema: { enum: values, default: byDefault, description },
    check(value, where, problems) {
      const word = values.find((known) => known === value);
      if (word === undefined) problems.add(where, `must be ${values.map((known) => `"${known}"`).join(' or ')}`);
      return word;
    },
  };
}

/** `true` or `false`. */
export function flag(byDefault: boolean, description: string): Shape<boolean> {
  return {
    schema: { type: 'boolean', default: byDefault, description },
    check(value, where, problems) {
      if (typeof value === 'boolean') return value;
      problems.add(where, 'must be true or false');
      return undefined;
    },
  };
}

/** A list of values of one shape. */
export function list<T>(of: Shape<T>, description: string): Shape<readonly T[]> {
  return {
    schema: { type: 'array', items: of.schema, description },
    check(value, where, problems) {
      if (!Array.isArray(value)) {
        problems.add(where, 'must be a list');
        return undefined;
      }
      const checked = value.map((element, i) => of.check(element, `${where}.${i}`, problems));
      return checked.every((element) => element !== undefined) ? checked : undefined;
    },
  };
}

/** An object whose members an operator names, each of one shape. `refused` says why a name cannot be one. */
export function named<T>(
  of: Shape<T>,
  names: { readonly pattern: RegExp; readonly refused: string },
  description: string,
): Shape<Readonly<Record<string, T>>> {
  return {
    schema: {
      type: 'object',
      propertyNames: { pattern: names.pattern.source },
      additionalProperties: of.schema,
      description,
    },
    check(value, where, problems) {
      if (!isObject(value)) {
        problems.add(where, 'must be an object');
        return undefined;
      }
      const checked: [string, T][] = [];
      for (const [name, member] of Object.entries(value)) {
        if (!names.pattern.test(name)) problems.add(`${where}.${name}`, names.refused);
        const good = of.check(member, `${where}.${name}`, problems);
        if (good !== undefined) checked.push([name, good]);
      }
      return Object.fromEntries(checked);
    },
  };
}

/** An object with known members, all of them optional; any other is a mistake. */
export function members<const S extends Readonly<Record<string, Shape<unknown>>>>(
  shapes: S,
  description: string,
): Shape<{ readonly [K in keyof S]?: Checked<S[K]> }> {
  return {
    schema: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shape.schema])),
      description,
    },
    check(value, where, problems) {
      if (!isObject(value)) {
        problems.add(where, 'must be an object');
        return undefined;
      }
      const checked: [string, unknown][] = [];
      for (const [name, member] of Object.entries(value)) {
        const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
        if (shape === undefined) {
          problems.add(`${where}.${name}`, `is not known${didYouMean(name, Object.keys(shapes))}; remove it`);
          continue;
        }
        const good = shape.check(member, `${where}.${name}`, problems);
        if (good !== undefined) checked.push([name, good]);
      }
      return Object.fromEntries(checked) as { readonly [K in keyof S]?: Checked<S[K]> };
    },
  };
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `; did you mean max?` where a known name is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const [near] = nearNames(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
