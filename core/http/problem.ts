import type { Effect } from '#core/call.ts';
import { BridgeError, type ErrorCode, type Executed, internalError } from '#core/errors.ts';
import type { Answer } from './exchange.ts';
import { asciiJson } from './json-text.ts';

/**
 * Whether the same request may be sent again: `never` when it would fail the same way, `if_safe` when it
 * may succeed, which is said only where it cannot run a side effect twice (see {@link isRetryable}).
 */
type Retry = 'never' | 'if_safe';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retry: Retry;
}

/** Every code with its status: the one place where the two meet. A missing code does not compile. */
export const PROBLEMS = {
  bad_request: { status: 400, title: 'The request is not valid HTTP', retry: 'never' },
  bad_path: { status: 400, title: 'The path is malformed', retry: 'never' },
  bad_host: { status: 400, title: 'The Host header is missing, repeated or malformed', retry: 'never' },
  invalid_header: { status: 400, title: 'A request header has an invalid value', retry: 'never' },
  invalid_json: { status: 400, title: 'The body is not valid JSON', retry: 'never' },
  invalid_body: { status: 400, title: 'The body is not a JSON object', retry: 'never' },
  json_too_deep: { status: 400, title: 'The body is nested too deeply', retry: 'never' },
  json_too_large: { status: 400, title: 'The body holds too many values', retry: 'never' },
  forbidden_key: { status: 400, title: 'The body holds a forbidden key', retry: 'never' },
  unsafe_number: { status: 400, title: 'A number in the body cannot be kept exactly', retry: 'never' },
  idempotency_key_required: { status: 400, title: 'This tool needs an Idempotency-Key', retry: 'never' },
  unauthorized: { status: 401, title: 'Valid credentials are required', retry: 'never' },
  forbidden_tool: { status: 403, title: 'This caller may not call this tool', retry: 'never' },
  forbidden_origin: { status: 403, title: 'This origin is not allowed', retry: 'never' },
  forbidden_host: { status: 403, title: 'This host is not allowed', retry: 'never' },
  unknown_bridge: { status: 404, title: 'There is no such bridge', retry: 'never' },
  unknown_tool: { status: 404, title: 'There is no such tool', retry: 'never' },
  method_not_allowed: { status: 405, title: 'This address does not take this method', retry: 'never' },
  request_timeout: { status: 408, title: 'The request did not arrive in time', retry: 'if_safe' },
  body_too_large: { status: 413, title: 'The body is too large', retry: 'never' },
  uri_too_long: { status: 414, title: 'The path is too long', retry: 'never' },
  unsupported_media_type: { status: 415, title: 'The body is not plain application/json', retry: 'never' },
  expectation_failed: { status: 417, title: 'This expectation cannot be met', retry: 'never' },
  headers_too_large: { status: 431, title: 'The request headers are too large', retry: 'never' },
  idempotency_in_progress: { status: 409, title: 'The first call with this key is still running', retry: 'if_safe' },
  not_executed: { status: 409, title: 'The call did not happen', retry: 'if_safe' },
  outcome_unknown: { status: 409, title: 'It is not known whether the call happened', retry: 'never' },
  invalid_arguments: { status: 422, title: "The arguments do not fit the tool's input schema", retry: 'never' },
  idempotency_key_reused: { status: 422, title: 'This key was used with other arguments', retry: 'never' },
  tool_error: { status: 422, title: 'The tool ran and reports a failure', retry: 'never' },
  rate_limited: { status: 429, title: 'This caller is over its quota', retry: 'if_safe' },
  internal: { status: 500, title: 'The bridge failed', retry: 'if_safe' },
  input_required_unsupported: { status: 501, title: 'The tool asks for input, which is not supported', retry: 'never' },
  child_crashed: { status: 502, title: 'The tool server died during the call', retry: 'if_safe' },
  child_protocol_error: { status: 502, title: 'The tool server broke the protocol', retry: 'if_safe' },
  child_response_too_large: { status: 502, title: "The tool server's answer is too large", retry: 'never' },
  child_error: { status: 502, title: 'The tool server reports an error', retry: 'if_safe' },
  queue_full: { status: 503, title: 'All workers are busy and the queue is full', retry: 'if_safe' },
  queue_timeout: { status: 503, title: 'No worker became free in time', retry: 'if_safe' },
  no_worker_ready: { status: 503, title: 'No worker is ready yet', retry: 'if_safe' },
  bridge_unavailable: { status: 503, title: 'The tool server does not start', retry: 'if_safe' },
  worker_backpressure: { status: 503, title: 'The tool server does not read its input', retry: 'if_safe' },
  circuit_open: { status: 503, title: 'Calls are paused after too many failures', retry: 'if_safe' },
  draining: { status: 503, title: 'This process is shutting down', retry: 'if_safe' },
  not_configured: { status: 503, title: 'This bridge is not configured', retry: 'never' },
  tool_definition_changed: { status: 503, title: 'The tool differs from its pinned definition', retry: 'never' },
  schema_rejected: { status: 503, title: "The tool's input schema cannot be used", retry: 'never' },
  idempotency_store_unavailable: { status: 503, title: 'Idempotency keys cannot be kept just now', retry: 'if_safe' },
  deadline_exceeded: { status: 504, title: 'No answer within the deadline', retry: 'if_safe' },
} as const satisfies Record<ErrorCode, ProblemKind>;

