import { expect, test } from 'vitest';
import { GrowingBytes } from '#core/http/growing-bytes.ts';

test('pieces of any size are one buffer in their order', () => {
  for (const size of [1, 2, 7, 64, 1000, 5000]) {
    for (const expected of [undefined, 5000, 10]) {
      const source = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
      const bytes = new GrowingBytes();
      for (let at = 0; at < source.length; at += size) bytes.add(source.subarray(at, at + size), expected);
      expect(bytes.length).toBe(5000);
      expect(bytes.whole().equals(source)).toBe(true);
    }
  }
});

test('nothing, and an empty piece, are no bytes', () => {
  const bytes = new GrowingBytes();
  expect(bytes.whole()).toHaveLength(0);
  bytes.add(Buffer.alloc(0));
  bytes.add(Buffer.from('a'));
  bytes.add(Buffer.alloc(0));
  expect(bytes.whole().toString()).toBe('a');
});

test('a piece alone is not copied, and no further piece is kept or changed', () => {
  const first = Buffer.from('ab');
  const second = Buffer.from('cd');
  const bytes = new GrowingBytes();
  bytes.add(first);
  expect(bytes.whole().buffer).toBe(first.buffer);
  bytes.add(second);
  second.fill('x');
  bytes.add(Buffer.from('e'));
  expect(bytes.whole().toString()).toBe('abcde');
  expect(first.toString()).toBe('ab');
});

test('what is held is at most twice what came, or exactly what was expected', () => {
  const bytes = new GrowingBytes();
  for (let i = 0; i < 100_000; i++) bytes.add(Buffer.from('a'));
  expect(bytes.whole().buffer.byteLength).toBeLessThanOrEqual(200_000);
  const declared = new GrowingBytes();
  for (let i = 0; i < 3; i++) declared.add(Buffer.alloc(40_000), 120_000);
  expect(declared.whole().buffer.byteLength).toBe(120_000);
});
