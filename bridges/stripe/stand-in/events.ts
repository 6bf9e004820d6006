import type { StoredEvent } from './account.ts';
import type { Endpoint } from './endpoint.ts';
import { pageOf } from './lists.ts';

/** `*` at the end of a type stands for any text, as with Stripe. */
function isOf(wanted: string | undefined, type: string): boolean {
  if (wanted === undefined) return true;
  return wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

/** `/v1/events` */
export const eventEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/v1/events',
    run: (account, params) => {
      const type = params.text('type');
      const created = params.created();
      const fits = (row: StoredEvent) => isOf(type, row.type) && created(row.created);
      return pageOf(params, '/v1/events', account.events.all().filter(fits));
    },
  },
  { method: 'GET', path: '/v1/events/:id', run: (account, _params, { id = '' }) => account.events.get(id) },
];
