import { afterEach, describe, expect, it, vi } from 'vitest';
import { JsonScanner, type MemberSink } from '#core/json/scanner.ts';
import { damaged, pick, random, randomString } from './random-json.ts';

// Strings that are long enough for the scanner to hand them on (json/string-run.ts), in all the ways in which a
// long string can be split, can be spoilt, and can hold what only the scanner itself can judge.

const PARTS = [
  'plain text, which goes on for some time without anything special in it at all, and then for a while longer ',
  'x'.repeat(40),
  'a "quoted\\" word\n of it',
  'C:\\temp\\new\\',
  'tab\t',
  'Größe',
  '日本語',
  '😀',
  '\u007f',
] as const;

/** Escapes that `JSON.stringify` would not write. */
const RAW_PARTS = [
  '\\/',
  '\\u0041',
  '\\u00e9\\u65e5\\u672c',
  '\\ud83d\\ude00',
  '\\ud800',
  '\\udc00',
  '\\uD83D',
] as const;

function longString(next: () => number, bytes: number): string {
  let text = '';
  while (text.length < bytes) {
    text += next() < 0.15 ? pick(next, RAW_PARTS) : JSON.stringify(pick(next, PARTS)).slice(1, -1);
  }
  return `"${text}"`;
}

/** An object with long strings among short ones, as values, in rows, and as a key. */
function longText(next: () => number, bytes: number): string {
  const rows = Array.from({ length: Math.floor(next() * 3) }, () => longString(next, next() * bytes));
  const members = [
    `"short":${randomString(next)}`,
    `"text":${longString(next, next() * bytes)}`,
    `"rows":[${rows.join(',')}]`,
    `${longString(next, next() * 300)}:1`,
  ];
  return `{${members.join(next() < 0.5 ? ',' : ' , ')}}`;
}

/** All that a scan says about a text. */
function told(Scanner: typeof JsonScanner, chunks: Iterable<Uint8Array>): unknown {
  const members: unknown[] = [];
  const sink: MemberSink = {
    key: (depth, bytes, from, to, escaped) => {
      members.push(depth, Buffer.from(bytes.subarray(from, to)).toString('latin1'), escaped);
      return false;
    },
    value: (depth, kind, start, end, _bytes, _from, _to, escaped) => {
      members.push(depth, kind, start, end, escaped);
    },
  };
  const scanner = new Scanner({ maxDepth: 100, sink });
  for (const chunk of chunks) scanner.scan(chunk, 0, chunk.length);
  const verdict = scanner.finish();
  return [verdict, verdict === 'ok' && [scanner.sawNonAscii, scanner.sawLoneSurrogate, members]];
}

function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function verdictOf(result: unknown): unknown {
  return (result as [unknown])[0];
}

function parsed(text: string): 'ok' | 'invalid' {
  try {
    JSON.parse(text);
    return 'ok';
  } catch {
    return 'invalid';
  }
}

