/**
 * The one error type of the path of a call. Lower layers throw it, `http/problem.ts` alone turns it
 * into a status, so that a code means the same in logs, metrics, tests and answers.
 */

/** Whether the tool may have run: `no` no byte reached a child, `maybe` it was sent, `yes` it answered. */
export type Executed = 'no' | 'maybe' | 'yes';

/** Every problem a caller can be told about, in the order of `http/problem.ts`. */
export type ErrorCode =
  // 400
  | 'bad_request'
  | 'bad_path'
  | 'bad_host'
  | 'invalid_header'
  | 'invalid_json'
  | 'invalid_body'
  | 'json_too_deep'
  | 'json_too_large'
  | 'forbidden_key'
  | 'unsafe_number'
  | 'idempotency_key_required'
  // 401, 403
  | 'unauthorized'
  | 'forbidden_tool'
  | 'forbidden_origin'
  | 'forbidden_host'
  // 404, 405
  | 'unknown_bridge'
  | 'unknown_tool'
  | 'method_not_allowed'
  // 408, 413, 414, 415, 417, 431
  | 'request_timeout'
  | 'body_too_large'
  | 'uri_too_long'
  | 'unsupported_media_type'
  | 'expectation_failed'
  | 'headers_too_large'
  // 409
  | 'idempotency_in_progress'
  | 'not_executed'
  | 'outcome_unknown'
  // 422
  | 'invalid_arguments'
  | 'idempotency_key_reused'
  | 'tool_error'
  // 429
  | 'rate_limited'
  // 500, 501
  | 'internal'
  | 'input_required_unsupported'
  // 502
  | 'child_crashed'
  | 'child_protocol_error'
  | 'child_response_too_large'
  | 'child_error'
  // 503
  | 'queue_full'
  | 'queue_timeout'
  | 'no_worker_ready'
  | 'bridge_unavailable'
  | 'worker_backpressure'
  | 'circuit_open'
  | 'draining'
  | 'not_configured'
  | 'tool_definition_changed'
  | 'schema_rejected'
  | 'idempotency_store_unavailable'
  // 504
  | 'deadline_exceeded';

/** One argument that does not fit the tool's input schema; the value itself is never repeated. */
export interface ArgumentError {
  /** JSON Pointer into the arguments, `""` for the whole object. */
  readonly pointer: string;
  /** The JSON Schema keyword that failed, e.g. `required`. */
  readonly keyword: string;
  readonly message: string;
}

/** What some codes carry beside their message; every member becomes a member of the problem body. */
export interface ErrorDetails {
  /** `invalid_arguments`: at most 20. */
  readonly errors?: readonly ArgumentError[];
  /** `unknown_tool`, `unknown_bridge`: near names. */
  readonly suggestions?: readonly string[];
  /** `child_error`: the JSON-RPC error's code. */
  readonly rpcCode?: number;
}

export interface BridgeErrorOptions {
  /** Default `no`: an error thrown before the child is the common case. */
  readonly executed?: Executed;
  /** When a repeat may succeed, in ms from now; becomes `Retry-After`. */
  readonly retryAfterMs?: number;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
  /** The worker that failed the call, so that a second attempt can avoid it. */
  readonly workerId?: number;
  /** Set where the error is told again from a record: the request that it answered first. */
  readonly first?: FirstRequest;
}

/** The request that an error first answered: a replay names it, so that both bodies are the same. */
export interface FirstRequest {
  readonly requestId: string;
  readonly traceId: string | undefined;
}

/**
 * The path of a call failed. `message` is shown to the caller: it states numbers and what to do next,
 * and never a value of the caller, a path, an environment value or the child's stderr.
 */
export class BridgeError extends Error {
  override readonly name = 'BridgeError';
  readonly code: ErrorCode;
  readonly executed: Executed;
  readonly retryAfterMs: number | undefined;
  readonly details: ErrorDetails | undefined;
  readonly workerId: number | undefined;
  readonly first: FirstRequest | undefined;

  constructor(code: ErrorCode, message: string, options: BridgeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.executed = options.executed ?? 'no';
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
    this.workerId = options.workerId;
    this.first = options.first;
  }
}

/** Anything thrown that is no {@link BridgeError}: a bug of ours, after which nobody knows what ran. Nothing of its text is shown. */
export function internalError(cause: unknown): BridgeError {
  return new BridgeError('internal', 'an error inside the bridge; its log names it by this request id', {
    executed: 'maybe',
    cause,
  });
}

/** The reason a call's signal carries when its client went away: nobody is left to read an answer. */
export const CLIENT_GONE: unique symbol = Symbol('client gone');
