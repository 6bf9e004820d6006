import { describe, expect, it } from 'vitest';
import { JsonScanner, type JsonVerdict } from '#core/json/scanner.ts';
import { damaged, random, randomJson } from './random-json.ts';

const GENEROUS = { maxDepth: 1_000 };

function scanned(
  text: string | Uint8Array,
  scanner = new JsonScanner(GENEROUS),
  chunkBytes = Number.POSITIVE_INFINITY,
): JsonVerdict {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = Uint8Array.prototype.slice.call(bytes, at, Math.min(bytes.length, at + chunkBytes));
    scanner.scan(chunk, 0, chunk.length);
  }
  return scanner.finish();
}

function parsed(text: string): JsonVerdict {
  try {
    JSON.parse(text);
    return 'ok';
  } catch {
    return 'invalid';
  }
}

describe('JsonScanner', () => {
  const valid = [
    '{}',
    '[]',
    '""',
    '0',
    '-0',
    '1.5e-3',
    'true',
    ' null ',
    '[1,2]',
    '{"a":{"b":[]}}',
    '"\\ud800"',
    '\n{}\r\n\t',
  ];
  const invalid = [
    '',
    ' ',
    '{',
    '}',
    '[1,]',
    '{,}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    '[1 2]',
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '1e',
    '1e+',
    '--1',
    '-a',
    'tru',
    'trueish',
    'truefalse',
    'nul',
    'NaN',
    'Infinity',
    "'a'",
    '"',
    '"\\x"',
    '"\\u12g4"',
    '"\\u12',
    '"a\nb"',
    '"a\u0000b"',
    '{}{}',
    '[]]',
    '[}',
    '{]',
    '1 2',
    '\ufeff{}',
    '\u00a01',
    '[1}',
    '{"a":1]',
    '0x10',
    '1e5.5',
    '"a" "b"',
    '// c\n1',
  ];

  it.each(valid)('takes %j', (text) => {
    expect(parsed(text)).toBe('ok');
    expect(scanned(text)).toBe('ok');
    expect(scanned(text, undefined, 1)).toBe('ok');
  });

  it.each(invalid)('refuses %j', (text) => {
    expect(parsed(text)).toBe('invalid');
    expect(scanned(text)).toBe('invalid');
    expect(scanned(text, undefined, 1)).toBe('invalid');
  });

  it('gives the verdict of JSON.parse on 20 000 random texts, whole and damaged', () => {
    const next = random(20_261_120);
    const scanner = new JsonScanner(GENEROUS);
    let damagedButValid = 0;
    for (let round = 0; round < 20_000; round++) {
      const whole = randomJson(next);
      const text = round % 2 === 0 ? whole : damaged(next, whole);
      // A lone half of a pair cannot be written as UTF-8; the bytes say what the scanner sees.
      const bytes = Buffer.from(text);
      const expected = parsed(bytes.toString());
      if (round % 2 === 1 && expected === 'ok') damagedButValid++;
      scanner.reset();
      expect([bytes.toString(), scanned(bytes, scanner)]).toEqual([bytes.toString(), expected]);
    }
    // Otherwise the damage would prove nothing.
    expect(damagedButValid).toBeGreaterThan(500);
    expect(damagedButValid).toBeLessThan(9_000);
  });

  it('gives the same verdict however the text is split', () => {
    const next = random(7);
    const scanner = new JsonScanner(GENEROUS);
    for (let round = 0; round < 300; round++) {
      const whole = randomJson(next);
      const bytes = Buffer.from(round % 2 === 0 ? whole : damaged(next, whole));
      const expected = parsed(bytes.toString());
      for (let at = 0; at <= bytes.length; at++) {
        scanner.reset();
        const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
        scanner.scan(head, 0, head.length);
        scanner.scan(tail, 0, tail.length);
        expect([at, bytes.toString(), scanner.finish()]).toEqual([at, bytes.toString(), expected]);
      }
      for (const chunkBytes of [1, 2, 3, 5, 17]) {
        scanner.reset();
        expect(scanned(bytes, scanner, chunkBytes)).toBe(expected);
      }
    }
  });

  it('finds the end of a string at every distance and alignment', () => {
    const scanner = new JsonScanner(GENEROUS);
    for (let length = 0; length < 150; length++) {
      for (let shift = 0; shift < 8; shift++) {
        const text = `${' '.repeat(shift)}"${'x'.repeat(length)}"`;
        scanner.reset();
        expect(scanned(text, scanner)).toBe('ok');
        for (const bad of ['\u0000', '\u001f', '\n']) {
          const at = shift + 1 + Math.floor(length / 2);
          scanner.reset();
          expect(scanned(text.slice(0, at) + bad + text.slice(at), scanner)).toBe('invalid');
        }
      }
    }
  });

  it('tells strings with bytes above 0x7f, wherever they stand', () => {
    for (let length = 0; length < 80; length++) {
      const plain = new JsonScanner(GENEROUS);
      expect(scanned(`["${'x'.repeat(length)}","y"]`, plain)).toBe('ok');
      expect(plain.sawNonAscii).toBe(false);
      const special = new JsonScanner(GENEROUS);
      expect(scanned(`["${'x'.repeat(length)}é","y"]`, special)).toBe('ok');
      expect(special.sawNonAscii).toBe(true);
    }
  });

  it('tells halves of surrogate pairs', () => {
    const lone = [
      '"\\ud800"',
      '"\\udc00"',
      '"\\ud800x\\udc00"',
      '"\\ud800\\ud800\\udc00"',
      '"\\ud800\\n"',
      '["\\ud800","\\udc00"]',
      '{"\\udfff":1}',
    ];
    const paired = ['"\\ud83d\\ude00"', '"x\\uD83D\\uDE00\\ud83d\\ude00"', '"\\ud7ff\\ue000"', '"\\\\ud800"'];
    for (const [texts, expected] of [
      [lone, true],
      [paired, false],
    ] as const) {
      for (const text of texts) {
        for (const chunkBytes of [100, 1]) {
          const scanner = new JsonScanner(GENEROUS);
          expect(scanned(text, scanner, chunkBytes)).toBe('ok');
          expect([text, scanner.sawLoneSurrogate]).toEqual([text, expected]);
        }
      }
    }
  });

  it('bounds the depth exactly and without recursion', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    for (const maxDepth of [1, 2, 61, 62, 63, 64, 65, 1_000]) {
      expect(scanned(nested(maxDepth), new JsonScanner({ maxDepth }))).toBe('ok');
      expect(scanned(nested(maxDepth + 1), new JsonScanner({ maxDepth }))).toBe('too_deep');
    }
    expect(scanned('{"a":'.repeat(100_000), new JsonScanner({ maxDepth: 64 }))).toBe('too_deep');
    expect(scanned('['.repeat(100_000) + ']'.repeat(100_000), new JsonScanner({ maxDepth: 100_000 }))).toBe('ok');
  });

  it('bounds the number of values exactly', () => {
    const limits = { maxDepth: 10, maxNodes: 5 };
    expect(scanned('[1,2,3,4]', new JsonScanner(limits))).toBe('ok');
    expect(scanned('[1,2,3,4,5]', new JsonScanner(limits))).toBe('too_large');
    expect(scanned('{"a":1,"b":[2,3]}', new JsonScanner(limits))).toBe('ok');
    expect(scanned('{"a":1,"b":[2,3,4]}', new JsonScanner(limits))).toBe('too_large');
  });

  it('stops at the newline of a line and at nothing else', () => {
    const lines = Buffer.from('{"a":\t1}\r\n{"b":2}\n');
    const scanner = new JsonScanner({ ...GENEROUS, lines: true });
    const first = scanner.scan(lines, 0, lines.length);
    expect(first).toBe(9);
    expect(scanner.finish()).toBe('ok');
    scanner.reset();
    expect(scanner.scan(lines, first + 1, lines.length)).toBe(lines.length - 1);
    expect(scanner.finish()).toBe('ok');
  });

  it('tells the members of the outermost object, and one level below where asked', () => {
    const long = 'x'.repeat(600);
    const text = `{"a":1,"deep":{"b":[1,{"no":1}],"long":"${long}","c":{}},"list":[{"no":1}],"${long}":-2.5,"e\\n":true}`;
    const whole = Buffer.from(text);
    for (const chunkBytes of [whole.length, 1, 7]) {
      const told: unknown[] = [];
      const scanner = new JsonScanner({
        ...GENEROUS,
        sink: {
          key: (depth, bytes, from, to, escaped) => {
            const name = Buffer.from(bytes.subarray(from, to)).toString();
            told.push([depth, name, escaped]);
            return name === 'deep' || name === 'list';
          },
          value: (depth, kind, start, end, bytes, from, to) => {
            const raw = Buffer.from(bytes.subarray(from, to)).toString();
            // The offsets are those of the value, and so is the raw text where it is given.
            expect(['', text.slice(start, end)]).toContain(raw);
            expect(raw.length).toBe(to - from);
            told.push([depth, kind, text.slice(start, end).length]);
          },
        },
      });
      expect(scanned(whole, scanner, chunkBytes)).toBe('ok');
      expect(told).toEqual([
        [1, 'a', false],
        [1, 'number', 1],
        [1, 'deep', false],
        [2, 'b', false],
        [2, 'array', 12],
        [2, 'long', false],
        [2, 'string', 602],
        [2, 'c', false],
        [2, 'object', 2],
        [1, 'object', 635],
        [1, 'list', false],
        [1, 'array', 10],
        [1, '', false],
        [1, 'number', 4],
        [1, 'e\\n', true],
        [1, 'true', 4],
      ]);
    }
  });
});
