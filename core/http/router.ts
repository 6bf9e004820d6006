import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { App } from './app.ts';
import type { NodeExchange } from './node-exchange.ts';

/** Hands a request to the app, which answers it through its exchange. Settles when that is done. */
export type Route = (exchange: NodeExchange) => Promise<void>;

/** The way through Hono: a Request is made of what node:http has read, and the app finds the exchange beside it. */
export function routeThrough(app: App): Route {
  const routed = new WeakMap<object, NodeExchange>();
  const listener: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void> = getRequestListener(
    (request, { incoming }) => {
      const exchange = routed.get(incoming);
      return app.fetch(request, exchange === undefined ? {} : { exchange });
    },
    { overrideGlobalObjects: false, autoCleanupIncoming: false, errorHandler: () => undefined },
  );
  return (exchange) => {
    routed.set(exchange.incoming, exchange);
    return listener(exchange.incoming, exchange.outgoing);
  };
}
