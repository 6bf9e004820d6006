import { Hono } from 'hono/tiny';
import { callTool } from './call-tool.ts';
import { type DoorBindings, respond, routingPath } from './door.ts';
import type { Edge } from './edge.ts';
import { showHealth, showIndex } from './health.ts';
import { listTools, showTool } from './list-tools.ts';
import { type Methods, methodHandler, unknownAddress } from './methods.ts';

/** The names in a path; which of them an address has, its pattern says. */
interface Names {
  readonly bridge?: string;
  readonly tool?: string;
}

/** Every address of the main port. A prefix-less one serves a process with exactly one bridge. */
const ADDRESSES: Readonly<Record<string, (names: Names) => Methods>> = {
  '/': () => ({ GET: showIndex }),
  '/health': () => ({ GET: showHealth }),
  '/mcp/tools': tools,
  '/mcp/tools/:tool': tool,
  '/:bridge/mcp/tools': tools,
  '/:bridge/mcp/tools/:tool': tool,
};

function tools({ bridge }: Names): Methods {
  return { ofBridge: { name: bridge }, GET: (edge, inquiry) => listTools(edge, inquiry, bridge) };
}

function tool({ bridge, tool = '' }: Names): Methods {
  const address = { bridge, tool };
  return {
    ofBridge: { name: bridge },
    GET: (edge, inquiry) => showTool(edge, inquiry, address),
    POST: (edge, inquiry) => callTool(edge, inquiry, address),
  };
}

/** The main port as a Hono app: `app.request()` works on it, and `createHttpServer` serves it. */
export type App = Hono<{ Bindings: DoorBindings }>;

/** Builds the main port's app. */
export function createApp(edge: Edge): App {
  const app: App = new Hono({ getPath: routingPath });
  for (const [pattern, methodsOf] of Object.entries(ADDRESSES)) {
    app.all(pattern, (c) => respond(edge, c, methodHandler(methodsOf(c.req.param()))));
  }
  app.notFound((c) => respond(edge, c, unknownAddress));
  return app;
}
