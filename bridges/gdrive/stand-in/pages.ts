import { createHash } from 'node:crypto';
import { Refusal } from './refusal.ts';

/** One page of `all`; a page token is good for the same question only. @throws Refusal 400 */
export function page<T>(
  all: readonly T[],
  query: URLSearchParams,
  size: number,
): { readonly members: readonly T[]; readonly nextPageToken: string | undefined } {
  const question = createHash('sha256')
    .update(JSON.stringify([query.get('q'), query.get('orderBy')]))
    .digest('base64url')
    .slice(0, 12);
  const token = query.get('pageToken');
  let from = 0;
  if (token !== null) {
    const [asked, offset] = Buffer.from(token, 'base64url').toString('utf8').split(':');
    from = Number(offset);
    if (asked !== question || !Number.isSafeInteger(from)) throw new Refusal(400, 'invalid', 'Invalid Value');
  }
  const end = from + size;
  return {
    members: all.slice(from, end),
    nextPageToken: end < all.length ? Buffer.from(`${question}:${end}`).toString('base64url') : undefined,
  };
}
