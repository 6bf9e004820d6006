import { expect, it } from 'vitest';
import type { ToolCall } from '#core/call.ts';
import { cacheKey } from '#core/policy/cache-key.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { toolCall } from '../../support/calls.ts';

const key = (overrides: Partial<ToolCall> = {}, scope = '') => cacheKey(toolCall(overrides), scope);
const keyOf = (argumentsJson: string) => key({ argumentsJson });

it('is the same however the members of the arguments are ordered, at every depth', () => {
  expect(keyOf('{"a":1,"b":{"c":[{"d":1,"e":2}],"f":null}}')).toBe(keyOf('{"b":{"f":null,"c":[{"e":2,"d":1}]},"a":1}'));
});

it.each([
  ['another value', '{"a":1}', '{"a":2}'],
  ['another type', '{"a":1}', '{"a":"1"}'],
  ['another order of elements', '{"a":[1,2]}', '{"a":[2,1]}'],
  ['a member more', '{"a":1}', '{"a":1,"b":null}'],
  ['no arguments', '{}', '{"a":{}}'],
  ['another nesting', '{"a":{"b":1},"c":2}', '{"a":{"b":1,"c":2}}'],
  [
    'a number that would be rounded to the same',
    '{"b":0,"a":12345678901234567890}',
    '{"b":0,"a":12345678901234567891}',
  ],
  ['a number that would overflow to the same', '{"b":0,"a":1e999}', '{"b":0,"a":2e999}'],
  ['a member named __proto__', '{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}'],
])('is another one for %s', (_what, one, other) => {
  expect(keyOf(one)).not.toBe(keyOf(other));
});

it('is another one for another principal, bridge, tool, definition or scope', () => {
  const keys = [
    key(),
    key({ principal: { ...anonymousPrincipal(), id: 'planner' } }),
    key({ bridge: 'other' }),
    key({ tool: 'other' }),
    key({ definition: { sha256: 'e'.repeat(64) } }),
    key({}, 'sandbox'),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

it('lets nothing be moved from one name to the next', () => {
  expect(key({ bridge: 'a","b', tool: 'c' })).not.toBe(key({ bridge: 'a', tool: 'b","c' }));
  expect(key({ bridge: 'ab', tool: 'c' })).not.toBe(key({ bridge: 'a', tool: 'bc' }));
});

it('is a hash: neither a name nor an argument can be read in it', () => {
  expect(keyOf('{"password":"hunter2"}')).toMatch(/^[A-Za-z0-9_-]{43}$/);
});
