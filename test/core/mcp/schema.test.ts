import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { BridgeError } from '#core/errors.ts';
import { CheckQueue, type CheckQueueOptions } from '#core/mcp/check-queue.ts';
import { MAX_CHECK_MS } from '#core/mcp/check-thread.ts';
import { CompiledSchema, outputCheck } from '#core/mcp/schema.ts';
import { SchemaRejectedError } from '#core/mcp/schema-shape.ts';

const DRAFT_07 = 'http://json-schema.org/draft-07/schema#';

/**
 * The limits are of the clock: where the machine has no processor to give, a harmless check would rightly be stopped
 * now and then. What is to get through is given time.
 */
const patient = (limits: CheckQueueOptions = {}): CheckQueue =>
  new CheckQueue({ maxCheckMs: 10_000, maxCompileMs: 10_000, maxProbeMs: 10_000, maxWaitMs: 20_000, ...limits });

const unhurried = patient();

async function errorsOf(schema: unknown, value: unknown) {
  return (await CompiledSchema.load(schema, unhurried)).errors(value);
}

async function keywordsOf(schema: unknown, value: unknown): Promise<string[] | undefined> {
  return (await errorsOf(schema, value))?.map((error) => error.keyword);
}

/** The reason for which a schema is refused, undefined when it is taken. */
async function rejection(schema: unknown, queue?: CheckQueue): Promise<string | undefined> {
  try {
    await CompiledSchema.load(schema, queue);
  } catch (error) {
    expect(error).toBeInstanceOf(SchemaRejectedError);
    return (error as Error).message;
  }
  return undefined;
}

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
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

  it('fit: no errors', async () => {
    expect(await errorsOf(schema, { name: 'ab', count: 5, kind: 'red' })).toBeUndefined();
  });

  it('do not fit: all errors are told at once, with pointer, keyword and message', async () => {
    const errors = await errorsOf(schema, { count: 'x', kind: 'blue', extra: 1, nested: { 'a/b~c': 1 } });
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

  it('do not fit: no value is repeated in the errors', async () => {
    const secret = 'hunter2-hunter2';
    const errors = await errorsOf(schema, { name: secret, count: secret, kind: secret, fixed: secret, [secret]: 1 });
    expect(errors?.length).toBeGreaterThan(3);
    expect(JSON.stringify(errors)).not.toContain(secret);
    expect(JSON.stringify(errors)).not.toContain('the-constant');
  });

  it('do not fit many times: at most 20 errors', async () => {
    const list = { type: 'object', properties: { list: { type: 'array', items: { type: 'integer' } } } };
    expect(await errorsOf(list, { list: Array(100).fill('x') })).toHaveLength(20);
    // Of a very large value only the first is looked for.
    expect(await errorsOf(list, { list: Array(100_000).fill('x') })).toEqual([
      { pointer: '/list/0', keyword: 'type', message: 'must be integer' },
    ]);
  });

  it('with a member name of any length: pointer and message stay short', async () => {
    const map = { type: 'object', additionalProperties: { type: 'integer' } };
    const [error] = (await errorsOf(map, { ['k'.repeat(100_000)]: 'x' })) ?? [];
    expect(error?.pointer.length).toBeLessThanOrEqual(200);
  });

  it('are the same object after the check: nothing is coerced, defaulted or kept', async () => {
    const args = { name: 'ab', count: 1 };
    await errorsOf({ ...schema, properties: { ...schema.properties, more: { default: 1 } } }, args);
    expect(args).toEqual({ name: 'ab', count: 1 });
  });
});