/** What is known of the request that a problem answers; members that are not known stay out of the body. */
export interface ProblemContext {
  readonly requestId: string;
  readonly bridge?: string | undefined;
  readonly tool?: string | undefined;
  /** The called tool's effect, where the call came that far. */
  readonly effect?: Effect | undefined;
  readonly traceId?: string | undefined;
  /** 405: the methods that the address takes. */
  readonly allow?: string | undefined;
}

/** A problem before it is written: `body` as JSON text in pure ASCII, `headers` without Content-Length. */
export interface Problem {
  readonly status: number;
  readonly code: ErrorCode;
  readonly executed: Executed;
  readonly headers: string[];
  readonly body: string;
}

/**
 * Whether repeating the same request may succeed without running a side effect twice: nothing ran, or
 * what may have run is harmless to repeat.
 */
export function isRetryable(code: ErrorCode, executed: Executed, effect: Effect | undefined): boolean {
  if (PROBLEMS[code].retry === 'never' || executed === 'yes') return false;
  return executed === 'no' || effect === 'read' || effect === 'idempotent';
}

/**
 * Turns whatever was thrown into a problem (RFC 9457). Anything that is not a {@link BridgeError} becomes
 * `internal`, executed `maybe`, and nothing of its text is shown.
 */
export function toProblem(thrown: unknown, context: ProblemContext): Problem {
  const error = thrown instanceof BridgeError ? thrown : internalError(thrown);
  const kind: ProblemKind = PROBLEMS[error.code];
  const retryAfterMs = retryAfter(error, kind.status);
  const body = {
    type: `urn:mcp-bridge:problem:${error.code}`,
    title: kind.title,
    status: kind.status,
    detail: error.message,
    instance: error.first?.requestId ?? context.requestId,
    code: error.code,
    bridge: context.bridge,
    tool: context.tool,
    executed: error.executed,
    retryable: isRetryable(error.code, error.executed, context.effect),
    retryAfterMs,
    traceId: error.first === undefined ? context.traceId : error.first.traceId,
    errors: error.details?.errors?.slice(0, 20),
    suggestions: error.details?.suggestions,
    rpcCode: error.details?.rpcCode,
  };
  const headers = ['Content-Type', 'application/problem+json', 'X-Request-Id', context.requestId];
  headers.push('Cache-Control', 'no-store');
  if (retryAfterMs !== undefined) headers.push('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (kind.status === 401) headers.push('WWW-Authenticate', 'Bearer realm="mcp-bridge"');
  if (kind.status === 405) headers.push('Allow', context.allow ?? 'GET, HEAD, POST');
  if (kind.status === 415) headers.push('Accept-Post', 'application/json', 'Accept-Encoding', 'identity');
  return { status: kind.status, code: error.code, executed: error.executed, headers, body: asciiJson(body) };
}

/** A problem as an answer. */
export function problemAnswer(problem: Problem): Answer {
  problem.headers.push('Content-Length', String(problem.body.length));
  return { status: problem.status, headers: problem.headers, body: problem.body };
}

/** 429 and 503 always say when to come back; 1 s where nobody knows better. */
function retryAfter(error: BridgeError, status: number): number | undefined {
  if (error.retryAfterMs !== undefined) return Math.max(0, Math.ceil(error.retryAfterMs));
  return status === 429 || status === 503 ? 1000 : undefined;
}
