import { describe, expect, it } from 'vitest';
import { BridgeError } from '#core/errors.ts';
import { CompiledSchema, outputCheck } from '#core/mcp/schema.ts';
import { SchemaRejectedError } from '#core/mcp/schema-shape.ts';

const DRAFT_07 = 'http://json-schema.org/draft-07/schema#';

function errorsOf(schema: unknown, value: unknown) {
  return new CompiledSchema(schema).errors(value);
}

function keywordsOf(schema: unknown, value: unknown): string[] | undefined {
  return errorsOf(schema, value)?.map((error) => error.keyword);
}

/** The reason for which a schema is refused, undefined when it is taken. */
function rejection(schema: unknown): string | undefined {
  try {
    new CompiledSchema(schema);
  } catch (error) {
    expect(error).toBeInstanceOf(SchemaRejectedError);
    return (error as Error).message;
  }
  return undefined;
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(BridgeError);
    expect((error as BridgeError).executed).toBe('no');
    return (error as BridgeError).code;
  }
  return 'none';
}

describe('arguments against a schema', () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 2, pattern: '^[a-z]+$' },
      count: { type: 'integer', maximum: 5 },
      kind: { enum: ['red', 'green'] },
      fixed: { const: 'the-constant' },
      nested: { type: 'object', properties: { 'a/b~c': { type: 'string' } } },
    },
    required: ['name'],
    additionalProperties: false,
  };

  it('fit: no errors', () => {
    expect(errorsOf(schema, { name: 'ab', count: 5, kind: 'red' })).toBeUndefined();
  });

  it('do not fit: all errors are told at once, with pointer, keyword and message', () => {
    const errors = errorsOf(schema, { count: 'x', kind: 'blue', extra: 1, nested: { 'a/b~c': 1 } });
    expect(errors).toEqual(
      expect.arrayContaining([
        { pointer: '', keyword: 'required', message: "must have required property 'name'" },
        { pointer: '', keyword: 'additionalProperties', message: 'must NOT have additional properties' },
        { pointer: '/count', keyword: 'type', message: 'must be integer' },
        { pointer: '/kind', keyword: 'enum', message: 'must be equal to one of the allowed values' },
        { pointer: '/nested/a~1b~0c', keyword: 'type', message: 'must be string' },
      ]),
    );
    expect(errors).toHaveLength(5);
  });

  it('do not fit: no value is repeated in the errors', () => {
    const secret = 'hunter2-hunter2';
    const errors = errorsOf(schema, { name: secret, count: secret, kind: secret, fixed: secret, [secret]: 1 });
    expect(errors?.length).toBeGreaterThan(3);
    expect(JSON.stringify(errors)).not.toContain(secret);
    expect(JSON.stringify(errors)).not.toContain('the-constant');
  });

  it('do not fit many times: at most 20 errors', () => {
    const list = { type: 'object', properties: { list: { type: 'array', items: { type: 'integer' } } } };
    expect(errorsOf(list, { list: Array(100).fill('x') })).toHaveLength(20);
    // Of a very large value only the first is looked for.
    expect(errorsOf(list, { list: Array(100_000).fill('x') })).toEqual([
      { pointer: '/list/0', keyword: 'type', message: 'must be integer' },
    ]);
  });

  it('with a member name of any length: pointer and message stay short', () => {
    const map = { type: 'object', additionalProperties: { type: 'integer' } };
    const [error] = errorsOf(map, { ['k'.repeat(100_000)]: 'x' }) ?? [];
    expect(error?.pointer.length).toBeLessThanOrEqual(200);
  });

  it('are the same object after the check: nothing is coerced, defaulted or kept', () => {
    const args = { name: 'ab', count: 1 };
    errorsOf({ ...schema, properties: { ...schema.properties, more: { default: 1 } } }, args);
    expect(args).toEqual({ name: 'ab', count: 1 });
  });
});