describe('dialects and laxness', () => {
  it('2020-12 keywords are understood by default', async () => {
    const tuple = { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'number' } };
    expect(await keywordsOf(tuple, ['a', 1])).toBeUndefined();
    expect(await keywordsOf(tuple, ['a', 'b'])).toEqual(['type']);
  });

  it('draft-07 keywords are understood where $schema says so', async () => {
    const tuple = { $schema: DRAFT_07, type: 'array', items: [{ type: 'string' }], additionalItems: false };
    expect(await keywordsOf(tuple, ['a'])).toBeUndefined();
    expect(await keywordsOf(tuple, ['a', 'b'])).toEqual(['additionalItems']);
  });

  it.each(['$defs', 'definitions'])('references into %s are followed, in both dialects', async (container) => {
    for (const $schema of [DRAFT_07, 'https://json-schema.org/draft/2020-12/schema']) {
      const schema = {
        $schema,
        properties: { a: { $ref: `#/${container}/x` } },
        [container]: { x: { type: 'string' } },
      };
      expect(await keywordsOf(schema, { a: 'x' })).toBeUndefined();
      expect(await keywordsOf(schema, { a: 1 })).toEqual(['type']);
    }
  });

  it('unknown keywords, formats, examples and an $id do not matter', async () => {
    const schema = {
      $id: 'urn:some-tool',
      id: 'old style',
      type: 'object',
      properties: {
        at: { type: 'string', format: 'date-time', nullable: true, 'x-order': 1, examples: [{ $ref: 'x' }] },
      },
      discriminator: { propertyName: 'at' },
    };
    expect(await keywordsOf(schema, { at: 'not a date' })).toBeUndefined();
    expect(await keywordsOf(schema, { at: null })).toBeUndefined();
    expect(await keywordsOf(schema, { at: 1 })).toEqual(['type']);
    // Again: the same $id twice is no conflict.
    expect(await keywordsOf(schema, {})).toBeUndefined();
  });

  it('a property may be called like a keyword or like a member of Object', async () => {
    const schema = {
      type: 'object',
      properties: { $ref: { type: 'string' }, constructor: { type: 'string' }, required: { type: 'string' } },
    };
    expect(await errorsOf(schema, { $ref: 'http://x', required: 'x' })).toBeUndefined();
    expect(await keywordsOf(schema, { $ref: 1, required: 1 })).toEqual(['type', 'type']);
    expect(await keywordsOf({ type: 'object', required: ['toString'] }, {})).toEqual(['required']);
  });

  it('a pattern that is only valid without the u flag is used without it', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^[\\w-.]+$' } } };
    expect(await keywordsOf(schema, { a: 'a-b.c' })).toBeUndefined();
    expect(await keywordsOf(schema, { a: 'a b' })).toEqual(['pattern']);
  });

  it('an asynchronous schema cannot pass for a fitting one', async () => {
    expect(await keywordsOf({ $async: true, type: 'object', required: ['a'] }, {})).toEqual(['required']);
  });

  it('a recursive schema is checked to its depth', async () => {
    const tree = {
      type: 'object',
      properties: { children: { type: 'array', items: { $ref: '#' } }, name: { type: 'string' } },
    };
    expect(await errorsOf(tree, { children: [{ children: [{ name: 'leaf' }] }] })).toBeUndefined();
    expect(await errorsOf(tree, { children: [{ children: [{ name: 1 }] }] })).toEqual([
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
  ])('%s', async (_what, schema, reason) => {
    expect(await rejection(schema)).toMatch(reason);
  });

  it('ordinary patterns are not refused', async () => {
    for (const source of [
      '^[a-z0-9]+(?:-[a-z0-9]+)*$',
      '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$',
      '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$',
      '^(foo|bar)+$',
      '^\\p{L}{1,40}$',
      '^\\+[1-9]\\d{1,14}$',
    ]) {
      expect(await rejection(pattern(source), unhurried), source).toBeUndefined();
    }
  });
});

