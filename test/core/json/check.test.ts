import { describe, expect, it } from 'vitest';
import { jsonCheck } from '#core/json/check.ts';
import { isUtf8Text } from '#core/json/utf8.ts';

const LIMITS = { maxDepth: 100, maxNodes: 10_000 };

describe('jsonCheck', () => {
  it('takes what JSON.parse takes', () => {
    expect(jsonCheck(LIMITS)(Buffer.from('{"name":"Zoë","tags":["a","\\ud83d\\ude00"]}'))).toBe('ok');
  });

  it.each([
    ['a truncated text', Buffer.from('{"a":')],
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])],
    [
      'a surrogate written as UTF-8',
      Buffer.concat([Buffer.from('"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"')]),
    ],
    ['an escape that is half a pair', Buffer.from('{"a":"\\ud800"}')],
    ['NaN', Buffer.from('{"a":NaN}')],
  ])('refuses %s', (_what, bytes) => {
    expect(jsonCheck(LIMITS)(bytes)).toBe('invalid');
  });

  it('says which bound is passed', () => {
    expect(jsonCheck(LIMITS)(Buffer.from('['.repeat(10_000)))).toBe('too_deep');
    expect(jsonCheck(LIMITS)(Buffer.from(`[${'1,'.repeat(20_000)}1]`))).toBe('too_large');
  });
});

describe('isUtf8Text', () => {
  it('judges pieces as it judges the whole, wherever they are cut', () => {
    const texts = [
      Buffer.from('aé日😀z'),
      Buffer.from([0x61, 0xc3]),
      Buffer.from([0xe6, 0x97]),
      Buffer.from([0xf0, 0x9f, 0x98]),
      Buffer.from([0x80, 0x61]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from([0xf5, 0x80, 0x80, 0x80]),
      Buffer.from([0xc3, 0xc3, 0xa9]),
      Buffer.from([0xe6, 0x97, 0x61]),
      Buffer.from([0xff]),
    ];
    for (const text of texts) {
      const whole = isUtf8Text([text]);
      expect(isUtf8Text([...text].map((byte) => Uint8Array.of(byte)))).toBe(whole);
      for (let a = 0; a <= text.length; a++) {
        for (let b = a; b <= text.length; b++) {
          const pieces = [text.subarray(0, a), text.subarray(a, b), text.subarray(b)];
          expect([text.toString('hex'), a, b, isUtf8Text(pieces)]).toEqual([text.toString('hex'), a, b, whole]);
        }
      }
    }
    expect(isUtf8Text([])).toBe(true);
  });
});