describe('dialects and laxness', () => {
  it('2020-12 keywords are understood by default', () => {
    const tuple = { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'number' } };
    expect(keywordsOf(tuple, ['a', 1])).toBeUndefined();
    expect(keywordsOf(tuple, ['a', 'b'])).toEqual(['type']);
  });

  it('draft-07 keywords are understood where $schema says so', () => {
    const tuple = { $schema: DRAFT_07, type: 'array', items: [{ type: 'string' }], additionalItems: false };
    expect(keywordsOf(tuple, ['a'])).toBeUndefined();
    expect(keywordsOf(tuple, ['a', 'b'])).toEqual(['additionalItems']);
  });

  it.each(['$defs', 'definitions'])('references into %s are followed, in both dialects', (container) => {
    for (const $schema of [DRAFT_07, 'https://json-schema.org/draft/2020-12/schema']) {
      const schema = {
        $schema,
        properties: { a: { $ref: `#/${container}/x` } },
        [container]: { x: { type: 'string' } },
      };
      expect(keywordsOf(schema, { a: 'x' })).toBeUndefined();
      expect(keywordsOf(schema, { a: 1 })).toEqual(['type']);
    }
  });

  it('unknown keywords, formats, examples and an $id do not matter', () => {
    const schema = {
      $id: 'urn:some-tool',
      id: 'old style',
      type: 'object',
      properties: {
        at: { type: 'string', format: 'date-time', nullable: true, 'x-order': 1, examples: [{ $ref: 'x' }] },
      },
      discriminator: { propertyName: 'at' },
    };
    expect(keywordsOf(schema, { at: 'not a date' })).toBeUndefined();
    expect(keywordsOf(schema, { at: null })).toBeUndefined();
    expect(keywordsOf(schema, { at: 1 })).toEqual(['type']);
    // Again: the same $id twice is no conflict.
    expect(keywordsOf(schema, {})).toBeUndefined();
  });

  it('a property may be called like a keyword or like a member of Object', () => {
    const schema = {
      type: 'object',
      properties: { $ref: { type: 'string' }, constructor: { type: 'string' }, required: { type: 'string' } },
    };
    expect(errorsOf(schema, { $ref: 'http://x', required: 'x' })).toBeUndefined();
    expect(keywordsOf(schema, { $ref: 1, required: 1 })).toEqual(['type', 'type']);
    expect(keywordsOf({ type: 'object', required: ['toString'] }, {})).toEqual(['required']);
  });

  it('a pattern that is only valid without the u flag is used without it', () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^[\\w-.]+$' } } };
    expect(keywordsOf(schema, { a: 'a-b.c' })).toBeUndefined();
    expect(keywordsOf(schema, { a: 'a b' })).toEqual(['pattern']);
  });

  it('an asynchronous schema cannot pass for a fitting one', () => {
    expect(keywordsOf({ $async: true, type: 'object', required: ['a'] }, {})).toEqual(['required']);
  });

  it('a recursive schema is checked to its depth', () => {
    const tree = {
      type: 'object',
      properties: { children: { type: 'array', items: { $ref: '#' } }, name: { type: 'string' } },
    };
    expect(errorsOf(tree, { children: [{ children: [{ name: 'leaf' }] }] })).toBeUndefined();
    expect(errorsOf(tree, { children: [{ children: [{ name: 1 }] }] })).toEqual([
      { pointer: '/children/0/children/0/name', keyword: 'type', message: 'must be string' },
    ]);
  });
});

