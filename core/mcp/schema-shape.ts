import { type PatternCost, patternCost } from '#core/mcp/pattern-cost.ts';

/** Bounds of a schema that a child may give us. */
const MAX_SCHEMA_BYTES = 256 * 1024;
const MAX_DEPTH = 64;
const MAX_SUBSCHEMAS = 1_000;
const MAX_PATTERNS = 200;
const MAX_PATTERN_LENGTH = 2_000;
const MAX_PATTERN_SIZE = 50_000;
/** Subschemas counted once per way to reach them: beyond it, references multiply like a zip bomb. */
const MAX_EXPANDED = 1_000_000;

/** A schema that is not used; `message` says why, and holds nothing of it but keywords. */
export class SchemaRejectedError extends Error {
  override readonly name = 'SchemaRejectedError';
}

/** A child's schema, reduced to what JSON Schema defines, and what checking a value against it may cost. */
export interface SchemaShape {
  /** A copy that holds known keywords only. */
  readonly schema: Record<string, unknown> | boolean;
  /** Draft 7 and older name other keywords. */
  readonly dialect: 'draft-07' | '2020-12';
  /** `schema` as JSON. */
  readonly json: string;
  readonly subschemas: number;
  /** Subschemas a value may be held against, references followed; `Infinity` where they go in circles. */
  readonly expanded: number;
  /** Compares the members of an array with each other. */
  readonly quadratic: boolean;
  readonly patterns: readonly { readonly source: string; readonly cost: PatternCost }[];
}

type Schema = Record<string, unknown>;

/** How each keyword holds subschemas; `value` holds none. Others are dropped, ajv's own extensions with them. */
const KEYWORDS: Readonly<Record<string, 'schema' | 'list' | 'map' | 'schema or list' | 'map or names' | 'value'>> = {
  additionalItems: 'schema',
  additionalProperties: 'schema',
  contains: 'schema',
  else: 'schema',
  if: 'schema',
  not: 'schema',
  propertyNames: 'schema',
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: 'schema',
  unevaluatedItems: 'schema',
  unevaluatedProperties: 'schema',
  items: 'schema or list',
  allOf: 'list',
  anyOf: 'list',
  oneOf: 'list',
  prefixItems: 'list',
  $defs: 'map',
  definitions: 'map',
  dependentSchemas: 'map',
  patternProperties: 'map',
  properties: 'map',
  dependencies: 'map or names',
  $anchor: 'value',
  $dynamicAnchor: 'value',
  $dynamicRef: 'value',
  $ref: 'value',
  const: 'value',
  dependentRequired: 'value',
  enum: 'value',
  exclusiveMaximum: 'value',
  exclusiveMinimum: 'value',
  maxContains: 'value',
  maxItems: 'value',
  maxLength: 'value',
  maxProperties: 'value',
  maximum: 'value',
  minContains: 'value',
  minItems: 'value',
  minLength: 'value',
  minProperties: 'value',
  minimum: 'value',
  multipleOf: 'value',
  nullable: 'value',
  pattern: 'value',
  required: 'value',
  type: 'value',
  uniqueItems: 'value',
};

/** Keywords that hold subschemas nobody is held against unless a `$ref` leads there. */
const DEFINITIONS: ReadonlySet<string> = new Set(['$defs', 'definitions']);

const SCALARS: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null']);

/**
 * Looks over a schema before anything is compiled from it.
 * @throws SchemaRejectedError beyond the bounds, or where it refers to another document
 */
