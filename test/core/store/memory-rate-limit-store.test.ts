import { expect, it, vi } from 'vitest';
import { MemoryRateLimitStore } from '#core/store/memory-rate-limit-store.ts';
import type { Limit } from '#core/store/rate-limit-store.ts';

const limit = (key: string, perMinute = 1): Limit => ({ name: 'principal', key, perMinute });

it('keeps to the minute while the clock on the wall jumps an hour ahead and back (D7)', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const store = new MemoryRateLimitStore();
    expect(store.take(limit('a')).allowed).toBe(true);
    for (const jumpMs of [3_600_000, -7_200_000]) {
      vi.setSystemTime(Date.now() + jumpMs);
      const { allowed, quota } = store.take(limit('a'));
      expect(allowed).toBe(false);
      expect(quota.resetMs).toBeGreaterThan(50_000);
      expect(quota.resetMs).toBeLessThanOrEqual(60_000);
    }
  } finally {
    vi.useRealTimers();
  }
});

it('forgets windows that have ended while others start, without a timer', () => {
  let now = 0;
  const store = new MemoryRateLimitStore(() => now);
  for (let i = 0; i < 1_000; i++) store.take(limit(`first-${i}`));
  expect(store.size).toBe(1_000);
  now += 60_000;
  for (let i = 0; i < 1_000; i++) store.take(limit(`second-${i}`));
  expect(store.size).toBe(1_000);
});

it('holds no more windows than it may, and forgets the oldest first', () => {
  let now = 0;
  const store = new MemoryRateLimitStore(() => now, 100);
  for (let i = 0; i < 1_000; i++) {
    store.take(limit(`key-${i}`));
    now += 1;
  }
  expect(store.size).toBe(100);
  expect(store.take(limit('key-999')).allowed).toBe(false);
  expect(store.take(limit('key-901')).allowed).toBe(false);
  expect(store.take(limit('key-899')).allowed).toBe(true);
});

it('a key that starts a new window is the youngest again, and the last to be forgotten', () => {
  let now = 0;
  const store = new MemoryRateLimitStore(() => now, 5);
  for (const key of ['a', 'b', 'c', 'again']) store.take(limit(key));
  now = 30_000;
  store.take(limit('old'));
  now = 60_000;
  for (const key of ['again', 'd', 'e', 'f', 'g']) expect(store.take(limit(key)).allowed).toBe(true);
  expect(store.take(limit('again')).allowed).toBe(false);
  expect(store.take(limit('old')).allowed).toBe(true);
});

it('holds a digest in place of a long key', () => {
  const store = new MemoryRateLimitStore(() => 0);
  const long = 'x'.repeat(100_000);
  expect(store.take(limit(`${long}a`)).allowed).toBe(true);
  expect(store.take(limit(`${long}b`)).allowed).toBe(true);
  expect(store.take(limit(`${long}a`)).allowed).toBe(false);
});
