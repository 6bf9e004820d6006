/**
 * What repeating a tool does, as the operator says it in the manifest; a child's own annotations are
 * never the source. `read` changes nothing, `idempotent` ends the same when run twice, `write` must
 * not run twice.
 */
export type Effect = 'read' | 'idempotent' | 'write';

/** The operator's settings for one tool, defaults filled in. */
export interface ToolPolicy {
  readonly effect: Effect;
  /** Default and maximum of a call's deadline. */
  readonly deadlineMs: number;
  /** 0: never cached. */
  readonly cacheTtlMs: number;
  readonly idempotencyKey: 'never' | 'optional' | 'required';
}

/** W3C trace context as received and checked; handed to the child in `params._meta`. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** One validated call of a known tool, as it travels through policies, pool and child. */
export interface ToolCall {
  readonly bridge: string;
  readonly tool: string;
  readonly policy: ToolPolicy;
  /** The validated arguments, serialised anew: always a JSON object on one line. */
  readonly argumentsJson: string;
  /** Who calls; `anonymous` where authentication is off. */
  readonly principal: string;
  readonly requestId: string;
  readonly trace?: TraceContext;
  readonly idempotencyKey?: string;
  /** `performance.now()` when the request arrived: the deadline counts from here. */
  readonly arrivedAtMs: number;
  /** The whole call's deadline, counted from `arrivedAtMs`; already clamped to `policy.deadlineMs`. */
  readonly timeoutMs: number;
  /**
   * The call's one cancellation. Aborted with a `BridgeError` by the deadline policy or with
   * `CLIENT_GONE` by the HTTP layer; every lower layer listens to `abort.signal` and nothing else.
   */
  readonly abort: AbortController;
  /** Workers a further attempt must not use. */
  readonly avoid?: ReadonlySet<number>;
}

/** A tool's `CallToolResult`, exactly the child's bytes. */
export interface ToolResult {
  /** The JSON text of the result, possibly in several pieces; joined they are one JSON object. */
  readonly body: readonly Uint8Array[];
  /** Sum of the pieces' lengths. */
  readonly length: number;
  /** The result's own `isError: true`: the tool ran and says no. */
  readonly isError: boolean;
}

/** One call from here to its result. @throws BridgeError when the path failed. */
export type Invoke = (call: ToolCall) => Promise<ToolResult>;

/** Wraps the rest of the path; whoever has understood one policy has understood all. */
export type Policy = (next: Invoke) => Invoke;