describe('a check that would take too long is stopped', () => {
  it('a polynomial pattern on a long text', async () => {
    const slow = await CompiledSchema.load({ properties: { a: { type: 'string', pattern: '^.*.*.*.*=$' } } });
    expect(await slow.errors({ a: 'short=' })).toBeUndefined();
    expect(await codeOf(() => slow.errors({ a: 'x'.repeat(100_000) }))).toBe('schema_rejected');
    // Nothing is left behind: the next check is right.
    expect(await slow.errors({ a: 'short' })).toHaveLength(1);
  });

  it('a counted pattern tried at every position', async () => {
    const slow = await CompiledSchema.load({ properties: { a: { type: 'string', pattern: '(a{100}){100}b' } } });
    expect(await codeOf(() => slow.errors({ a: 'a'.repeat(100_000) }))).toBe('schema_rejected');
  });

  it('members compared with each other', async () => {
    const unique = await CompiledSchema.load({
      type: 'object',
      properties: { a: { type: 'array', uniqueItems: true } },
    });
    expect((await unique.errors({ a: [{ n: 1 }, { n: 1 }] }))?.[0]?.keyword).toBe('uniqueItems');
    const objects = Array.from({ length: 20_000 }, (_, n) => ({ n }));
    expect(await codeOf(() => unique.errors({ a: objects }))).toBe('schema_rejected');
  });

  it('a recursion that doubles at each level', async () => {
    const child = { properties: { c: { $ref: '#/$defs/node' } } };
    const bomb = await CompiledSchema.load({
      properties: { a: { $ref: '#/$defs/node' } },
      $defs: {
        node: { type: 'object', anyOf: [{ ...child, required: ['no'] }, { ...child, required: ['nope'] }, child] },
      },
    });
    let deep: Record<string, unknown> = { c: 'no object: every way is tried' };
    for (let n = 0; n < 40; n += 1) deep = { c: deep };
    expect(await codeOf(() => bomb.errors({ a: deep }))).toBe('schema_rejected');
  });

  it('a large value against many subschemas', async () => {
    const schema = {
      type: 'object',
      properties: {
        a: { type: 'array', items: { anyOf: Array.from({ length: 900 }, (_, n) => ({ const: `${n}` })) } },
      },
    };
    expect(await (await CompiledSchema.load(schema, unhurried)).errors({ a: ['899'] })).toBeUndefined();
    const wide = await CompiledSchema.load(schema, patient({ maxCheckMs: MAX_CHECK_MS }));
    expect(await codeOf(() => wide.errors({ a: Array(400_000).fill('899') }))).toBe('schema_rejected');
  });
});

