import type { AttemptTrace, CallTrace, ToolCall, ToolResult, TraceContext, TracedWorker } from '#core/call.ts';
import type { RequestEnd, RequestWatch, WatchedRequest, WatchRequest } from '#core/request-end.ts';
import { allowedBaggage } from '#core/telemetry/allowed-baggage.ts';
import { EndedSpan, SPAN_KIND, type SpanEvent, type SpanSink } from '#core/telemetry/ended-span.ts';
import { ATTRIBUTE, SPAN } from '#core/telemetry/instruments.ts';
import type { Sampler } from '#core/telemetry/sampler.ts';
import { setEnd, setFailure } from '#core/telemetry/span-attributes.ts';
import { wallOriginMs } from '#core/telemetry/span-time.ts';
import { newSpanId, newTrace } from '#core/telemetry/trace-ids.ts';

/** Waiting for a worker is a span of its own from here on, and an event below. */
const MIN_WAIT_SPAN_MS = 1;
/** Probed every few seconds by whatever balances or restarts; nobody looks at a trace of that. */
const UNWATCHED = '/health';

/** What a process's traces are made with. */
export interface TracingOptions {
  readonly sampler: Sampler;
  readonly spans: SpanSink;
  /** Keys of the caller's baggage that go down to children. */
  readonly baggageKeys: ReadonlySet<string>;
}

/**
 * Makes the spans of requests: SERVER for the request, INTERNAL for a wait, CLIENT for each attempt in a child, whose
 * context the child gets. Contexts travel with the call, not with the stack: nothing looks for the active span. Of a
 * trace that is not sampled only the context is made and handed on.
 */
export function watchRequests({ sampler, spans, baggageKeys }: TracingOptions): WatchRequest {
  return (request, requestId, given) => {
    if (request.target === UNWATCHED) return undefined;
    let traceId: string;
    let sampled: boolean;
    if (given === undefined) {
      const { id, weight } = newTrace();
      traceId = id;
      sampled = sampler.begins(weight);
    } else {
      traceId = given.traceparent.slice(3, 35);
      sampled = sampler.goesOn(given, traceId);
    }
    const spanId = newSpanId();
    const baggage = baggageKeys.size === 0 ? undefined : allowedBaggage(request.header('baggage'), baggageKeys);
    const trace = contextOf(traceId, spanId, sampled ? '01' : '00', given?.tracestate, baggage);
    if (!sampled) return new UnsampledRequest(trace);
    return new RequestTrace(spans, request, requestId, trace, traceId, spanId, given?.traceparent.slice(36, 52) ?? '');
  };
}

/** A request that is not recorded. */
class UnsampledRequest implements RequestWatch {
  readonly trace: TraceContext;
  readonly call: undefined = undefined;

  constructor(trace: TraceContext) {
    this.trace = trace;
  }

  ended(): void {}
}

/** Every span, while it is encoded. */
const ended = new EndedSpan();

/** A request that is recorded. */
class RequestTrace implements RequestWatch, CallTrace {
  readonly trace: TraceContext;
  readonly call: CallTrace = this;
  readonly #spans: SpanSink;
  readonly #requestId: string;
  readonly #remoteAddress: string;
  readonly #traceId: string;
  readonly #spanId: string;
  /** The caller's span; empty where it has none. */
  readonly #parentSpanId: string;
  readonly #originMs = wallOriginMs();
  #events: SpanEvent[] | undefined = undefined;

  constructor(
    spans: SpanSink,
    request: WatchedRequest,
    requestId: string,
    trace: TraceContext,
    traceId: string,
    spanId: string,
    parentSpanId: string,
  ) {
    this.trace = trace;
    this.#spans = spans;
    this.#requestId = requestId;
    this.#remoteAddress = request.remoteAddress;
    this.#traceId = traceId;
    this.#spanId = spanId;
    this.#parentSpanId = parentSpanId;
  }

  attempt(call: ToolCall): AttemptTrace {
    return new Attempt(this, call);
  }

