import { describe, expect, test } from 'vitest';
import { BridgeError } from '#core/errors.ts';
import { MAX_JSON_DEPTH, MAX_JSON_NODES, parseArguments } from '#core/http/body.ts';
import { isExact } from '#core/http/exact-number.ts';

function codeOf(body: string | Buffer): string {
  try {
    parseArguments(Buffer.from(body as string));
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'ok';
}

const padded = (json: string): string => `{"pad":"${'x'.repeat(200)}","v":${json}}`;

describe('the body of a call', () => {
  test('arrives as an object and goes on as its own serialisation', () => {
    const { value, json } = parseArguments(Buffer.from(' {"a": 1, "b": "ü\\u0041\\n", "a": 2} '));
    expect(value).toEqual({ a: 2, b: 'üA\n' });
    expect(json).toBe('{"a":2,"b":"üA\\n"}');
  });

  test.each([
    ['cut off', '{"a":1'],
    ['with a trailing comma', '{"a":1,}'],
    ['with NaN', '{"a":NaN}'],
    ['with Infinity', '{"a":Infinity}'],
    ['with a byte order mark', '\ufeff{"a":1}'],
    ['with a comment', '{"a":1/**/}'],
    ['followed by something', '{"a":1}{}'],
    ['with half a surrogate pair', '{"a":"\\ud800"}'],
    ['with the other half', '{"a":"\\uDC00x"}'],
    ['with a lone surrogate as a key', '{"\\ud83d":1}'],
    ['with a raw control character', '{"a":"\n"}'],
    ['cut off and long', padded('[').slice(0, -1)],
    ['long with a lone surrogate', padded('"\\ud800"')],
  ])('%s is invalid_json', (_, body) => {
    expect(codeOf(body)).toBe('invalid_json');
  });

  test('that is not UTF-8 is invalid_json', () => {
    expect(codeOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBe('invalid_json');
    expect(codeOf(Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]))).toBe('invalid_json');
  });

  test('may hold whole surrogate pairs and text that looks like half of one', () => {
    expect(codeOf('{"a":"\\ud83d\\ude00 😀"}')).toBe('ok');
    expect(codeOf('{"a":"\\\\ud800"}')).toBe('ok');
  });

  test.each(['[]', '"text"', '1', 'null', 'true', ` [${'1,'.repeat(99)}1]`])('%s is invalid_body', (body) => {
    expect(codeOf(body)).toBe('invalid_body');
  });

  test('is refused beyond the depth limit and taken at it', () => {
    const nested = (levels: number): string => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
    expect(codeOf(nested(MAX_JSON_DEPTH))).toBe('ok');
    expect(codeOf(nested(MAX_JSON_DEPTH + 1))).toBe('json_too_deep');
    expect(codeOf(`{"a":${'['.repeat(MAX_JSON_DEPTH)}${']'.repeat(MAX_JSON_DEPTH)}}`)).toBe('json_too_deep');
    expect(codeOf(nested(10_000))).toBe('json_too_deep');
  });

  test('is refused beyond the number of values, and brackets in strings do not count', () => {
    const many = Array.from({ length: MAX_JSON_NODES + 1 }, (_, i) => `"k${i}":0`).join(',');
    expect(codeOf(`{${many}}`)).toBe('json_too_large');
    expect(codeOf(`{"a":"${'[{,'.repeat(60_000)}"}`)).toBe('ok');
  });

  test.each([
    '{"__proto__":{"polluted":1}}',
    '{"a":[{"__proto__":null}]}',
    '{"\\u005f_proto__":{}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":{"constructor":{"b":1,"prototype":1}}}',
    '{"constructor.prototype":1}',
  ])('%s holds a forbidden_key and pollutes nothing', (body) => {
    expect(codeOf(body)).toBe('forbidden_key');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('may speak of such keys', () => {
    expect(codeOf('{"a":"__proto__","b":"\\"__proto__\\":1","constructor":"Ford","prototype":1}')).toBe('ok');
  });

  test.each([
    '{"a":9007199254740993}',
    '{"a":[-12345678901234567890]}',
    '{"a":1e400}',
    '{"a":-1E+400}',
    '{"a":9007199254740993.0}',
    '{"a":1e23}',
  ])('%s holds an unsafe_number', (body) => {
    expect(codeOf(body)).toBe('unsafe_number');
  });

  test.each(['{"a":9007199254740991}', '{"a":1e21}', '{"a":0.12345678901234567890}', '{"a":"12345678901234567890"}'])(
    '%s is taken',
    (body) => {
      expect(codeOf(body)).toBe('ok');
    },
  );
});

describe('isExact', () => {
  test.each([
    ['9007199254740992', true],
    ['9007199254740993', false],
    ['9007199254740994', true],
    ['90071992547409930e-1', false],
    ['90071992547409920e-1', true],
    ['1.5e3', true],
    ['1e22', true],
    ['1e23', false],
    ['-1e23', false],
    ['123456789012345678.5', true],
    ['1e-400', true],
    ['1e999', false],
  ])('%s: %s', (source, expected) => {
    expect(isExact(source, Number(source))).toBe(expected);
  });
});
