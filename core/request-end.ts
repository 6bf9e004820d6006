import type { CallReport, CallTrace, Effect, TraceContext } from '#core/call.ts';
import type { ErrorCode, Executed } from '#core/errors.ts';

/** How a request of the main port ended: what its access line, its measures and its trace are made of. */
export interface RequestEnd {
  readonly requestId: string;
  readonly traceId: string | undefined;
  readonly method: string;
  /** The pattern of its address, e.g. `/slack/mcp/tools/:tool`; undefined where it is none of ours. */
  readonly route: string | undefined;
  /** It was to call a tool. */
  readonly isCall: boolean;
  /** Undefined: nobody was left to read it. */
  readonly status: number | undefined;
  /** The problem's code. */
  readonly code: ErrorCode | undefined;
  readonly executed: Executed | undefined;
  /** The tool ran and said no. */
  readonly toolFailed: boolean;
  readonly bridge: string | undefined;
  /** The tool's name as asked for, where it can be one; only a `known` one may become a label or an attribute. */
  readonly tool: string | undefined;
  readonly toolKnown: boolean;
  readonly effect: Effect | undefined;
  readonly principal: string | undefined;
  /** What the policies did, where a call was handed to them. */
  readonly report: CallReport | undefined;
  /** `performance.now()` of its head and of its answer. */
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
}

/** The trace of one request, from its head to its answer. Never throws. */
export interface RequestWatch {
  /** Goes down in place of what the caller sent: the same trace, with this request as the parent. */
  readonly trace: TraceContext;
  /** Follows the request's call; undefined where the trace is not recorded and only its context goes down. */
  readonly call: CallTrace | undefined;
  ended(end: RequestEnd): void;
}

/** What a trace is begun with. */
export interface WatchedRequest {
  readonly method: string;
  readonly target: string;
  readonly arrivedAtMs: number;
  readonly remoteAddress: string;
  header(name: string): string | undefined;
}

/** Begins the trace of a request that continues `given`, or a new one; undefined where none is kept. Never throws. */
export type WatchRequest = (
  request: WatchedRequest,
  requestId: string,
  given: TraceContext | undefined,
) => RequestWatch | undefined;

/** Where a call's answer comes from: what the report says, and `joined` where another call's execution was waited for. */
export function sourceOf({ report, status }: RequestEnd): CallReport['source'] | 'joined' | undefined {
  if (report === undefined) return undefined;
  if (report.source !== 'child' || report.attempts > 0) return report.source;
  return status === 200 ? 'joined' : undefined;
}
