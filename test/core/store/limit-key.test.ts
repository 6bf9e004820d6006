import { expect, it } from 'vitest';
import { limitKey } from '#core/store/limit-key.ts';

it('leaves a plain key readable', () => {
  expect(limitKey('principal:planner@example.org')).toBe('principal:planner@example.org');
  expect(limitKey('tool:slack:post_message:planner')).toBe('tool:slack:post_message:planner');
});

it.each(['principal:a b', 'principal:\r\nFLUSHALL', 'principal:{x}', 'principal:~', `principal:${'x'.repeat(5_000)}`])(
  'makes a digest of any other: %j',
  (key) => {
    expect(limitKey(key)).toMatch(/^~[\w-]{43}$/);
    expect(limitKey(key)).toBe(limitKey(key));
    expect(limitKey(key)).not.toBe(limitKey(`${key}!`));
  },
);