/** The first difference between texts this long is what one wants to read, not the texts. */
function expectSame(found: unknown, expected: unknown, context: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) expect([context, left]).toEqual([context, right]);
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe('JsonScanner, of long strings', () => {
  it('gives the verdict of JSON.parse, and tells what it tells of single bytes', () => {
    const next = random(4_711);
    let valid = 0;
    for (let round = 0; round < 1_500; round++) {
      const whole = longText(next, pick(next, [500, 1_500, 3_000, 25_000]));
      const bytes = Buffer.from(round % 2 === 0 ? whole : damaged(next, whole));
      const text = bytes.toString();
      // A byte at a time never takes the way of long strings.
      const expected = told(JsonScanner, chunksOf(bytes, 1));
      expect([round, verdictOf(expected)]).toEqual([round, parsed(text)]);
      if (verdictOf(expected) === 'ok') valid++;
      for (const size of [bytes.length, 8_192, 1_024, 700, 333]) {
        expectSame(told(JsonScanner, chunksOf(bytes, size)), expected, [round, size, text]);
      }
    }
    // Half of them are whole; of the damaged ones some but not all stay valid.
    expect(valid).toBeGreaterThan(800);
    expect(valid).toBeLessThan(1_400);
  });

  it('gives the same verdict however the text is split', () => {
    const next = random(99);
    for (let round = 0; round < 40; round++) {
      const whole = longText(next, 900);
      const bytes = Buffer.from(round % 2 === 0 ? whole : damaged(next, whole));
      const expected = told(JsonScanner, chunksOf(bytes, 1));
      for (let at = 0; at <= bytes.length; at++) {
        const found = told(JsonScanner, [bytes.subarray(0, at), bytes.subarray(at)]);
        expectSame(found, expected, [round, at, bytes.toString()]);
      }
    }
  });

  it('takes no control character and no wrong escape, wherever it stands', () => {
    const faults = ['\u0000', '\n', '\u001f', '\\x', '\\u12g4', '\\u123', '\\\n', '\\ ', '\\é', '"x'];
    for (let place = 0; place < 1_400; place += place < 240 ? 16 : 1) {
      // The one with the fault at that place, and the one whose bytes before it are escapes.
      for (const before of ['x'.repeat(place), '\\n'.repeat(place / 2)]) {
        for (const fault of faults) {
          const bytes = Buffer.from(`"${before}${fault}${'y'.repeat(100)}"`);
          const found = verdictOf(told(JsonScanner, [bytes]));
          if (found !== 'invalid')
            expect([place, before[0], fault, found]).toEqual([place, before[0], fault, 'invalid']);
        }
      }
    }
  });

  it('looks at a chunk again that was written to since', () => {
    const buffer = Buffer.alloc(3_000, 'x');
    const scanner = new JsonScanner({ maxDepth: 10 });
    buffer[0] = 0x22;
    scanner.scan(buffer, 0, buffer.length);
    buffer.fill('y');
    buffer[1_000] = 0x0a;
    expect(scanner.scan(buffer, 0, buffer.length)).toBe(1_000);
    expect(scanner.finish()).toBe('invalid');
  });

  it('is not confused by another scanner that works while its sink is called', () => {
    const other = Buffer.from(JSON.stringify(`${'\n'.repeat(3_000)}`));
    const verdicts: unknown[] = [];
    const nested = (): void => {
      verdicts.push(verdictOf(told(JsonScanner, [other])));
    };
    const scanner = new JsonScanner({
      maxDepth: 10,
      sink: {
        key: () => {
          nested();
          return false;
        },
        value: nested,
      },
    });
    const bytes = Buffer.from(`{"a":"${'x'.repeat(600)}","b":"\\n${'x'.repeat(90)}","c":"\\n${'x'.repeat(2_000)}\n"}`);
    expect(scanner.scan(bytes, 0, bytes.length)).toBe(bytes.length - 3);
    expect(scanner.finish()).toBe('invalid');
    expect(verdicts).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
  });

  it('says the same where there is no WebAssembly', async () => {
    vi.resetModules();
    vi.stubGlobal('WebAssembly', undefined);
    const { JsonScanner: Plain } = await import('#core/json/scanner.ts');
    const { stringRuns } = await import('#core/json/string-run.ts');
    expect(stringRuns()).toBeNull();
    const next = random(5);
    for (let round = 0; round < 200; round++) {
      const whole = longText(next, 3_000);
      const bytes = Buffer.from(round % 2 === 0 ? whole : damaged(next, whole));
      for (const size of [bytes.length, 700]) {
        const expected = told(JsonScanner, chunksOf(bytes, size));
        expectSame(told(Plain, chunksOf(bytes, size)), expected, [round, size, bytes.toString()]);
      }
    }
  });

  it('says the same where the instructions of the module are not known', async () => {
    vi.resetModules();
    vi.stubGlobal('WebAssembly', {
      Module: class {
        constructor() {
          throw new Error('no SIMD');
        }
      },
    });
    const { stringRuns } = await import('#core/json/string-run.ts');
    expect(stringRuns()).toBeNull();
  });
});
