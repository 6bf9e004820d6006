import type { CallReport } from '#core/call.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';

/** Adds what the policies did with a call to the headers of its answer, a result or a problem. */
export function pushReportHeaders(headers: string[], report: CallReport): void {
  if (report.quota !== undefined) headers.push(...rateLimitHeaders(report.quota));
  if (report.source === 'record') headers.push('Idempotency-Replayed', 'true');
  else if (report.source === 'reconciled') headers.push('Idempotency-Reconciled', 'true');
}

/** How long an answer may be kept by whoever is on its way: ours only where it comes from our cache. */
export function cacheHeaders({ source, ageMs }: CallReport): readonly [string, string, ...string[]] {
  return source === 'cache'
    ? ['Age', String(Math.floor(ageMs / 1000)), 'X-Cache', 'hit']
    : ['Cache-Control', 'no-store'];
}
