import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, Options, ValidateFunction } from 'ajv';
import { type ArgumentError, BridgeError } from '#core/errors.ts';
import { maxSteps } from '#core/mcp/pattern-cost.ts';
import { SchemaRejectedError, type SchemaShape, schemaShape } from '#core/mcp/schema-shape.ts';
import { runWithin, TimeGuardError } from '#core/mcp/time-guard.ts';

/** No value is checked for longer. */
const MAX_CHECK_MS = 50;
/** Nor a schema compiled; it happens once, when the child lists its tools. */
const MAX_COMPILE_MS = 500;
/** A bad pattern would take for ever; a good one is done at once, also on a machine that has other things to do. */
const MAX_PROBE_MS = 200;
/** Smaller schemas compile in a few ms whatever they say. */
const MAX_BARE_SCHEMA_BYTES = 8 * 1024;
/** Work up to this is done without the clock: a few ms at most. */
const MAX_BARE_VISITS = 200_000;
const MAX_BARE_STEPS = 4_000_000;
/** Arrays whose members are compared with each other are checked without the clock up to so many values. */
const MAX_BARE_QUADRATIC = 300;
/** Of larger values and schemas only the first error is told: the errors might be more than the value, … */
const MAX_EXPLAINED_VALUES = 2_000;
/** … and finding all takes a second validator, compiled in the call that needs it first (about 0.2 ms each). */
const MAX_EXPLAINED_SUBSCHEMAS = 150;
const MAX_ERRORS = 20;
const MAX_POINTER_LENGTH = 200;
const MAX_MESSAGE_LENGTH = 300;

type Mode = 'first error' | 'all errors';

const OPTIONS = {
  // A child's schema is not ours to mend: unknown keywords and formats are annotations.
  strict: false,
  validateFormats: false,
  // Keywords are checked as they are compiled; the meta-schemas would cost 30 ms and 3 MB for little more.
  validateSchema: false,
  meta: false,
  // A required `toString` is not met by every object there is.
  ownProperties: true,
  // With inlining, a hundred references to a large definition would be a hundred copies of its code.
  inlineRefs: false,
  logger: false,
  code: { optimize: false, regExp: Object.assign(lenientRegExp, { code: 'lenientRegExp' }) },
} as const satisfies Options;

const require = createRequire(import.meta.url);
const instances = new Map<string, Ajv>();

/** Loads the validator ahead of its first use (about 50 ms, 12 MB), e.g. while a child starts. Idempotent. */
export function loadValidator(): void {
  ajv('2020-12', 'first error');
}

/**
 * A compiled schema. What a check may cost is known before it runs; where that is much, a clock stops it.
 * Immutable, to be shared by all that have the same schema.
 */
export class CompiledSchema {
  readonly #shape: SchemaShape;
  readonly #check: ValidateFunction;
  /** Compiled when first needed: most callers are right. */
  #explain: ValidateFunction | undefined;

