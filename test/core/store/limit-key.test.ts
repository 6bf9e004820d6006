import { describe, expect, it } from 'vitest';
import { boundedKey, limitKey } from '#core/store/limit-key.ts';

const long = 'x'.repeat(5_000);

describe('a key in Redis', () => {
  it.each(['planner@example.org', 'slack:post_message:planner', 'jwt:https://id.example/user'])(
    'is left readable where it is plain: %s',
    (key) => {
      expect(limitKey(key)).toBe(key);
    },
  );

  it.each(['a b', '\r\nFLUSHALL', '{x}', '~', 'ü', '', long])('is a digest where it is not: %j', (key) => {
    expect(limitKey(key)).toMatch(/^~[\w-]{43}$/);
    expect(limitKey(key)).toBe(limitKey(key));
    expect(limitKey(key)).not.toBe(limitKey(`${key}!`));
  });
});

describe('a key in memory', () => {
  it.each(['a b', '\r\n', '{x}', 'ü', ''])('is left as it is where it is short: %j', (key) => {
    expect(boundedKey(key)).toBe(key);
  });

  it('is a digest where it is long, which no other key can pass for', () => {
    const digest = boundedKey(long);
    expect(digest).toMatch(/^~[\w-]{43}$/);
    expect(boundedKey(`${long}!`)).not.toBe(digest);
    expect(boundedKey(digest)).not.toBe(digest);
  });
});
