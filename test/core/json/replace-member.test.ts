import { describe, expect, it } from 'vitest';
import { replaceMember } from '#core/json/replace-member.ts';

const cut = (text: string, name = 'x'): string | undefined => {
  const pieces = replaceMember(Buffer.from(text), name, () => undefined);
  return pieces && Buffer.concat(pieces).toString();
};

describe('a member of a JSON object', () => {
  it.each([
    ['{"x":1}', '{}'],
    ['{"x":1,"b":2}', '{"b":2}'],
    ['{"a":0,"x":1}', '{"a":0}'],
    ['{"a":0,"x":{"x":[1,{"x":2}]},"b":2}', '{"a":0,"b":2}'],
    [' { "a" : 0 , "x" : "}" , "b" : 2 } ', ' { "a" : 0  , "b" : 2 } '],
    ['{ "x"\n:\tnull ,\r"b":2}', '{ \r"b":2}'],
    ['{"\\u0078":1,"b":2}', '{"b":2}'],
    ['{"a":{"x":1},"x":[],"b":[{"x":1}]}', '{"a":{"x":1},"b":[{"x":1}]}'],
    [
      '{"big":12345678901234567890,"n":1.10,"__proto__":{},"x":1}',
      '{"big":12345678901234567890,"n":1.10,"__proto__":{}}',
    ],
    [`{"${'k'.repeat(100)}":1,"x":1}`, `{"${'k'.repeat(100)}":1}`],
    [`{"x":1,"é":"${'😀"'.replace('"', '\\"').repeat(500)}"}`, `{"é":"${'😀"'.replace('"', '\\"').repeat(500)}"}`],
  ])('is cut out of %s', (text, rest) => {
    expect(cut(text)).toBe(rest);
    expect(() => JSON.parse(cut(text) ?? '')).not.toThrow();
  });

  it('is given another value in its place, and the old one is told', () => {
    const seen: string[] = [];
    const pieces = replaceMember(Buffer.from('{"a":1,"x": [1, 2] ,"b":2}'), 'x', (value) => {
      seen.push(value.toString());
      return Buffer.from('"new"');
    });
    expect(Buffer.concat(pieces ?? []).toString()).toBe('{"a":1,"x": "new" ,"b":2}');
    expect(seen).toEqual(['[1, 2]']);
  });

  it.each(['{}', '{"a":{"x":1}}', '{"x":1,"x":2}', '{"x":1,"\\u0078":2}', '[{"x":1}]', '"x"', '{"x":1', '{"x":}', ''])(
    'is not touched where it is not there exactly once: %s',
    (text) => {
      expect(cut(text)).toBeUndefined();
    },
  );

  it('is found below any depth of others', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(cut(`{"a":${deep},"x":${deep}}`)).toBe(`{"a":${deep}}`);
  });
});
