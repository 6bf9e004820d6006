import { expect, it } from 'vitest';
import { canonicalArguments } from '#core/policy/canonical-arguments.ts';

const canonical = (value: unknown): string => canonicalArguments(JSON.stringify(value));

it.each([
  [
    { b: 1, a: 2 },
    { a: 2, b: 1 },
  ],
  [{ x: { b: [{ d: 1, c: 2 }], a: 0 } }, { x: { a: 0, b: [{ c: 2, d: 1 }] } }],
  [
    { b: 1, 10: 2, 9: 3 },
    { 9: 3, b: 1, 10: 2 },
  ],
  [
    { z: 0, '01': 1, 1: 2 },
    { 1: 2, '01': 1, z: 0 },
  ],
  [
    { é: 1, e: 2, '': 3 },
    { '': 3, é: 1, e: 2 },
  ],
])('%j and %j are the same arguments', (one, other) => {
  expect(canonical(one)).toBe(canonical(other));
});

it.each([
  [{ a: 1 }, { a: '1' }],
  [{ a: [1, 2] }, { a: [2, 1] }],
  [{ a: null }, {}],
  [{ a: { b: 1 } }, { 'a.b': 1 }],
  [{ a: [] }, { a: {} }],
  [{ a: 0 }, { a: false }],
])('%j and %j are not', (one, other) => {
  expect(canonical(one)).not.toBe(canonical(other));
});

it('keeps every member, whatever its name', () => {
  const json = '{"constructor":1,"__proto__":{"b":1,"a":2}}';
  expect(canonicalArguments(json)).toBe('{"__proto__":{"a":2,"b":1},"constructor":1}');
});

it('a shuffle changes nothing, at any depth', () => {
  let state = 7;
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  const make = (depth: number): unknown => {
    if (depth === 0) return random(5);
    if (random(3) === 0) return Array.from({ length: random(4) }, () => make(depth - 1));
    return Object.fromEntries(
      Array.from({ length: random(6) }, () => [`${'ab1'[random(3)]}${random(30)}`, make(depth - 1)]),
    );
  };
  const shuffle = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffle);
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([key, member]) => [random(1000), key, shuffle(member)] as const);
    return Object.fromEntries(members.sort(([a], [b]) => a - b).map(([, key, member]) => [key, member]));
  };
  for (let i = 0; i < 300; i++) {
    const value = make(5);
    expect(canonical(shuffle(value))).toBe(canonical(value));
    expect(JSON.parse(canonical(value))).toEqual(value);
  }
});
