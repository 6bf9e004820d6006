import type { Quota } from '#core/call.ts';

/** Of every quota; the draft counts in whole seconds. */
const WINDOW_SECONDS = 60;

/**
 * A quota as the fields of draft-ietf-httpapi-ratelimit-headers (structured fields, one item each): what the policy
 * allows, and what is left until when. Seconds are rounded up, as in `Retry-After`, so that waiting them out is enough.
 * @returns name, value, name, value
 */
export function rateLimitHeaders({ name, perMinute, remaining, resetMs }: Quota): readonly string[] {
  const resetSeconds = Math.max(1, Math.ceil(resetMs / 1000));
  return [
    'RateLimit-Policy',
    `"${name}";q=${perMinute};w=${WINDOW_SECONDS}`,
    'RateLimit',
    `"${name}";r=${remaining};t=${resetSeconds}`,
  ];
}