describe('a check in the thread', () => {
  const RECURSIVE = {
    type: 'object',
    properties: { next: { $ref: '#' }, name: { type: 'string', pattern: '^(a|b|ab)*$' } },
  };
  const SLOW = { properties: { a: { type: 'string', pattern: '^.*.*.*.*=$' } } };

  it('finds what one beside it would find', async () => {
    const schema = await CompiledSchema.load(
      { type: 'object', properties: { next: { $ref: '#' }, n: { type: 'integer' } } },
      unhurried,
    );
    const pending = schema.errors({ next: { next: { n: 'x' } }, n: 'y' });
    expect(pending).toBeInstanceOf(Promise);
    expect((await pending)?.map(({ pointer }) => pointer).sort()).toEqual(['/n', '/next/next/n']);
    expect(await schema.errors({ next: { n: 1 } })).toBeUndefined();
  });

  it('is not used for simple schemas and values: no promise, no thread', async () => {
    const queue = new CheckQueue({
      startThread: () => {
        throw new Error('not to be started');
      },
    });
    const schema = await CompiledSchema.load(
      {
        type: 'object',
        properties: { a: { type: 'string', pattern: '^[a-z]+$' }, b: { type: 'array', uniqueItems: true } },
      },
      queue,
    );
    expect(schema.errors({ a: 'x', b: [1] })).toBeUndefined();
    expect(schema.errors({ a: 'X', b: [1, 1] })).toHaveLength(2);
  });

  it('does not hold up the event loop, nor checks by other schemas', async () => {
    const queue = patient({ maxCheckMs: 500 });
    const slow = await CompiledSchema.load(SLOW, queue);
    const other = await CompiledSchema.load({ type: 'object', properties: { next: { $ref: '#' } } }, queue);
    const order: string[] = [];
    const evil = { a: 'x'.repeat(100_000) };
    const floods = Array.from({ length: 4 }, async (_, n) => {
      expect(await codeOf(() => slow.errors(evil))).toBe('schema_rejected');
      order.push(`slow ${n}`);
    });
    const quick = Promise.resolve(other.errors({ next: 1 })).then((errors) => {
      expect(errors).toHaveLength(1);
      order.push('quick');
    });
    let turns = 0;
    const turn = setInterval(() => {
      turns += 1;
    }, 1);
    await Promise.all([...floods, quick]);
    clearInterval(turn);
    // Its turn came after the one that ran and the next, not after all.
    expect(order.indexOf('quick')).toBeLessThanOrEqual(2);
    // Four checks of 500 ms, had they run here, would have left four turns.
    expect(turns).toBeGreaterThan(16);
  });

  it('finds no place behind sixteen others of its schema', async () => {
    const slow = await CompiledSchema.load(SLOW, patient({ maxCheckMs: 500, maxWaitMs: 2_000 }));
    const evil = { a: 'x'.repeat(100_000) };
    const codes = Array.from({ length: 20 }, () => codeOf(() => slow.errors(evil)));
    await expect(slow.errors(evil)).rejects.toThrow(/16 of them for this schema/);
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['schema_rejected']));
    expect(await slow.errors({ a: 'short=' })).toBeUndefined();
  });

  it.each<[string, () => Worker]>([
    [
      'at once',
      () => {
        throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
      },
    ],
    ['while it starts', () => new Worker('process.exit(1)', { eval: true, execArgv: [] })],
    ['with an error of its own', () => new Worker('throw new Error()', { eval: true, execArgv: [] })],
  ])('is refused, its schema is not, where the thread fails %s', async (_when, startThread) => {
    const schema = await CompiledSchema.load(RECURSIVE, new CheckQueue({ startThread }));
    for (let n = 0; n < 2; n += 1) {
      await expect(schema.errors({ name: 'ab' })).rejects.toMatchObject({
        code: 'schema_rejected',
        executed: 'no',
        retryAfterMs: 1_000,
        message: expect.stringContaining('needs a thread of its own'),
      });
    }
  });

  it('is refused for a value that would take long to be read there', async () => {
    const schema = await CompiledSchema.load(RECURSIVE, unhurried);
    await expect(schema.errors({ other: 'x'.repeat(5_000_000) })).rejects.toThrow(/values of up to 4194304 characters/);
    expect(await schema.errors({ name: 'ab' })).toBeUndefined();
  });

  it('that takes too much memory ends its thread, not the process', async () => {
    const hungry = `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', () => { for (const all = []; ; ) all.push(Array(1_000).fill({})); });
      parentPort.postMessage('ready');`;
    const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };
    const queue = patient({
      startThread: () => new Worker(hungry, { eval: true, execArgv: [], resourceLimits }),
    });
    await expect(CompiledSchema.load(RECURSIVE, queue)).rejects.toThrow(/exponential time or too much memory/);
  });
});

describe('results against an outputSchema', () => {
  it('fit or are described in one line', async () => {
    const check = outputCheck({ type: 'object', properties: { count: { type: 'integer' } }, required: ['count'] });
    expect(await check({ count: 1 })).toBeUndefined();
    expect(await check({ count: 'x' })).toBe('/count must be integer');
    expect(await check(undefined)).toBe('the whole value must be object');
  });

  it('are let through where the schema cannot be used: it is the child that cannot be held to it', async () => {
    expect(await outputCheck({ $ref: 'http://127.0.0.1:9/x' })({ count: 'x' })).toBeUndefined();
  });

  it('are not let through when the check took too long', async () => {
    const check = outputCheck({ properties: { a: { type: 'string', pattern: '^.*.*.*.*=$' } } });
    expect(await check({ a: 'x'.repeat(100_000) })).toBe('could not be checked within 50 ms');
  });
});