describe('a hostile schema is refused when it is loaded', () => {
  const nested = (levels: number): unknown => {
    let schema: unknown = { type: 'string' };
    for (let n = 0; n < levels; n += 1) schema = { type: 'object', properties: { a: schema } };
    return schema;
  };
  const doubling = (levels: number): unknown => {
    const $defs: Record<string, unknown> = { n0: { type: 'object', required: ['never'] } };
    for (let n = 1; n <= levels; n += 1) {
      $defs[`n${n}`] = { anyOf: [{ $ref: `#/$defs/n${n - 1}` }, { $ref: `#/$defs/n${n - 1}`, minProperties: 0 }] };
    }
    return { type: 'object', properties: { a: { $ref: `#/$defs/n${levels}` } }, $defs };
  };
  const pattern = (source: string) => ({ type: 'object', properties: { a: { type: 'string', pattern: source } } });

  it.each<[string, unknown, RegExp]>([
    ['a reference to another document', { properties: { a: { $ref: 'http://127.0.0.1:9/x.json' } } }, /never fetched/],
    ['a reference to a file', { properties: { a: { $ref: 'other.json#/x' } } }, /never fetched/],
    ['a reference to nowhere', { properties: { a: { $ref: '#/$defs/none' } } }, /cannot be compiled/],
    ['an embedded document', { $defs: { x: { $id: 'http://127.0.0.1:9/', type: 'string' } } }, /\$id of its own/],
    ['references that multiply', doubling(40), /expand to more than 1000000/],
    ['deep nesting', nested(100), /deeper than 64/],
    ['nesting beyond what JSON can write', nested(200_000), /deeper than 64/],
    ['too many subschemas', { anyOf: Array(1_001).fill({ type: 'string' }) }, /more than 1000 subschemas/],
    ['too many bytes', { description: 'x'.repeat(300_000) }, /larger than 262144 bytes/],
    ['a type that does not exist', { type: 'no-such-type' }, /cannot be compiled/],
    ['a keyword of the wrong type', { properties: { a: { minimum: 'x' } } }, /cannot be compiled/],
    ['properties that are no object', { properties: [] }, /properties is not an object/],
    ['a subschema that is none', { properties: { a: 'string' } }, /neither an object nor a boolean/],
    ['no schema at all', undefined, /not an object/],
    ['an invalid pattern', pattern('('), /not a regular expression/],
    ['a nested repetition', pattern('^(a+)+$'), /exponential/],
    ['a nested repetition of a class', pattern('([a-z]+)*!'), /exponential/],
    ['an ambiguous choice repeated', pattern('^(a|aa)+$'), /exponential/],
    ['a repetition beyond what compiles', pattern('((a{1000}){1000}){1000}'), /repeats to more than 50000/],
    ['an evil pattern for names', { propertyNames: { pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' } }, /exponential/],
    ['an evil pattern among patternProperties', { patternProperties: { '^(x+x+)+y': {} } }, /exponential/],
  ])('%s', (_what, schema, reason) => {
    expect(rejection(schema)).toMatch(reason);
  });

  it('ordinary patterns are not refused', () => {
    for (const source of [
      '^[a-z0-9]+(?:-[a-z0-9]+)*$',
      '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$',
      '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$',
      '^(foo|bar)+$',
      '^\\p{L}{1,40}$',
      '^\\+[1-9]\\d{1,14}$',
    ]) {
      expect(rejection(pattern(source)), source).toBeUndefined();
    }
  });
});

describe('a check that would take too long is stopped', () => {
  it('a polynomial pattern on a long text', () => {
    const slow = new CompiledSchema({ properties: { a: { type: 'string', pattern: '^.*.*.*.*=$' } } });
    expect(slow.errors({ a: 'short=' })).toBeUndefined();
    expect(codeOf(() => slow.errors({ a: 'x'.repeat(100_000) }))).toBe('schema_rejected');
    // Nothing is left behind: the next check is right.
    expect(slow.errors({ a: 'short' })).toHaveLength(1);
  });

  it('a counted pattern tried at every position', () => {
    const slow = new CompiledSchema({ properties: { a: { type: 'string', pattern: '(a{100}){100}b' } } });
    expect(codeOf(() => slow.errors({ a: 'a'.repeat(100_000) }))).toBe('schema_rejected');
  });

  it('members compared with each other', () => {
    const unique = new CompiledSchema({ type: 'object', properties: { a: { type: 'array', uniqueItems: true } } });
    expect(unique.errors({ a: [{ n: 1 }, { n: 1 }] })?.[0]?.keyword).toBe('uniqueItems');
    const objects = Array.from({ length: 20_000 }, (_, n) => ({ n }));
    expect(codeOf(() => unique.errors({ a: objects }))).toBe('schema_rejected');
  });

  it('a recursion that doubles at each level', () => {
    const child = { properties: { c: { $ref: '#/$defs/node' } } };
    const bomb = new CompiledSchema({
      properties: { a: { $ref: '#/$defs/node' } },
      $defs: {
        node: { type: 'object', anyOf: [{ ...child, required: ['no'] }, { ...child, required: ['nope'] }, child] },
      },
    });
    let deep: Record<string, unknown> = { c: 'no object: every way is tried' };
    for (let n = 0; n < 40; n += 1) deep = { c: deep };
    expect(codeOf(() => bomb.errors({ a: deep }))).toBe('schema_rejected');
  });

  it('a large value against many subschemas', () => {
    const wide = new CompiledSchema({
      type: 'object',
      properties: {
        a: { type: 'array', items: { anyOf: Array.from({ length: 900 }, (_, n) => ({ const: `${n}` })) } },
      },
    });
    expect(wide.errors({ a: ['899'] })).toBeUndefined();
    expect(codeOf(() => wide.errors({ a: Array(400_000).fill('899') }))).toBe('schema_rejected');
  });
});

describe('results against an outputSchema', () => {
  it('fit or are described in one line', () => {
    const check = outputCheck({ type: 'object', properties: { count: { type: 'integer' } }, required: ['count'] });
    expect(check({ count: 1 })).toBeUndefined();
    expect(check({ count: 'x' })).toBe('/count must be integer');
    expect(check(undefined)).toBe('the whole value must be object');
  });

  it('are let through where the schema cannot be used: it is the child that cannot be held to it', () => {
    expect(outputCheck({ $ref: 'http://127.0.0.1:9/x' })({ count: 'x' })).toBeUndefined();
  });

  it('are not let through when the check took too long', () => {
    const check = outputCheck({ properties: { a: { type: 'string', pattern: '^.*.*.*.*=$' } } });
    expect(check({ a: 'x'.repeat(100_000) })).toBe('could not be checked within 50 ms');
  });
});
