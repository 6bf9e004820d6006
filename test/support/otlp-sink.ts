import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

type Value = string | number | boolean;
type Attributes = Readonly<Record<string, Value>>;

/** A span as a collector got it; ids in hex. */
export interface SinkSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'INTERNAL' | 'SERVER' | 'CLIENT';
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly status: { readonly code: 'UNSET' | 'OK' | 'ERROR'; readonly message: string };
  readonly traceState: string;
  readonly resource: Attributes;
}

/** A metric as a collector got it. */
export interface SinkMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'sum' | 'gauge' | 'histogram';
  readonly points: readonly {
    readonly attributes: Attributes;
    /** Of a histogram the count. */
    readonly value: number;
    readonly sum?: number;
    readonly bucketCounts?: readonly number[];
    readonly bounds?: readonly number[];
  }[];
}

/** How it behaves: takes everything, never answers, answers 503, or answers late. */
export type SinkMood = 'takes' | 'hangs' | 'refuses' | { readonly lateMs: number };

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const STATUS = ['UNSET', 'OK', 'ERROR'];
const MESSAGES = protobuf.loadSync(join(import.meta.dirname, 'otlp.proto'));
const AS_OBJECT = {
  longs: String,
  bytes: String,
  arrays: true,
  objects: true,
  oneofs: false,
  defaults: false,
} as const;

// biome-ignore lint/suspicious/noExplicitAny: whatever was sent
type Sent = any;

/** Of gRPC: flag and length in front of a message, which is here the empty one that says thanks. */
const GRPC_PREFIX_BYTES = 5;
const GRPC_THANKS = Buffer.alloc(GRPC_PREFIX_BYTES);

/**
 * A collector for tests: a real server that reads OTLP as protobuf and as JSON over HTTP, or over gRPC, and misbehaves as
 * told.
 */
export class OtlpSink implements AsyncDisposable {
  mood: SinkMood = 'takes';
  readonly spans: SinkSpan[] = [];
  /** Of the last export. */
  metrics: readonly SinkMetric[] = [];
  /** Requests that came, whatever became of them. */
  requests = 0;
  /** Content types that came. */
  readonly contentTypes = new Set<string>();
  /** Everything received, as it was sent, to look for what must not be there. */
  readonly received: Buffer[] = [];
  readonly #server: Server | Http2Server;
  readonly #sessions = new Set<{ destroy(): void }>();

  private constructor(server: Server | Http2Server) {
    this.#server = server;
  }

