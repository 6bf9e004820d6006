import { SlackRefusal } from './slack-refusal.ts';

/** One page of a list, and the cursor of the next; empty on the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string;
}

/**
 * A page of `all` in its order. The cursor names the last item that was told, so that what is added or taken away in
 * between moves nothing.
 * @throws SlackRefusal `invalid_cursor`, `invalid_limit`
 */
export function pageOf<T>(all: readonly T[], idOf: (item: T) => string, args: URLSearchParams): Page<T> {
  const limit = Number(args.get('limit') ?? '100');
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) throw new SlackRefusal('invalid_limit');
  const cursor = args.get('cursor') ?? '';
  let from = 0;
  if (cursor !== '') {
    const id = /^after:(.+)$/.exec(Buffer.from(cursor, 'base64').toString('utf8'))?.[1];
    if (id === undefined) throw new SlackRefusal('invalid_cursor');
    from = all.findIndex((item) => idOf(item) === id) + 1;
  }
  const items = all.slice(from, from + limit);
  const last = items.at(-1);
  const more = from + limit < all.length && last !== undefined;
  return { items, nextCursor: more ? Buffer.from(`after:${idOf(last)}`).toString('base64') : '' };
}
