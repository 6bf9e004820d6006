import { type ArgumentError, BridgeError } from '#core/errors.ts';
import { CheckQueue } from '#core/mcp/check-queue.ts';
import { CheckError, MAX_CHECK_MS, type ThreadSchema } from '#core/mcp/check-thread.ts';
import { maxSteps } from '#core/mcp/pattern-cost.ts';
import { lenientRegExp } from '#core/mcp/pattern-probe.ts';
import { SchemaRejectedError, type SchemaShape, schemaShape } from '#core/mcp/schema-shape.ts';
import { Validator } from '#core/mcp/validator.ts';

export { loadValidator } from '#core/mcp/validator.ts';

/** Smaller schemas compile in a few ms whatever they say; larger ones are first compiled in the thread, … */
const MAX_BARE_SCHEMA_LENGTH = 8 * 1024;
/** … and stay there where that took longer. */
const MAX_BARE_COMPILE_MS = 25;
/** Work up to this is done at once: a few ms at most. */
const MAX_BARE_VISITS = 200_000;
const MAX_BARE_STEPS = 4_000_000;
/** Arrays whose members are compared with each other are checked at once up to so many values. */
const MAX_BARE_QUADRATIC = 300;
/** Each `\p{…}` costs the engine 0.1 ms when its pattern is used first. */
const MAX_BARE_UNICODE_CLASSES = 100;
/** Of larger values and schemas only the first error is told: the errors might be more than the value, … */
const MAX_EXPLAINED_VALUES = 2_000;
/** … and finding all takes a second validator, compiled in the call that needs it first (about 0.2 ms each). */
const MAX_EXPLAINED_SUBSCHEMAS = 150;
/** When a check that found no thread or no place may be tried again. */
const RETRY_AFTER_MS = 1_000;

/** A pattern or a recursion that is too much for the engine, seen only with this value. */
const INAPPLICABLE = "the tool's schema cannot be applied to this value: send less, or have the schema simplified";

/** One thread for all schemas of the process. */
const sharedQueue = new CheckQueue();
let schemas = 0;

/**
 * A compiled schema. What a check may cost is known before it runs; where that is much, it runs in a thread that can
 * be stopped, and the event loop goes on. To be shared by all that have the same schema.
 */
export class CompiledSchema {
  readonly #shape: SchemaShape;
  readonly #queue: CheckQueue;
  readonly #inThread: ThreadSchema;
  /** How its patterns and references are, whatever the value: a check must not run here. */
  readonly #risky: boolean;
  #validator: Validator | undefined;

  private constructor(shape: SchemaShape, queue: CheckQueue) {
    const { json, dialect, patterns, expanded } = shape;
    schemas += 1;
    this.#shape = shape;
    this.#queue = queue;
    this.#inThread = { id: schemas, json, dialect };
    this.#risky = expanded === Number.POSITIVE_INFINITY || heavy(patterns) || patterns.some(wild);
  }

  /**
   * Compiles a schema and tries its patterns. Where the thread for that cannot be had, the schema is taken as it is:
   * its checks need the thread, too.
   * @throws SchemaRejectedError when it cannot or must not be used
   */
  static async load(schema: unknown, queue: CheckQueue = sharedQueue): Promise<CompiledSchema> {
    const compiled = new CompiledSchema(schemaShape(schema), queue);
    await compiled.#tryPatterns();
    await compiled.#compile();
    return compiled;
  }

  /**
   * What is wrong with a value, at most 20 errors; undefined when it fits. Nothing of the value but the names in the
   * pointers is repeated. A promise where the check runs in the thread.
   * @throws BridgeError schema_rejected (a rejection, too) when checking took longer than 50 ms, or had no thread
   */
  errors(value: unknown): readonly ArgumentError[] | undefined | Promise<readonly ArgumentError[] | undefined> {
    const extent = measure(value, MAX_BARE_VISITS);
    const explain = extent.values <= MAX_EXPLAINED_VALUES && this.#shape.subschemas <= MAX_EXPLAINED_SUBSCHEMAS;
    if (this.#validator === undefined || !this.#mayRunBare(extent)) return this.#errorsInThread(value, explain);
    try {
      return this.#validator.errors(value, explain);
    } catch (error) {
      throw new BridgeError('schema_rejected', INAPPLICABLE, { cause: error });
    }
  }

  async #errorsInThread(value: unknown, explain: boolean): Promise<readonly ArgumentError[] | undefined> {
    try {
      return await this.#queue.check(this.#inThread, value, explain);
    } catch (error) {
      if (!(error instanceof CheckError)) throw error;
      throw new BridgeError('schema_rejected', refusal(error), {
        cause: error,
        ...(error.kind === 'unavailable' && { retryAfterMs: RETRY_AFTER_MS }),
      });
    }
  }

