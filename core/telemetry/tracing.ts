import {
  type Attributes,
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { AttemptTrace, CallTrace, ToolCall, ToolResult, TraceContext, TracedWorker } from '#core/call.ts';
import { errorTypeOf, errorTypeOfCode } from '#core/error-type.ts';
import { BridgeError, type ErrorCode } from '#core/errors.ts';
import { type RequestEnd, type RequestWatch, sourceOf, type WatchRequest } from '#core/request-end.ts';
import { allowedBaggage } from '#core/telemetry/allowed-baggage.ts';
import { ATTRIBUTE, OTHER, SPAN } from '#core/telemetry/instruments.ts';

/** Waiting for a worker is a span of its own from here on, and an event below. */
const MIN_WAIT_SPAN_MS = 1;
/** The child wrote these messages, and may have put an argument or a secret into them. */
const OF_THE_CHILD: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['child_error', 'invalid_arguments', 'unknown_tool']);
/** Probed every few seconds by whatever balances or restarts; nobody looks at a trace of that. */
const UNWATCHED = '/health';

/** What a process's traces are made with. */
export interface TracingOptions {
  readonly tracer: Tracer;
  /** Keys of the caller's baggage that go down to children. */
  readonly baggageKeys: ReadonlySet<string>;
}

/**
 * Makes the spans of requests: SERVER for the request, INTERNAL for a wait, CLIENT for each attempt in a child, whose
 * context the child gets. Contexts travel with the call, not with the stack: nothing looks for the active span. Of a
 * trace that is not sampled only the context is made and handed on.
 */
export function watchRequests({ tracer, baggageKeys }: TracingOptions): WatchRequest {
  return (request, requestId, given) => {
    if (request.target === UNWATCHED) return undefined;
    const span = tracer.startSpan(
      SPAN.http(request.method, undefined),
      { kind: SpanKind.SERVER, startTime: request.arrivedAtMs },
      given === undefined ? ROOT_CONTEXT : remoteParent(given),
    );
    const baggage = baggageKeys.size === 0 ? undefined : allowedBaggage(request.header('baggage'), baggageKeys);
    const context = contextOf(span, baggage);
    if (!span.isRecording()) return { trace: context, call: undefined, ended: ignore };
    span.setAttribute(ATTRIBUTE.bridgeRequestId, requestId);
    if (request.remoteAddress !== '') span.setAttribute(ATTRIBUTE.clientAddress, request.remoteAddress);
    return new RequestTrace(tracer, span, context);
  };
}

/** A request that is recorded. */
class RequestTrace implements RequestWatch, CallTrace {
  readonly trace: TraceContext;
  readonly call: CallTrace = this;
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;

  constructor(tracer: Tracer, span: Span, context: TraceContext) {
    this.#tracer = tracer;
    this.#span = span;
    this.trace = context;
    this.#context = trace.setSpan(ROOT_CONTEXT, span);
  }

  attempt(call: ToolCall): AttemptTrace {
    return new Attempt(this.#tracer, this.#span, this.#context, call, this.trace.baggage);
  }

  ended(end: RequestEnd): void {
    const span = this.#span;
    const { method, route, status, code, toolFailed } = end;
    span.updateName(SPAN.http(method, route));
    span.setAttributes(serverAttributes(end));
    if (status === undefined) span.setAttribute(ATTRIBUTE.errorType, 'cancelled');
    else if (code !== undefined) span.setAttribute(ATTRIBUTE.errorType, errorTypeOfCode(code));
    else if (toolFailed) span.setAttribute(ATTRIBUTE.errorType, 'tool_error');
    // As the HTTP conventions have it: below 500 the request was answered as it deserved.
    if (status !== undefined && status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: code ?? '' });
    span.end(end.endedAtMs);
  }
}

/** One attempt of a recorded call. */
class Attempt implements AttemptTrace {
  readonly #tracer: Tracer;
  readonly #server: Span;
  readonly #parent: Context;
  readonly #call: ToolCall;
  readonly #baggage: string | undefined;
  readonly #sinceMs = performance.now();
  #span: Span | undefined;

  constructor(tracer: Tracer, server: Span, parent: Context, call: ToolCall, baggage: string | undefined) {
    this.#tracer = tracer;
    this.#server = server;
    this.#parent = parent;
    this.#call = call;
    this.#baggage = baggage;
  }

