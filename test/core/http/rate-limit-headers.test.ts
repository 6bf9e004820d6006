import { expect, it } from 'vitest';
import { rateLimitHeaders } from '#core/http/rate-limit-headers.ts';

it('tells a quota as two structured fields: what is allowed, and what is left until when', () => {
  expect(rateLimitHeaders({ name: 'principal', perMinute: 100, remaining: 50, resetMs: 30_000 })).toEqual([
    'RateLimit-Policy',
    '"principal";q=100;w=60',
    'RateLimit',
    '"principal";r=50;t=30',
  ]);
});

it.each([
  [60_000, 60],
  [59_001, 60],
  [59_000, 59],
  [1, 1],
  [0, 1],
])('%i ms until the quota is full again are told as %i whole seconds, enough to wait out', (resetMs, seconds) => {
  const [, , , value] = rateLimitHeaders({ name: 'tool', perMinute: 5, remaining: 0, resetMs });
  expect(value).toBe(`"tool";r=0;t=${seconds}`);
});
