import { describe, expect, test } from 'vitest';
import { patternCost } from '../../../core/mcp/pattern-cost.ts';
import { emailAddress, inputSchema, instant, z } from '../../../core/server-kit/schema.ts';

describe('a point in time', () => {
  test.each(['2027-06-12T09:00:00+02:00', '2027-06-12T09:00Z', '2028-02-29T23:59:59.123456789-05:30'])(
    'is %s',
    (text) => {
      expect(instant.safeParse(text).success).toBe(true);
    },
  );

  test.each([
    '2027-02-29T00:00:00Z',
    '2027-13-01T00:00:00Z',
    '2027-06-12T25:00:00Z',
    '2027-06-12T09:00:00+99:00',
    '2027-06-12T09:00:00',
    '2027-06-12',
    'tomorrow',
  ])('is not %s', (text) => {
    expect(instant.safeParse(text).success).toBe(false);
  });
});

test('an e-mail address is one', () => {
  for (const good of ['a@b.example', "o'neil+list@mail.b.example"]) {
    expect(emailAddress.safeParse(good).success).toBe(true);
  }
  for (const bad of ['a', 'a@b', 'a b@c.example', `${'a'.repeat(250)}@b.example`]) {
    expect(emailAddress.safeParse(bad).success).toBe(false);
  }
});

test('both list a pattern whose cost is known, so that a call is checked at once', () => {
  const { properties } = inputSchema(z.object({ at: instant, email: emailAddress })) as unknown as {
    readonly properties: Readonly<Record<string, { readonly pattern: string; readonly format: string }>>;
  };
  for (const { pattern } of Object.values(properties)) expect(patternCost(pattern).exponent).toBeLessThanOrEqual(1);
  expect(Object.values(properties).map(({ format }) => format)).toEqual(['date-time', 'email']);
});
