import { createHash, timingSafeEqual } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { DigestMap, digestFromHex, digestOf } from '#core/auth/digest-map.ts';

vi.mock('node:crypto', { spy: true });

it('a digest is 32 bytes whatever the length of the credential, and the SHA-256 of it', () => {
  for (const credential of ['', 'x', 'mbf_secret', 'y'.repeat(10_000)]) {
    const digest = digestOf(credential);
    expect(digest).toHaveLength(32);
    expect(digest).toBe(digestFromHex(createHash('sha256').update(credential).digest('hex')));
  }
});

it('credentials of any length are compared without a throw, and only the one that was set is found (S4)', () => {
  const map = new DigestMap<string>();
  map.set(digestOf('the secret'), 'planner');
  const others = ['', 't', 'the secre', 'the secret ', 'the secret2', 'THE SECRET', 'é', 'x'.repeat(100_000)];
  expect(others.map((credential) => map.get(digestOf(credential)))).toEqual(others.map(() => undefined));
  vi.mocked(timingSafeEqual).mockClear();
  expect(map.get(digestOf('the secret'))).toBe('planner');
  expect(vi.mocked(timingSafeEqual).mock.calls.map(([a, b]) => [a.byteLength, b.byteLength])).toEqual([[32, 32]]);
  vi.mocked(timingSafeEqual).mockReturnValueOnce(false);
  expect(map.get(digestOf('the secret'))).toBeUndefined();
});

it('what was deleted is found no more, and the first that was set is the oldest', () => {
  const map = new DigestMap<string>();
  for (const credential of ['a', 'b', 'c']) map.set(digestOf(credential), credential);
  expect(map.oldest()).toBe(digestOf('a'));
  map.delete(digestOf('a'));
  expect(map.get(digestOf('a'))).toBeUndefined();
  expect(map.oldest()).toBe(digestOf('b'));
  expect(map.size).toBe(2);
  map.clear();
  expect(map.get(digestOf('b'))).toBeUndefined();
});