  /** Beside what has a span of its own; nothing once the request has ended. */
  happened(event: SpanEvent): void {
    if (this.#events === undefined) this.#events = [event];
    else this.#events.push(event);
  }

  /** What the child is told of the span of an attempt. */
  contextOf(spanId: string): TraceContext {
    const { tracestate, baggage } = this.trace;
    return contextOf(this.#traceId, spanId, '01', tracestate, baggage);
  }

  /** Takes the one span for one below the request's own. */
  begin(spanId: string, name: string, kind: number, startMs: number, endMs: number): EndedSpan {
    return this.#begin(spanId, name, kind, this.#spanId, startMs, endMs);
  }

  /** The span that `begin` gave is complete. */
  add(): void {
    this.#spans.add(ended);
  }

  ended(end: RequestEnd): void {
    const { arrivedAtMs, endedAtMs } = end;
    const name = SPAN.http(end.method, end.route);
    const span = this.#begin(this.#spanId, name, SPAN_KIND.server, this.#parentSpanId, arrivedAtMs, endedAtMs);
    span.parentIsRemote = this.#parentSpanId !== '';
    if (this.#events !== undefined) span.events = this.#events;
    setEnd(span, end);
    span.settle();
    span.set(ATTRIBUTE.bridgeRequestId, this.#requestId);
    if (this.#remoteAddress !== '') span.set(ATTRIBUTE.clientAddress, this.#remoteAddress);
    this.#spans.add(span);
  }

  #begin(spanId: string, name: string, kind: number, parent: string, startMs: number, endMs: number): EndedSpan {
    ended.begin(this.#traceId, spanId, name, kind);
    ended.parentSpanId = parent;
    ended.traceState = this.trace.tracestate ?? '';
    ended.originMs = this.#originMs;
    ended.startMs = startMs;
    ended.endMs = endMs;
    return ended;
  }
}

/** One attempt of a recorded call. */
class Attempt implements AttemptTrace {
  trace: TraceContext;
  readonly #request: RequestTrace;
  readonly #call: ToolCall;
  readonly #number: number;
  readonly #sinceMs = performance.now();
  /** Empty: it has no worker yet, or its span has ended. */
  #spanId = '';
  #leasedAtMs = 0;
  #waitMs = 0;
  #retry: 'r0' | 'r1' | undefined = undefined;
  #worker: TracedWorker | undefined = undefined;
  #rpcId: number | undefined = undefined;

  constructor(request: RequestTrace, call: ToolCall) {
    this.trace = request.trace;
    this.#request = request;
    this.#call = call;
    this.#number = call.report.attempts;
  }

  leased(worker: TracedWorker): void {
    const nowMs = performance.now();
    this.#leasedAtMs = nowMs;
    this.#worker = worker;
    this.#retry = this.#call.report.retry;
    this.#waited(nowMs);
    if (nowMs - this.#sinceMs >= MIN_WAIT_SPAN_MS) {
      this.#beginWait(nowMs);
      this.#request.add();
    } else {
      const attributes = [
        [ATTRIBUTE.bridgeAttempt, this.#number],
        [ATTRIBUTE.bridgePoolWaitMs, this.#waitMs],
      ] as const;
      this.#request.happened({ name: SPAN.acquire, atMs: nowMs, attributes });
    }
    this.#spanId = newSpanId();
    this.trace = this.#request.contextOf(this.#spanId);
  }

  refused(error: unknown): void {
    const nowMs = performance.now();
    this.#waited(nowMs);
    setFailure(this.#beginWait(nowMs), error);
    this.#request.add();
  }

  sent(rpcId: number): void {
    this.#rpcId = rpcId;
  }

  ended({ isError }: ToolResult): void {
    if (this.#spanId === '') return;
    const span = this.#beginCall();
    if (isError) {
      span.set(ATTRIBUTE.errorType, 'tool_error');
      span.failed = true;
    }
    this.#request.add();
  }

  failed(error: unknown): void {
    if (this.#spanId === '') return;
    setFailure(this.#beginCall(), error);
    this.#request.add();
  }

  #waited(nowMs: number): void {
    this.#waitMs = Math.round((nowMs - this.#sinceMs) * 1000) / 1000;
  }

  #beginWait(nowMs: number): EndedSpan {
    const span = this.#request.begin(newSpanId(), SPAN.acquire, SPAN_KIND.internal, this.#sinceMs, nowMs);
    this.#setCounts(span);
    return span;
  }

  #beginCall(): EndedSpan {
    const { tool, bridge } = this.#call;
    const name = SPAN.toolsCall(tool);
    const span = this.#request.begin(this.#spanId, name, SPAN_KIND.client, this.#leasedAtMs, performance.now());
    this.#spanId = '';
    span.set(ATTRIBUTE.bridgeServer, bridge);
    span.set(ATTRIBUTE.mcpMethodName, 'tools/call');
    span.set(ATTRIBUTE.genAiToolName, tool);
    span.set(ATTRIBUTE.genAiOperationName, 'execute_tool');
    span.set(ATTRIBUTE.networkTransport, 'pipe');
    span.set(ATTRIBUTE.bridgeWorkerId, this.#worker?.id);
    span.set(ATTRIBUTE.bridgeChildPid, this.#worker?.pid);
    span.set(ATTRIBUTE.mcpProtocolVersion, this.#worker?.protocolVersion);
    span.settle();
    this.#setCounts(span);
    span.set(ATTRIBUTE.bridgeRetryClass, this.#retry);
    if (this.#rpcId !== undefined) span.set(ATTRIBUTE.jsonrpcRequestId, String(this.#rpcId));
    return span;
  }

  #setCounts(span: EndedSpan): void {
    span.set(ATTRIBUTE.bridgeAttempt, this.#number);
    span.set(ATTRIBUTE.bridgePoolWaitMs, this.#waitMs);
  }
}

/** A tracestate goes on as it came; its form, and that of the traceparent, was checked where it came in. */
function contextOf(
  traceId: string,
  spanId: string,
  flags: '00' | '01',
  tracestate: string | undefined,
  baggage: string | undefined,
): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-${flags}`;
  if (!tracestate) return baggage === undefined ? { traceparent } : { traceparent, baggage };
  return baggage === undefined ? { traceparent, tracestate } : { traceparent, tracestate, baggage };
}