export function schemaShape(schema: unknown): SchemaShape {
  if (!isObject(schema)) throw new SchemaRejectedError('it is not an object');
  let text: string;
  try {
    text = JSON.stringify(schema);
  } catch {
    throw new SchemaRejectedError(`it is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) {
    throw new SchemaRejectedError(`it is larger than ${MAX_SCHEMA_BYTES} bytes`);
  }
  const shape = new ShapeReader(schema).read();
  return { json: JSON.stringify(shape.schema), ...shape };
}

class ShapeReader {
  readonly #root: Schema;
  /** By JSON Pointer into the copy. */
  readonly #byPointer = new Map<string, Schema>();
  /** Subschemas that apply to a value wherever their parent does. */
  readonly #applied = new Map<Schema, Schema[]>();
  readonly #patterns = new Map<string, PatternCost>();
  #quadratic = false;
  #dynamic = false;

  constructor(root: Schema) {
    this.#root = root;
  }

  read(): Omit<SchemaShape, 'json'> {
    const schema = this.#copy(this.#root, '', 1);
    const dialect = /draft-0[3-7]/.test(String(this.#root.$schema ?? '')) ? 'draft-07' : '2020-12';
    const expanded = this.#dynamic ? Number.POSITIVE_INFINITY : this.#expand(schema as Schema, new Map());
    if (expanded !== Number.POSITIVE_INFINITY && expanded > MAX_EXPANDED) {
      throw new SchemaRejectedError(`its references expand to more than ${MAX_EXPANDED} subschemas`);
    }
    const patterns = [...this.#patterns].map(([source, cost]) => ({ source, cost }));
    const subschemas = this.#byPointer.size;
    return { schema, dialect, subschemas, expanded, quadratic: this.#quadratic, patterns };
  }

  #copy(source: unknown, pointer: string, depth: number): Schema | boolean {
    if (typeof source === 'boolean') return source;
    if (!isObject(source)) throw new SchemaRejectedError('one of its subschemas is neither an object nor a boolean');
    if (depth > MAX_DEPTH) throw new SchemaRejectedError(`it is nested deeper than ${MAX_DEPTH} levels`);
    if (this.#byPointer.size >= MAX_SUBSCHEMAS) {
      throw new SchemaRejectedError(`it has more than ${MAX_SUBSCHEMAS} subschemas`);
    }
    const copy: Schema = {};
    const applied: Schema[] = [];
    this.#byPointer.set(pointer, copy);
    this.#applied.set(copy, applied);
    this.#look(source, depth);
    const sub = (value: unknown, path: string, keyword: string): Schema | boolean => {
      const subschema = this.#copy(value, `${pointer}/${path}`, depth + 1);
      if (isObject(subschema) && !DEFINITIONS.has(keyword)) applied.push(subschema);
      return subschema;
    };
    for (const [keyword, value] of Object.entries(source)) {
      const kind = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
      if (kind === undefined) continue;
      if (kind === 'value') {
        // OpenAPI's `nullable` means nothing without a type, and ajv refuses it there.
        if (keyword !== 'nullable' || source.type !== undefined) copy[keyword] = value;
      } else if (kind === 'schema' || (kind === 'schema or list' && !Array.isArray(value))) {
        copy[keyword] = sub(value, keyword, keyword);
      } else if (kind === 'list' || kind === 'schema or list') {
        if (!Array.isArray(value)) throw new SchemaRejectedError(`its keyword ${keyword} is not an array`);
        copy[keyword] = value.map((entry, n) => sub(entry, `${keyword}/${n}`, keyword));
      } else {
        if (!isObject(value)) throw new SchemaRejectedError(`its keyword ${keyword} is not an object`);
        if (keyword === 'patternProperties') for (const pattern of Object.keys(value)) this.#pattern(pattern);
        const entries = Object.entries(value).map(([name, entry]) => {
          if (kind === 'map or names' && Array.isArray(entry)) return [name, entry];
          return [name, sub(entry, `${keyword}/${escapePointer(name)}`, keyword)];
        });
        copy[keyword] = Object.fromEntries(entries);
      }
    }
    return copy;
  }

  #look(source: Schema, depth: number): void {
    if (depth > 1 && source.$id !== undefined)
      throw new SchemaRejectedError('it embeds a schema with an $id of its own');
    for (const keyword of ['$ref', '$dynamicRef'] as const) {
      const target = source[keyword];
      if (target === undefined) continue;
      if (typeof target !== 'string' || !target.startsWith('#')) {
        throw new SchemaRejectedError(`its ${keyword} leads to another document, which is never fetched`);
      }
      if (keyword === '$dynamicRef' || !/^#(\/|$)/.test(target)) this.#dynamic = true;
    }
    if (typeof source.pattern === 'string') this.#pattern(source.pattern);
    if (source.uniqueItems === true) {
      const type = isObject(source.items) ? source.items.type : undefined;
      const scalars = Array.isArray(type) ? type.every((one) => SCALARS.has(one)) : SCALARS.has(type);
      if (!scalars) this.#quadratic = true;
    }
  }

  #pattern(source: string): void {
    if (source.length > MAX_PATTERN_LENGTH) {
      throw new SchemaRejectedError(`one of its patterns is longer than ${MAX_PATTERN_LENGTH} characters`);
    }
    if (this.#patterns.size >= MAX_PATTERNS) throw new SchemaRejectedError(`it has more than ${MAX_PATTERNS} patterns`);
    const cost = patternCost(source);
    if (cost.size > MAX_PATTERN_SIZE) {
      throw new SchemaRejectedError(`one of its patterns repeats to more than ${MAX_PATTERN_SIZE} characters`);
    }
    this.#patterns.set(source, cost);
  }

  /** How many subschemas a value meets from here on, each counted as often as ways lead to it. */
  #expand(schema: Schema, known: Map<Schema, number | 'open'>): number {
    const before = known.get(schema);
    if (before === 'open') return Number.POSITIVE_INFINITY;
    if (before !== undefined) return before;
    known.set(schema, 'open');
    let sum = 1;
    for (const applied of this.#applied.get(schema) ?? []) sum += this.#expand(applied, known);
    if (typeof schema.$ref === 'string') {
      const target = this.#byPointer.get(decodeFragment(schema.$ref));
      // Not among the subschemas: ajv decides whether it leads anywhere, the thread's time whether it is too much.
      sum += target === undefined ? Number.POSITIVE_INFINITY : this.#expand(target, known);
    }
    known.set(schema, sum);
    return sum;
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function decodeFragment(ref: string): string {
  try {
    return decodeURIComponent(ref.slice(1));
  } catch {
    return ref.slice(1);
  }
}
