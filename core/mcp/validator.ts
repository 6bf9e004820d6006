import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, Options, ValidateFunction } from 'ajv';
import type { ArgumentError } from '#core/errors.ts';
import { lenientRegExp } from '#core/mcp/pattern-probe.ts';
import { SchemaRejectedError, type SchemaShape } from '#core/mcp/schema-shape.ts';

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

/** Loads ajv ahead of its first use (about 50 ms, 12 MB), e.g. while a child starts. Idempotent. */
export function loadValidator(): void {
  ajv('2020-12', 'first error');
}

/** The reduced schema of a `SchemaShape`, compiled. Knows nothing of time: who calls it must know that it may. */
export class Validator {
  readonly #shape: Pick<SchemaShape, 'schema' | 'dialect'>;
  readonly #check: ValidateFunction;
  /** Compiled when first needed: most callers are right. */
  #explain: ValidateFunction | undefined;

  /** @throws SchemaRejectedError when it cannot be compiled */
  constructor(shape: Pick<SchemaShape, 'schema' | 'dialect'>) {
    this.#shape = shape;
    this.#check = compile(shape, 'first error');
  }

  /**
   * What is wrong with a value; undefined when it fits. Nothing of the value but the names in the pointers is repeated.
   * @param explain all errors, at most 20, instead of the first
   */
  errors(value: unknown, explain: boolean): readonly ArgumentError[] | undefined {
    try {
      if (this.#check(value)) return undefined;
      if (!explain) return presentable(this.#check.errors);
      this.#explain ??= compile(this.#shape, 'all errors');
      this.#explain(value);
      return presentable(this.#explain.errors ?? this.#check.errors);
    } finally {
      // ajv leaves the last errors at the function: not to be kept, they hold parts of the value.
      this.#check.errors = null;
      if (this.#explain) this.#explain.errors = null;
    }
  }
}

function compile({ schema, dialect }: Pick<SchemaShape, 'schema' | 'dialect'>, mode: Mode): ValidateFunction {
  const instance = ajv(dialect, mode);
  try {
    return instance.compile(schema);
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, MAX_MESSAGE_LENGTH) : 'unknown';
    throw new SchemaRejectedError(`it cannot be compiled: ${reason}`, { cause: error });
  } finally {
    // What is compiled lives in the function; the instance would keep every schema it has ever seen.
    if (typeof schema === 'object') instance.removeSchema(schema);
  }
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