  leased({ id, pid, protocolVersion }: TracedWorker): TraceContext {
    const nowMs = performance.now();
    const waitMs = nowMs - this.#sinceMs;
    const { tool, report } = this.#call;
    const shared = this.#shared(waitMs);
    if (waitMs >= MIN_WAIT_SPAN_MS) this.#acquireSpan(shared).end(nowMs);
    else this.#server.addEvent(SPAN.acquire, shared, nowMs);
    const attributes: Attributes = {
      ...shared,
      [ATTRIBUTE.bridgeServer]: this.#call.bridge,
      [ATTRIBUTE.mcpMethodName]: 'tools/call',
      [ATTRIBUTE.genAiToolName]: tool,
      [ATTRIBUTE.genAiOperationName]: 'execute_tool',
      [ATTRIBUTE.networkTransport]: 'pipe',
      [ATTRIBUTE.bridgeWorkerId]: id,
    };
    if (pid !== undefined) attributes[ATTRIBUTE.bridgeChildPid] = pid;
    if (protocolVersion !== undefined) attributes[ATTRIBUTE.mcpProtocolVersion] = protocolVersion;
    if (report.retry !== undefined) attributes[ATTRIBUTE.bridgeRetryClass] = report.retry;
    this.#span = this.#tracer.startSpan(
      SPAN.toolsCall(tool),
      { kind: SpanKind.CLIENT, startTime: nowMs, attributes },
      this.#parent,
    );
    return contextOf(this.#span, this.#baggage);
  }

  refused(error: unknown): void {
    const nowMs = performance.now();
    fail(this.#acquireSpan(this.#shared(nowMs - this.#sinceMs)), error, nowMs);
  }

  sent(rpcId: number): void {
    this.#span?.setAttribute(ATTRIBUTE.jsonrpcRequestId, String(rpcId));
  }

  ended({ isError }: ToolResult): void {
    const span = this.#span;
    if (isError) {
      span?.setAttribute(ATTRIBUTE.errorType, 'tool_error');
      span?.setStatus({ code: SpanStatusCode.ERROR });
    }
    span?.end(performance.now());
  }

  failed(error: unknown): void {
    if (this.#span !== undefined) fail(this.#span, error, performance.now());
  }

  #acquireSpan(attributes: Attributes): Span {
    return this.#tracer.startSpan(
      SPAN.acquire,
      { kind: SpanKind.INTERNAL, startTime: this.#sinceMs, attributes },
      this.#parent,
    );
  }

  #shared(waitMs: number): Attributes {
    return {
      [ATTRIBUTE.bridgeAttempt]: this.#call.report.attempts,
      [ATTRIBUTE.bridgePoolWaitMs]: Math.round(waitMs * 1000) / 1000,
    };
  }
}

function serverAttributes(end: RequestEnd): Attributes {
  const { report, route, status } = end;
  const attributes: Attributes = {
    [ATTRIBUTE.httpRequestMethod]: end.method,
    [ATTRIBUTE.urlScheme]: 'http',
    [ATTRIBUTE.networkProtocolName]: 'http',
  };
  const set = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) attributes[name] = value;
  };
  set(ATTRIBUTE.httpRoute, route);
  set(ATTRIBUTE.httpResponseStatusCode, status);
  set(ATTRIBUTE.bridgeServer, end.bridge);
  if (end.isCall && end.tool !== undefined) set(ATTRIBUTE.genAiToolName, end.toolKnown ? end.tool : OTHER);
  set(ATTRIBUTE.bridgePrincipal, end.principal);
  set(ATTRIBUTE.bridgeEffect, end.effect);
  set(ATTRIBUTE.bridgeCode, end.code);
  set(ATTRIBUTE.bridgeExecuted, end.executed);
  if (report === undefined) return attributes;
  set(ATTRIBUTE.bridgeAttempts, report.attempts);
  set(ATTRIBUTE.bridgeSource, sourceOf(end));
  set(ATTRIBUTE.bridgeRetryClass, report.retry);
  set(ATTRIBUTE.bridgeFirstRequestId, report.first?.requestId);
  set(ATTRIBUTE.bridgeFirstTraceId, report.first?.traceId);
  return attributes;
}

function fail(span: Span, error: unknown, endMs: number): void {
  const rpcCode = error instanceof BridgeError ? error.details?.rpcCode : undefined;
  if (rpcCode !== undefined) span.setAttribute(ATTRIBUTE.rpcResponseStatusCode, String(rpcCode));
  span.setAttribute(ATTRIBUTE.errorType, rpcCode === undefined ? errorTypeOf(error) : String(rpcCode));
  if (error instanceof BridgeError) {
    span.setAttribute(ATTRIBUTE.bridgeCode, error.code);
    span.setAttribute(ATTRIBUTE.bridgeExecuted, error.executed);
  }
  const told = error instanceof BridgeError && !OF_THE_CHILD.has(error.code) ? error.message : undefined;
  span.setStatus({ code: SpanStatusCode.ERROR, ...(told !== undefined && { message: told }) });
  span.end(endMs);
}

/** The caller's span as the parent of ours; its form was checked where it came in. */
function remoteParent({ traceparent, tracestate }: TraceContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    traceFlags: Number.parseInt(traceparent.slice(53, 55), 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  });
}

function contextOf(span: Span, baggage: string | undefined): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
  const tracestate = traceState?.serialize();
  if (!tracestate && baggage === undefined) return { traceparent };
  return { traceparent, ...(tracestate && { tracestate }), ...(baggage !== undefined && { baggage }) };
}

function ignore(): void {}