  #mayRunBare({ values, longest }: Extent): boolean {
    const { expanded, quadratic, patterns } = this.#shape;
    if (this.#risky || values * expanded > MAX_BARE_VISITS) return false;
    if (quadratic && values > MAX_BARE_QUADRATIC) return false;
    return patterns.every(({ cost }) => values * maxSteps(cost, longest) <= MAX_BARE_STEPS);
  }

  async #tryPatterns(): Promise<void> {
    const { patterns } = this.#shape;
    const suspects = heavy(patterns) ? patterns : patterns.filter(wild);
    for (const pattern of patterns) {
      try {
        const expression = lenientRegExp(pattern.source, 'u');
        // The engine compiles a pattern when it is first used: too large for that shows now and not in a call.
        if (!suspects.includes(pattern)) expression.test('');
      } catch (error) {
        throw new SchemaRejectedError('one of its patterns is not a regular expression', { cause: error });
      }
    }
    if (suspects.length === 0) return;
    const sources = suspects.map(({ source }) => source);
    await unlessUnavailable(this.#queue.probe(this.#inThread, sources), (error) =>
      error.kind === 'too much'
        ? 'one of its patterns takes exponential time or too much memory'
        : 'one of its patterns is not a regular expression',
    );
  }

  async #compile(): Promise<void> {
    if (this.#inThread.json.length > MAX_BARE_SCHEMA_LENGTH) {
      const tookMs = await unlessUnavailable(this.#queue.compile(this.#inThread), (error) =>
        error.kind === 'too much' ? `compiling it ${error.message}` : error.message,
      );
      if (tookMs === undefined || tookMs > MAX_BARE_COMPILE_MS) return;
    }
    this.#validator = new Validator(this.#shape);
  }
}

/**
 * A check of results against an `outputSchema`, compiled at its first use.
 * @returns what is wrong with a `structuredContent`, in one line, or undefined when it fits or cannot be checked at all
 */
export function outputCheck(
  outputSchema: unknown,
): (structuredContent: unknown) => string | undefined | Promise<string | undefined> {
  let compiled: CompiledSchema | 'unusable' | undefined;
  let loading: Promise<CompiledSchema | 'unusable'> | undefined;
  return (structuredContent) => {
    if (compiled !== undefined) return outputFlaw(compiled, structuredContent);
    loading ??= CompiledSchema.load(outputSchema).catch((error) => {
      if (error instanceof SchemaRejectedError) return 'unusable';
      throw error;
    });
    return loading.then((loaded) => {
      compiled = loaded;
      return outputFlaw(loaded, structuredContent);
    });
  };
}

function outputFlaw(
  schema: CompiledSchema | 'unusable',
  structuredContent: unknown,
): string | undefined | Promise<string | undefined> {
  if (schema === 'unusable') return undefined;
  const errors = schema.errors(structuredContent);
  if (!(errors instanceof Promise)) return firstOf(errors);
  return errors.then(firstOf, (error: unknown) => {
    if (error instanceof BridgeError) return `could not be checked within ${MAX_CHECK_MS} ms`;
    throw error;
  });
}

function firstOf(errors: readonly ArgumentError[] | undefined): string | undefined {
  const first = errors?.[0];
  return first === undefined ? undefined : `${first.pointer || 'the whole value'} ${first.message}`;
}

function refusal({ kind, message }: CheckError): string {
  switch (kind) {
    case 'too much':
      return `checking against the tool's schema ${message}: send less, or have the schema simplified`;
    case 'failed':
      return INAPPLICABLE;
    case 'unavailable':
      return `checking against the tool's schema needs a thread of its own: ${message}`;
  }
}

/** @throws SchemaRejectedError, with a reason made from the error */
async function unlessUnavailable<T>(work: Promise<T>, reason: (error: CheckError) => string): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CheckError)) throw error;
    if (error.kind === 'unavailable') return undefined;
    throw new SchemaRejectedError(reason(error), { cause: error });
  }
}

type Pattern = SchemaShape['patterns'][number];

function wild({ cost }: Pattern): boolean {
  return cost.exponent === Number.POSITIVE_INFINITY;
}

function heavy(patterns: readonly Pattern[]): boolean {
  let classes = 0;
  for (const { source } of patterns) classes += source.match(/\\p/gi)?.length ?? 0;
  return classes > MAX_BARE_UNICODE_CLASSES;
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