  /** @throws SchemaRejectedError when it cannot or must not be used */
  constructor(schema: unknown) {
    this.#shape = schemaShape(schema);
    for (const { source, cost } of this.#shape.patterns) probe(source, cost.exponent === Number.POSITIVE_INFINITY);
    this.#check = compile(this.#shape, 'first error');
  }

  /**
   * What is wrong with a value, at most 20 errors; undefined when it fits. Nothing of the value but the names in the
   * pointers is repeated.
   * @throws BridgeError schema_rejected when checking took longer than 50 ms
   */
  errors(value: unknown): readonly ArgumentError[] | undefined {
    const extent = measure(value, MAX_BARE_VISITS);
    const run = this.#mayRunBare(extent)
      ? <T>(work: () => T): T => work()
      : <T>(work: () => T): T => runWithin(MAX_CHECK_MS, work);
    try {
      if (run(() => this.#check(value))) return undefined;
      if (extent.values > MAX_EXPLAINED_VALUES || this.#shape.subschemas > MAX_EXPLAINED_SUBSCHEMAS) {
        return presentable(this.#check.errors);
      }
      this.#explain ??= compile(this.#shape, 'all errors');
      const explain = this.#explain;
      run(() => explain(value));
      return presentable(explain.errors ?? this.#check.errors);
    } catch (error) {
      if (!(error instanceof TimeGuardError)) throw error;
      throw new BridgeError(
        'schema_rejected',
        `checking against the tool's schema took longer than ${MAX_CHECK_MS} ms: send less, or have the schema simplified`,
        { cause: error },
      );
    } finally {
      // ajv leaves the last errors at the function: not to be kept, they hold parts of the value.
      this.#check.errors = null;
      if (this.#explain) this.#explain.errors = null;
    }
  }

  #mayRunBare({ values, longest }: Extent): boolean {
    const { expanded, quadratic, patterns } = this.#shape;
    if (values * expanded > MAX_BARE_VISITS) return false;
    if (quadratic && values > MAX_BARE_QUADRATIC) return false;
    return patterns.every(({ cost }) => values * maxSteps(cost, longest) <= MAX_BARE_STEPS);
  }
}

/**
 * A check of results against an `outputSchema`, compiled at its first use.
 * @returns what is wrong with a `structuredContent`, in one line, or undefined when it fits or cannot be checked
 */
export function outputCheck(outputSchema: unknown): (structuredContent: unknown) => string | undefined {
  let compiled: CompiledSchema | 'unusable' | undefined;
  return (structuredContent) => {
    try {
      compiled ??= new CompiledSchema(outputSchema);
    } catch (error) {
      if (!(error instanceof SchemaRejectedError)) throw error;
      compiled = 'unusable';
    }
    if (compiled === 'unusable') return undefined;
    try {
      const first = compiled.errors(structuredContent)?.[0];
      return first === undefined ? undefined : `${first.pointer || 'the whole value'} ${first.message}`;
    } catch (error) {
      if (error instanceof BridgeError) return `could not be checked within ${MAX_CHECK_MS} ms`;
      throw error;
    }
  };
}

function ajv(dialect: SchemaShape['dialect'], mode: Mode): Ajv {
  const key = `${dialect} ${mode}`;
  let instance = instances.get(key);
  if (instance === undefined) {
    const options: Options = { ...OPTIONS, allErrors: mode === 'all errors' };
    // Required, not imported: loaded when the first schema comes, and at once.
    if (dialect === 'draft-07') {
      const { Ajv: Draft07 } = require('ajv') as typeof import('ajv');
      instance = new Draft07(options);
    } else {
      const { Ajv2020 } = require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js');
      instance = new Ajv2020(options) as Ajv;
    }
    instances.set(key, instance);
  }
  return instance;
}

function compile({ schema, dialect, bytes }: SchemaShape, mode: Mode): ValidateFunction {
  const instance = ajv(dialect, mode);
  try {
    if (bytes <= MAX_BARE_SCHEMA_BYTES) return instance.compile(schema);
    return runWithin(MAX_COMPILE_MS, () => {
      const check = instance.compile(schema);
      // The engine compiles a function when it is first called: too large for that shows now and not in a call.
      check({});
      return check;
    });
  } catch (error) {
    if (error instanceof TimeGuardError) {
      throw new SchemaRejectedError(`compiling it took longer than ${MAX_COMPILE_MS} ms`, { cause: error });
    }
    const reason = error instanceof Error ? error.message.slice(0, MAX_MESSAGE_LENGTH) : 'unknown';
    throw new SchemaRejectedError(`it cannot be compiled: ${reason}`, { cause: error });
  } finally {
    // What is compiled lives in the function; the instance would keep every schema it has ever seen.
    if (typeof schema === 'object') instance.removeSchema(schema);
  }
}

/** Schemas are written for engines without the `u` flag, too: `[\w-.]` is an error with it. */
function lenientRegExp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    if (!flags.includes('u')) throw error;
    return new RegExp(source, flags.replace('u', ''));
  }
}

/** Tries a pattern on what makes bad ones explode: a long run of something it repeats, and then a mismatch. */
function probe(source: string, wild: boolean): void {
  let pattern: RegExp;
  try {
    pattern = lenientRegExp(source, 'u');
  } catch (error) {
    throw new SchemaRejectedError('one of its patterns is not a regular expression', { cause: error });
  }
  const attempts = wild ? adversaries(source) : [''];
  try {
    runWithin(MAX_PROBE_MS, () => {
      for (const attempt of attempts) pattern.test(attempt);
    });
  } catch (error) {
    throw new SchemaRejectedError('one of its patterns takes exponential time or too much memory', { cause: error });
  }
}

function adversaries(source: string): string[] {
  const literals = source.replace(/\\./g, '').match(/[\p{L}\p{N} .,:;@/_-]/gu) ?? [];
  const units = [...new Set(['a', 'A', '0', ' ', '-', 'a.', 'a-', ...literals.slice(0, 20)])];
  return units.flatMap((unit) => [`${unit.repeat(32)}\u0000`, `${unit.repeat(32)}!`]);
}

interface Extent {
  /** Values in it, itself and every level counted; stops counting at a limit. */
  readonly values: number;
  /** Characters of its longest string or member name. */
  readonly longest: number;
}

function measure(value: unknown, limit: number): Extent {
  let values = 0;
  let longest = 0;
  const rest: unknown[] = [value];
  while (rest.length > 0 && values <= limit) {
    const next = rest.pop();
    values += 1;
    if (typeof next === 'string') longest = Math.max(longest, next.length);
    else if (Array.isArray(next)) for (const member of next) rest.push(member);
    else if (typeof next === 'object' && next !== null) {
      for (const name in next) {
        longest = Math.max(longest, name.length);
        rest.push((next as Record<string, unknown>)[name]);
      }
    }
  }
  return { values: values + rest.length, longest };
}

function presentable(errors: ErrorObject[] | null | undefined): readonly ArgumentError[] {
  const seen = new Map<string, ArgumentError>();
  for (const { instancePath, keyword, message = 'is not valid' } of errors ?? []) {
    if (seen.size >= MAX_ERRORS) break;
    const error = {
      pointer: instancePath.slice(0, MAX_POINTER_LENGTH),
      keyword,
      message: message.slice(0, MAX_MESSAGE_LENGTH),
    };
    seen.set(JSON.stringify(error), error);
  }
  return [...seen.values()];
}
