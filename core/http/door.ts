import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { pathOf } from './address.ts';
import { conclude, type Handler } from './conclude.ts';
import type { Edge } from './edge.ts';
import type { NodeExchange } from './node-exchange.ts';
import { toResponse, WebExchange } from './web-exchange.ts';

/** What the server hands to the app beside a Request; absent when the app is called directly. */
export interface DoorBindings {
  readonly exchange?: NodeExchange;
}

/**
 * What the router matches: the raw path, nothing decoded or resolved. A trailing slash makes another address,
 * which Hono's routers would overlook if it stood alone.
 */
export function routingPath(request: Request, options?: { readonly env?: DoorBindings }): string {
  const path = pathOf(options?.env?.exchange?.target ?? targetOf(request));
  return path.length > 1 && path.endsWith('/') ? `${path}/` : path;
}

/** Answers a routed request: through the server's own writer where there is one, else as a Response. */
export async function respond(edge: Edge, c: Context<{ Bindings: DoorBindings }>, handle: Handler): Promise<Response> {
  const incoming = c.env?.exchange;
  if (incoming !== undefined) {
    incoming.send(await conclude(edge, incoming, handle));
    return RESPONSE_ALREADY_SENT;
  }
  const exchange = new WebExchange(c.req.raw, targetOf(c.req.raw));
  return toResponse(exchange, await conclude(edge, exchange, handle));
}

function targetOf({ url }: Request): string {
  return url.slice(url.indexOf('/', url.indexOf('://') + 3));
}
