import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import loadWabt from 'wabt';
import { STRING_RUN_MODULE, type StringRuns, stringRuns } from '#core/json/string-run.ts';
import { pick, random } from './random-json.ts';

const SOURCE = new URL('../../../core/json/string-run.wat', import.meta.url);

/** What `string-run.wat` says it does, byte by byte. */
function modelled(bytes: Uint8Array, from: number): { end: number; escaped: boolean; nonAscii: boolean } {
  let at = from;
  let escaped = false;
  let nonAscii = false;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x22 || byte < 0x20) break;
    if (byte === 0x5c) {
      escaped = true;
      if (at + 1 === bytes.length || !'"\\/bfnrt'.includes(String.fromCharCode(bytes[at + 1] as number))) break;
      at++;
    } else if (byte >= 0x80) nonAscii = true;
  }
  return { end: at, escaped, nonAscii };
}

function expectAsModelled(runs: StringRuns, bytes: Uint8Array): void {
  runs.piece(0, bytes, 0, bytes.length);
  const end = runs.end(0);
  const found = { end, escaped: runs.sawEscape, nonAscii: runs.sawNonAscii };
  const expected = modelled(bytes, 0);
  // Only the failing case is worth the time of a deep comparison.
  if (found.end === expected.end && found.escaped === expected.escaped && found.nonAscii === expected.nonAscii) return;
  expect([Buffer.from(bytes).toString('latin1'), found]).toEqual([Buffer.from(bytes).toString('latin1'), expected]);
}

describe('the module of StringRuns', () => {
  it('is string-run.wat compiled, byte for byte', async () => {
    const wabt = await loadWabt();
    const module = wabt.parseWat('string-run.wat', readFileSync(SOURCE, 'utf8'), { simd: true });
    try {
      module.validate();
      const compiled = Buffer.from(module.toBinary({}).buffer).toString('base64');
      expect(STRING_RUN_MODULE).toBe(compiled);
    } finally {
      module.destroy();
    }
  });
});

describe('StringRuns', () => {
  const runs = stringRuns() as StringRuns;

  it('is there, on every platform that runs these tests', () => {
    expect(stringRuns()).not.toBeNull();
  });

  it('takes every byte as a byte of a string should be taken, plain and behind a backslash, at every place', () => {
    for (let byte = 0; byte < 256; byte++) {
      for (let place = 0; place < 70; place++) {
        const plain = Buffer.alloc(100, 'x');
        plain[place] = byte;
        expectAsModelled(runs, plain);
        plain[place + 1] = 0x5c;
        plain[place + 2] = byte;
        expectAsModelled(runs, plain);
      }
    }
  });

  it('counts backslashes in a row, of every length and at every place', () => {
    for (let length = 0; length < 70; length++) {
      for (let place = 0; place < 34; place++) {
        for (const follower of ['"', 'n', 'x', 'u', '']) {
          expectAsModelled(runs, Buffer.from('x'.repeat(place) + '\\'.repeat(length) + follower));
        }
      }
    }
  });

  it('ends runs of random bytes where a loop over single bytes ends them', () => {
    const next = random(11);
    const parts = ['x', 'plain text', '\\n', '\\"', '\\\\', '\\/', '\\t', 'é', '日'];
    for (let round = 0; round < 30_000; round++) {
      const text = Array.from({ length: Math.floor(next() * 25) }, () => pick(next, parts)).join('');
      const bytes = Buffer.from(text);
      const changed = Math.floor(next() * bytes.length);
      if (round % 2 === 1 && bytes.length > 0) bytes[changed] = Math.floor(next() * 256);
      expectAsModelled(runs, bytes);
    }
  });

  it('keeps a piece until somebody else copies one, and knows where it ends', () => {
    const mine = Buffer.alloc(4_000, 'm');
    const theirs = Buffer.from('t"');
    const first = runs.piece(0, mine, 10, mine.length);
    const end = runs.end(10);
    expect(runs.endsAt(end)).toBe(true);
    expect(end).toBeLessThan(mine.length);
    expect(runs.piece(first, mine, end - 1, mine.length)).toBe(first);
    const second = runs.piece(first, mine, end, mine.length);
    expect(second).not.toBe(first);
    expect(runs.end(end)).toBe(mine.length);

    runs.piece(0, theirs, 0, theirs.length);
    expect(runs.end(0)).toBe(1);
    expect(runs.endsAt(1)).toBe(false);
    expect(runs.piece(second, mine, end, mine.length)).not.toBe(second);
    expect(runs.end(end)).toBeGreaterThan(end);
  });
});
