import { Hono } from 'hono/tiny';
import { BridgeError } from '#core/errors.ts';
import type { App } from './app.ts';
import type { Handler, Inquiry } from './conclude.ts';
import { respond, routingPath } from './door.ts';
import type { Edge } from './edge.ts';
import type { Answer } from './exchange.ts';
import { canServe } from './health.ts';
import { bytesAnswer, jsonAnswer } from './json-answer.ts';
import { methodHandler } from './methods.ts';
import type { ServicesReport } from './services-report.ts';

export interface OpsOptions {
  /** The edge that serves the ops port: its requests are counted apart. */
  readonly edge: Edge;
  /** The main port's edge, whose bridges and counts are shown. */
  readonly main: Edge;
  /** Whether the main port is open yet; default yes. */
  readonly open?: () => boolean;
  /** What the bridges share; default nothing but memory. */
  readonly services?: OpsServices;
  /** The numbers in Prometheus' text format; without it there is no `/metrics`. */
  readonly metrics?: () => string;
  /** What `/status` shows beside bridges and services. */
  readonly about?: () => Readonly<Record<string, unknown>>;
}

/** What the bridges of the process share, as the ops port shows it. */
export interface OpsServices {
  /** What the process goes on without, e.g. a store that is away; said, but no reason to take no traffic. */
  degraded(): readonly string[];
  status(): ServicesReport;
}

const memoryOnly: OpsServices = {
  degraded: () => [],
  status: () => ({ stores: 'memory', audit: 'off', auth: 'none' }),
};

/** Builds the ops port's app: `/livez`, `/readyz`, `/status`, `/metrics`. */
export function createOpsApp({
  edge,
  main,
  open = () => true,
  services = memoryOnly,
  metrics,
  about,
}: OpsOptions): App {
  // Counted from the start of the process.
  const uptimeMs = (): number => Math.round(performance.now());
  const addresses: Readonly<Record<string, Handler>> = {
    '/livez': (_edge, inquiry) => jsonAnswer(inquiry, 200, { status: 'ok' }),
    '/readyz': (_edge, inquiry) => showReadiness(main, inquiry, open() && canServe(main), services.degraded()),
    '/status': (_edge, inquiry) => showStatus(main, inquiry, uptimeMs(), services, about?.()),
    ...(metrics && { '/metrics': (_edge, inquiry) => showMetrics(inquiry, metrics()) }),
  };
  const app: App = new Hono({ getPath: routingPath });
  for (const [path, handler] of Object.entries(addresses)) {
    app.all(path, (c) => respond(edge, c, methodHandler({ GET: handler })));
  }
  app.notFound((c) => respond(edge, c, nothingHere));
  return app;
}

function showReadiness(main: Edge, inquiry: Inquiry, ready: boolean, degraded: readonly string[]): Answer {
  const bridges = [...main.bridges.values()].map((bridge) => {
    const { pool } = bridge.stats();
    return [bridge.name, { ready: bridge.ready, mode: bridge.mode, state: pool?.state ?? 'not_configured' }] as const;
  });
  return jsonAnswer(inquiry, ready ? 200 : 503, {
    status: main.draining ? 'draining' : ready ? 'ready' : 'not_ready',
    bridges: Object.fromEntries(bridges),
    degraded,
  });
}

function showStatus(
  main: Edge,
  inquiry: Inquiry,
  uptimeMs: number,
  services: OpsServices,
  about: Readonly<Record<string, unknown>> = {},
): Answer {
  const bridges = [...main.bridges.values()].map((bridge) => {
    const { name, ...stats } = bridge.stats();
    return [name, { title: bridge.title, ready: bridge.ready, ...stats }] as const;
  });
  return jsonAnswer(inquiry, 200, {
    version: main.version,
    uptimeMs,
    draining: main.draining,
    ...about,
    ...services.status(),
    degraded: services.degraded(),
    answers: main.answers,
    callsInFlight: main.callsInFlight,
    bridges: Object.fromEntries(bridges),
  });
}

function showMetrics(inquiry: Inquiry, text: string): Answer {
  return bytesAnswer(inquiry, 200, 'text/plain; version=0.0.4; charset=utf-8', Buffer.from(text));
}

const nothingHere: Handler = () => {
  throw new BridgeError('unknown_bridge', 'the ops port serves /livez, /readyz, /status and /metrics');
};
