import { traceIdOf } from '#core/call.ts';
import type { RequestEnd } from '#core/request-end.ts';
import type { Inquiry } from './conclude.ts';

/** The patterns of a bridge's addresses. */
interface Routes {
  readonly tools: string;
  readonly tool: string;
}

const UNKNOWN: Routes = routesBelow(':bridge');
/** One entry for each bridge of the process, so that a pattern is one text for all its requests. */
const BY_BRIDGE = new Map<string, Routes>();

/** What a request came to, when it has its answer, or lost whoever asked (status undefined). */
export function requestEndOf(inquiry: Inquiry, status: number | undefined): RequestEnd {
  const { exchange, bridge, problem, report, tool } = inquiry;
  return {
    requestId: inquiry.requestId,
    traceId: traceIdOf(inquiry.trace),
    method: exchange.method,
    route: routeOf(inquiry),
    isCall: inquiry.address === 'tool' && exchange.method === 'POST',
    status,
    code: problem?.code,
    executed: problem === undefined ? executedOf(inquiry, status) : problem.executed,
    toolFailed: inquiry.toolFailed,
    bridge: bridge?.name,
    tool: inquiry.toolName,
    toolKnown: tool !== undefined,
    effect: tool?.policy.effect,
    principal: inquiry.principal?.id,
    report,
    arrivedAtMs: exchange.arrivedAtMs,
    endedAtMs: performance.now(),
  };
}

function executedOf({ report }: Inquiry, status: number | undefined): RequestEnd['executed'] {
  if (report === undefined) return undefined;
  if (status === undefined) return report.attempts === 0 ? 'no' : 'maybe';
  return report.source === 'cache' ? 'no' : 'yes';
}

function routeOf({ address, bridge }: Inquiry): string | undefined {
  if (address === 'tool' || address === 'tools') return routesOf(bridge?.name)[address];
  return address;
}

function routesOf(bridge: string | undefined): Routes {
  if (bridge === undefined) return UNKNOWN;
  let routes = BY_BRIDGE.get(bridge);
  if (routes === undefined) {
    routes = routesBelow(bridge);
    BY_BRIDGE.set(bridge, routes);
  }
  return routes;
}

function routesBelow(bridge: string): Routes {
  return { tools: `/${bridge}/mcp/tools`, tool: `/${bridge}/mcp/tools/:tool` };
}