  /** One that speaks gRPC and nothing else. */
  static async startGrpc(): Promise<OtlpSink> {
    const server = createHttp2Server();
    const sink = new OtlpSink(server);
    server.on('session', (session) => sink.#sessions.add(session));
    server.on(
      'stream',
      (stream, headers) => void sink.#takeGrpc(stream, String(headers[':path']), String(headers['content-type'])),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return sink;
  }

  static async start({ host = '127.0.0.1', port = 0 } = {}): Promise<OtlpSink> {
    const server = createServer();
    const sink = new OtlpSink(server);
    server.on('request', (request, response) => void sink.#take(request, response));
    server.listen(port, host);
    await once(server, 'listening');
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The spans of one trace, in the order in which they began to be known. */
  trace(traceId: string): readonly SinkSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if ('closeAllConnections' in this.#server) this.#server.closeAllConnections();
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
    await once(this.#server, 'close').catch(() => {});
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return;
    }
    if (this.mood === 'hangs') return;
    if (this.mood === 'refuses') {
      response.writeHead(503).end();
      return;
    }
    const bytes = Buffer.concat(pieces);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    const type = String(request.headers['content-type']);
    this.contentTypes.add(type);
    this.received.push(body);
    if (request.url === '/v1/traces') this.#takeSpans(read(type, body, 'otlp.TracesRequest'));
    else if (request.url === '/v1/metrics') this.#takeMetrics(read(type, body, 'otlp.MetricsRequest'));
    const answer = (): void =>
      void response.writeHead(200, { 'content-type': type }).end(type.includes('json') ? '{}' : '');
    if (this.mood === 'takes') answer();
    else setTimeout(answer, this.mood.lateMs).unref();
  }

  /** One unary call, its message uncompressed. */
  async #takeGrpc(stream: ServerHttp2Stream, path: string, type: string): Promise<void> {
    this.requests += 1;
    const pieces: Buffer[] = [];
    for await (const piece of stream) pieces.push(piece as Buffer);
    const message = Buffer.concat(pieces).subarray(GRPC_PREFIX_BYTES);
    this.contentTypes.add(type);
    this.received.push(message);
    if (path.endsWith('.TraceService/Export')) this.#takeSpans(read(type, message, 'otlp.TracesRequest'));
    else if (path.endsWith('.MetricsService/Export')) this.#takeMetrics(read(type, message, 'otlp.MetricsRequest'));
    stream.respond({ ':status': 200, 'content-type': type }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(GRPC_THANKS);
  }

  #takeSpans(sent: Sent): void {
    for (const { resource, scopeSpans } of sent.resourceSpans ?? []) {
      const of = attributesOf(resource?.attributes);
      for (const { spans } of scopeSpans ?? []) for (const span of spans ?? []) this.spans.push(spanOf(span, of));
    }
  }

  #takeMetrics(sent: Sent): void {
    const scopes = (sent.resourceMetrics ?? []).flatMap((resource: Sent) => resource.scopeMetrics ?? []);
    this.metrics = scopes.flatMap((scope: Sent) => (scope.metrics ?? []).map(metricOf));
  }
}

/** A request of traces as a decoder reads it. */
export function decodeTraces(type: string, body: Buffer): Sent {
  return read(type, body, 'otlp.TracesRequest');
}

function read(type: string, body: Buffer, message: string): Sent {
  if (type.includes('json')) return JSON.parse(body.toString());
  const found = MESSAGES.lookupType(message);
  return found.toObject(found.decode(body), { ...AS_OBJECT, bytes: Buffer as never });
}

function spanOf(span: Sent, resource: Attributes): SinkSpan {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: span.name,
    kind: KINDS[span.kind ?? 0] as SinkSpan['kind'],
    durationMs: (Number(span.endTimeUnixNano) - Number(span.startTimeUnixNano)) / 1e6,
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map((event: Sent) => ({
      name: event.name,
      attributes: attributesOf(event.attributes),
    })),
    status: {
      code: STATUS[span.status?.code ?? 0] as SinkSpan['status']['code'],
      message: span.status?.message ?? '',
    },
    traceState: span.traceState ?? '',
    resource,
  };
}

function metricOf(metric: Sent): SinkMetric {
  const kind = metric.histogram ? 'histogram' : metric.sum ? 'sum' : 'gauge';
  const points = (metric[kind]?.dataPoints ?? []).map((point: Sent) => ({
    attributes: attributesOf(point.attributes),
    value: Number(kind === 'histogram' ? (point.count ?? 0) : (point.asDouble ?? point.asInt ?? 0)),
    ...(kind === 'histogram' && {
      sum: point.sum ?? 0,
      bucketCounts: (point.bucketCounts ?? []).map(Number),
      bounds: point.explicitBounds ?? [],
    }),
  }));
  return { name: metric.name, unit: metric.unit ?? '', kind, points };
}

function attributesOf(pairs: readonly Sent[] = []): Attributes {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const { stringValue, boolValue, intValue, doubleValue } = value ?? {};
      return [key, stringValue ?? boolValue ?? (intValue === undefined ? doubleValue : Number(intValue)) ?? ''];
    }),
  );
}

/** JSON has hex already, protobuf bytes. */
function hex(id: string | Uint8Array | undefined): string {
  return id === undefined ? '' : typeof id === 'string' ? id : Buffer.from(id).toString('hex');
}
