import { connect, type Socket } from 'node:net';
import type { Bridge, BridgeStats } from '#core/bridge.ts';
import type { Invoke, ToolCall, ToolPolicy, ToolResult } from '#core/call.ts';
import { NO_CALLS } from '#core/call-path.ts';
import { createApp } from '#core/http/app.ts';
import { Edge, type HttpOptions } from '#core/http/edge.ts';
import { type ConnectionEvent, HttpServer, type ServerLimits } from '#core/http/server.ts';
import type { Catalog, Tool } from '#core/mcp/catalog.ts';
import { authorize } from '#core/policy/authorize.ts';
import { toolPolicy } from '../../support/calls.ts';

export function fakeTool(name: string, policy: Partial<ToolPolicy> = {}, extra: Partial<Tool> = {}): Tool {
  return {
    name,
    definition: {
      name,
      title: `The ${name}`,
      description: 'Naïve – says it back',
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: true },
      vendorSecret: 'not shown',
    },
    policy: toolPolicy(policy),
    sha256: 'd'.repeat(64),
    reconciles: false,
    changed: false,
    rejected: undefined,
    validate: () => undefined,
    ...extra,
  };
}

export function fakeCatalog(tools: readonly Tool[]): Catalog {
  return {
    tools,
    leftOut: [],
    get: (name) => tools.find((tool) => tool.name === name),
    near: (name) => tools.map((tool) => tool.name).filter((known) => known[0] === name[0]),
  };
}

export function result(text: string | readonly Uint8Array[], isError = false): ToolResult {
  const body = typeof text === 'string' ? [Buffer.from(text)] : text;
  return { body, length: body.reduce((sum, piece) => sum + piece.length, 0), isError };
}

/** A bridge in memory that remembers its calls; `echo` gives the arguments back. */
export interface FakeBridge extends Bridge {
  readonly calls: ToolCall[];
  ready: boolean;
  mode: Bridge['mode'];
  invoke: Invoke;
  tools: Bridge['tools'];
}

export const TOOLS: readonly Tool[] = [
  fakeTool('echo'),
  fakeTool('pay', { effect: 'write', idempotencyKey: 'required', deadlineMs: 5_000 }),
  fakeTool('keyless', { idempotencyKey: 'never' }),
  fakeTool(
    'strict',
    {},
    {
      validate: (args) =>
        'text' in args
          ? undefined
          : Array.from({ length: 25 }, () => ({ pointer: '/text', keyword: 'required', message: 'is missing' })),
    },
  ),
  fakeTool('broken', {}, { rejected: 'a pattern that takes exponential time' }),
];

export function fakeBridge(name: string, overrides: Partial<FakeBridge> = {}): FakeBridge {
  const calls: ToolCall[] = [];
  const catalog = fakeCatalog(TOOLS);
  return {
    name,
    title: `Bridge ${name}`,
    description: 'in memory',
    mode: 'live',
    ready: true,
    calls,
    authorize: ({ principal, tool }) => authorize(principal, name, tool),
    reload: async () => 'unchanged',
    tools: () => catalog,
    invoke: async (call) => {
      calls.push(call);
      return result(call.argumentsJson);
    },
    stats: () => fakeStats(name),
    start: async () => undefined,
    drain: async () => undefined,
    destroy: async () => undefined,
    ...overrides,
  };
}

export function fakeStats(name: string): BridgeStats {
  return {
    name,
    mode: 'live',
    missing: [],
    pool: {
      state: 'ready',
      workers: [
        { id: 1, state: 'ready', inFlight: 2, calls: 7, ageMs: 10, rssBytes: 1000, retireReason: undefined },
        { id: 2, state: 'starting', inFlight: 0, calls: 0, ageMs: 1, rssBytes: undefined, retireReason: undefined },
      ],
      waiting: 3,
      oldestWaiterMs: 1500,
      queueMax: 256,
      max: 4,
      concurrency: 16,
      spawned: 5,
      ended: { age: 2, crashed: 1 },
      failures: 0,
      nextStartInMs: undefined,
    },
    child: {
      noiseLines: 1,
      oversizeLines: 0,
      lateAnswers: 0,
      unknownAnswers: 0,
      refusedRequests: 0,
      stderrBytes: 12,
      stderrDroppedLines: 0,
    },
    ...NO_CALLS,
    calls: { ok: 9, tool_error: 1 },
    retries: { r0: 0, r1: 1, overBudget: 0 },
  } as BridgeStats;
}

export function mapOf(...bridges: readonly Bridge[]): ReadonlyMap<string, Bridge> {
  return new Map(bridges.map((bridge) => [bridge.name, bridge]));
}

export interface Running extends AsyncDisposable {
  readonly port: number;
  readonly edge: Edge;
  readonly server: HttpServer;
  readonly events: ConnectionEvent[];
  /** Sends bytes as they are and collects everything until the connection ends. */
  raw(...parts: readonly (string | Buffer)[]): Promise<string>;
  open(): Socket;
}

export async function serve(options: Partial<HttpOptions> & { readonly limits?: ServerLimits } = {}): Promise<Running> {
  const edge = new Edge({ bridges: mapOf(fakeBridge('alpha'), fakeBridge('beta')), version: '1.2.3', ...options });
  const events: ConnectionEvent[] = [];
  const server = new HttpServer({
    edge,
    app: async () => createApp(edge),
    limits: options.limits ?? {},
    onEvent: (event) => events.push(event),
  });
  const { port } = await server.listen(0, '127.0.0.1');
  const open = (): Socket => connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  return {
    port,
    edge,
    server,
    events,
    open,
    raw: (...parts) => {
      const socket = open();
      for (const part of parts) socket.write(part);
      return collect(socket);
    },
    [Symbol.asyncDispose]: () => server.destroy(),
  };
}

/** Everything that a socket receives until it closes. */
export function collect(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => socket.end());
  return new Promise((resolve) => {
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

/** The answers in a raw conversation, each with its head's lines and its parsed body. */
export function answersIn(text: string): { status: number; headers: Headers; body: string }[] {
  const answers = [];
  let rest = text;
  while (rest.startsWith('HTTP/1.1')) {
    const [head = '', ...more] = rest.split('\r\n\r\n');
    rest = more.join('\r\n\r\n');
    const [first = '', ...lines] = head.split('\r\n');
    const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2) as [string, string]));
    const length = Number(headers.get('content-length') ?? 0);
    const bytes = Buffer.from(rest);
    answers.push({ status: Number(first.split(' ')[1]), headers, body: bytes.subarray(0, length).toString() });
    rest = bytes.subarray(length).toString();
  }
  return answers;
}

/** A raw call with a correct Content-Length. */
export function rawCall(path: string, body = '{}', headers: readonly string[] = []): string {
  return [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    '',
    body,
  ].join('\r\n');
}
