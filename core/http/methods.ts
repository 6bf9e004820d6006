import { BridgeError } from '#core/errors.ts';
import { pathOf } from './address.ts';
import type { Handler, Inquiry } from './conclude.ts';
import type { Edge } from './edge.ts';
import type { Answer } from './exchange.ts';
import { isPreflight, preflightHeaders } from './gate.ts';
import { findBridge, unknownBridge } from './lookup.ts';

/** What one address takes: HEAD comes with GET. */
export interface Methods {
  /** Set where the address belongs to a bridge, named or left out: that is checked before the method. */
  readonly ofBridge?: { readonly name: string | undefined };
  readonly GET?: Handler;
  readonly POST?: Handler;
}

/** The one handler of an address: a preflight, one of its methods, or 405. */
export function methodHandler(methods: Methods): Handler {
  return (edge, inquiry) => {
    const { method } = inquiry.exchange;
    const allow = allowOf(methods);
    if (isPreflight(inquiry.exchange)) return preflight(inquiry, allow);
    const handler = method === 'GET' || method === 'HEAD' ? methods.GET : method === 'POST' ? methods.POST : undefined;
    return handler === undefined ? refuseMethod(edge, inquiry, methods, allow) : handler(edge, inquiry);
  };
}

/** No address at all; below a known bridge the detail says which addresses there are. @throws BridgeError always */
export const unknownAddress: Handler = async (edge, inquiry) => {
  const principal = await edge.authenticate(inquiry.exchange);
  const first = decodeURIComponent(pathOf(inquiry.exchange.target).split('/')[1] ?? '');
  if (first === 'mcp' && edge.onlyBridge !== undefined) inquiry.bridge = edge.onlyBridge;
  else inquiry.bridge = edge.bridges.get(first);
  if (inquiry.bridge === undefined) throw unknownBridge(edge, first, principal);
  const { name } = inquiry.bridge;
  throw new BridgeError(
    'unknown_tool',
    `no such address: the tools of this bridge are listed at /${name}/mcp/tools and called at /${name}/mcp/tools/{tool}`,
  );
};

function allowOf(methods: Methods): string {
  const allowed = methods.GET === undefined ? [] : ['GET', 'HEAD'];
  if (methods.POST !== undefined) allowed.push('POST');
  return allowed.join(', ');
}

async function refuseMethod(edge: Edge, inquiry: Inquiry, methods: Methods, allow: string): Promise<Answer> {
  if (methods.ofBridge !== undefined) {
    const principal = await edge.authenticate(inquiry.exchange);
    findBridge(edge, inquiry, methods.ofBridge.name, principal);
  }
  inquiry.allow = allow;
  throw new BridgeError('method_not_allowed', `this address takes ${allow}`);
}

function preflight(inquiry: Inquiry, allow: string): Answer {
  return { status: 204, headers: ['X-Request-Id', inquiry.requestId, ...preflightHeaders(allow)], body: '' };
}
