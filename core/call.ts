import type { Canceller } from '#core/cancellation.ts';
import type { FirstRequest } from '#core/errors.ts';
import type { Principal } from '#core/principal.ts';

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
  /**
   * The tool takes a key in `params._meta` and hands it to its vendor, which then runs the same key once: a keyed call
   * is `idempotent`.
   */
  readonly vendorKey: boolean;
  /**
   * The tool can tell what became of an earlier call with the same key, where `Prefer: reconcile` asks it. It is asked
   * only where its server says so too. It gets the key with every call, so that it can mark what it does.
   */
  readonly reconcile: boolean;
  /** Calls a minute that one principal may make of this tool, beside its own quota; 0: no quota of the tool's own. */
  readonly ratePerMinute: number;
}

/** A quota that a call was counted against, as the `RateLimit` headers tell it. */
export interface Quota {
  /** Whose quota: of the principal over all tools, or of the principal with this tool. */
  readonly name: 'principal' | 'tool';
  readonly perMinute: number;
  readonly remaining: number;
  /** Until the quota is full again. */
  readonly resetMs: number;
}

/**
 * What the policies did with a call, for those who answer, audit and trace it: one object per call that every copy of
 * the call shares. Each member is written by the policy it names and read by others after the call has ended.
 */
export interface CallReport {
  /** dispatch: how often the call went towards a worker; 0 where it was answered or refused before. */
  attempts: number;
  /** idempotency and cache: where the answer comes from. */
  source: 'child' | 'record' | 'reconciled' | 'cache';
  /** idempotency, where `source` is `record`: the request that ran, so that whatever is made of its answer is the same. */
  first?: FirstRequest;
  /** cache: how old the answer is. */
  ageMs: number;
  /** rate limit: the quota with the least left, undefined where there is none. */
  quota: Quota | undefined;
  /** retry: why the attempt that runs or ran last was allowed, where it was not the first. */
  retry: 'r0' | 'r1' | undefined;
  /** dispatch: how long its attempts waited for workers, all together. */
  waitMs: number;
  /** The session with the child: how long its attempts were in children, all together. */
  childMs: number;
}

/** W3C trace context as received and checked; handed to the child in `params._meta`. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
  /** Those members that the operator lets through, undefined where there are none. */
  readonly baggage?: string;
}

/** The trace id in it, as logs and answers name it. */
export function traceIdOf(trace: TraceContext | undefined): string | undefined {
  return trace?.traceparent.slice(3, 35);
}

/** Follows one call where its trace is recorded. Its methods never throw; nothing of it is there where telemetry is off. */
export interface CallTrace {
  /** An attempt begins: it is to get a worker. */
  attempt(call: ToolCall): AttemptTrace;
}

/** Follows one attempt of a call: `leased` or `refused`; then `sent`, where it was; then `ended` or `failed`. */
export interface AttemptTrace {
  /** What the child is told in place of the caller's context, once it is leased. */
  readonly trace: TraceContext;
  /** It has its worker. */
  leased(worker: TracedWorker): void;
  /** No worker took it. */
  refused(error: unknown): void;
  /** It was handed to the child under this JSON-RPC id. */
  sent(rpcId: number): void;
  ended(result: ToolResult): void;
  failed(error: unknown): void;
}

/** What a trace tells of the worker that has a call. */
export interface TracedWorker {
  readonly id: number;
  readonly pid: number | undefined;
  readonly protocolVersion: string | undefined;
}

/** One validated call of a known tool, as it travels through policies, pool and child. */
export interface ToolCall {
  readonly bridge: string;
  readonly tool: string;
  /** The tool's definition as the child lists it: by its digest (hex), and whether it says that it can look back. */
  readonly definition: { readonly sha256: string; readonly reconciles?: boolean };
  readonly policy: ToolPolicy;
  /** The tool's effect, softened to `idempotent` where the call's key is handed down to the vendor. */
  readonly effect: Effect;
  /** The validated arguments, serialised anew: always a JSON object on one line. */
  readonly argumentsJson: string;
  /** Who calls. */
  readonly principal: Principal;
  readonly requestId: string;
  readonly trace?: TraceContext | undefined;
  /** Set where the call's trace is recorded. */
  readonly follow?: CallTrace | undefined;
  readonly idempotencyKey?: string | undefined;
  /** The digest of the key that is handed down in `params._meta`; set by the idempotency policy for tools that use it. */
  readonly vendorKey?: string;
  /** `Prefer: reconcile`: what became of the earlier call is asked, where it is not known. */
  readonly reconcile: boolean;
  /** The tool is only to look what became of the call; set by the idempotency policy. */
  readonly looksOnly?: true;
  /** `Cache-Control: no-cache`: not to be answered from the cache. */
  readonly fresh: boolean;
  readonly report: CallReport;
  /** `performance.now()` when the request arrived: the deadline counts from here. */
  readonly arrivedAtMs: number;
  /** The whole call's deadline, counted from `arrivedAtMs`; already clamped to `policy.deadlineMs`. */
  readonly timeoutMs: number;
  /**
   * The call's one cancellation. Aborted with a `BridgeError` by the deadline policy or with
   * `CLIENT_GONE` by the HTTP layer; every lower layer listens to `abort.signal` and nothing else.
   */
  readonly abort: Canceller;
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

/** One call from here to its result. Rejects with a BridgeError when the path failed, and never throws. */
export type Invoke = (call: ToolCall) => Promise<ToolResult>;

/**
 * Wraps the rest of the path; whoever has understood one policy has understood all. One that only looks how a call ends
 * hands on the promise that it got and listens to it: each promise in between puts every answer off by one more turn.
 */
export type Policy = (next: Invoke) => Invoke;
