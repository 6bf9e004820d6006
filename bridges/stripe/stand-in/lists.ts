import { invalid, missing } from './fault.ts';
import type { Params } from './params.ts';

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;

/** One page of Stripe's lists, newest first. @param rows oldest first, filtered already */
export function pageOf<T extends { readonly id: string }>(params: Params, url: string, rows: readonly T[]): object {
  const limit = params.integer('limit') ?? DEFAULT_LIMIT;
  const after = params.text('starting_after');
  const before = params.text('ending_before');
  params.nothingElse();
  if (limit < 1 || limit > MAX_LIMIT) {
    throw invalid(`Limit must be from 1 to ${MAX_LIMIT}`, 'parameter_invalid_integer', 'limit');
  }
  const newest = rows.toReversed();
  const at = (id: string, param: string): number => {
    const found = newest.findIndex((row) => row.id === id);
    if (found === -1) throw missing('object', id, param);
    return found;
  };
  if (before !== undefined) {
    const end = at(before, 'ending_before');
    const start = Math.max(0, end - limit);
    return { object: 'list', url, has_more: start > 0, data: newest.slice(start, end) };
  }
  const start = after === undefined ? 0 : at(after, 'starting_after') + 1;
  const data = newest.slice(start, start + limit);
  return { object: 'list', url, has_more: start + data.length < newest.length, data };
}
