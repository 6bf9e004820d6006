import type { Effect } from '#core/call.ts';
import { type Log, withFields } from '#core/server-kit/log.ts';
import { ToolError } from '#core/server-kit/tool-error.ts';

/** `params._meta` key: how long the caller still waits, in ms, when the call was written. */
export const DEADLINE_META = 'mcp-bridge-fleet/deadlineMs';
/** `params._meta` key: the digest to hand to a vendor as its idempotency key. */
export const IDEMPOTENCY_META = 'mcp-bridge-fleet/idempotencyKey';
/**
 * `params._meta` key: `true` asks what became of an earlier call with the same key and arguments; nothing is run. In the
 * `_meta` of a listed tool `true` says that it can be asked.
 */
export const RECONCILE_META = 'mcp-bridge-fleet/reconcile';
/** `params._meta` key: the id of whoever calls, handed only to servers whose manifest asks for it. */
export const PRINCIPAL_META = 'mcp-bridge-fleet/principal';
/** Key in a result's `_meta`: what was found, `executed`, `not_executed` or `unknown`. */
export const RECONCILED_META = 'mcp-bridge-fleet/reconciled';

/** What one call may know and must obey. */
export interface ToolContext {
  /**
   * Aborted when the caller cancelled, the deadline passed or this process is to end. Its reason is
   * always a ToolError (`cancelled`, `deadline_exceeded`, `shutting_down`), so it can be thrown as it is.
   */
  readonly signal: AbortSignal;
  /** The whole deadline in ms as handed down; undefined where the caller gave none. */
  readonly deadlineMs: number | undefined;
  /** What is left of it now, never below 0; `Infinity` without a deadline. */
  remainingMs(): number;
  /** For the vendor's own idempotency, where the bridge handed one down. */
  readonly idempotencyKey: string | undefined;
  /** Who calls, by a checked credential; undefined where the manifest does not set `principalMeta`. */
  readonly principal: string | undefined;
  /** W3C trace context of the call, checked; a vendor may be handed it in a header of this name. */
  readonly traceparent?: string | undefined;
  /** Its lines carry the trace id, where there is one. */
  readonly log: Log;
}

/** A context together with the end of its timers and listeners. */
export interface OpenContext extends Disposable {
  readonly context: ToolContext;
}

const MAX_TIMER_MS = 2 ** 31 - 1;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

function textIn(meta: Readonly<Record<string, unknown>> | undefined, key: string): string | undefined {
  const value = meta?.[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function traceparentIn(meta: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const value = textIn(meta, 'traceparent');
  return value !== undefined && TRACEPARENT.test(value) ? value : undefined;
}

/** The log with the call's trace id on each line, where the call has one. */
export function tracedLog(log: Log, meta: Readonly<Record<string, unknown>> | undefined): Log {
  const traceId = traceparentIn(meta)?.slice(3, 35);
  return traceId === undefined ? log : withFields(log, { traceId });
}

/** Makes the context of one call. `cancelled` is the protocol's signal, `ending` the process's. */
export function openContext(options: {
  readonly effect: Effect;
  readonly meta: Readonly<Record<string, unknown>> | undefined;
  readonly cancelled: AbortSignal;
  readonly ending: AbortSignal;
  readonly log: Log;
}): OpenContext {
  const { effect, meta, cancelled, ending, log } = options;
  const startedAtMs = performance.now();
  const given = meta?.[DEADLINE_META];
  const deadlineMs = typeof given === 'number' && Number.isFinite(given) && given >= 0 ? given : undefined;
  const abort = new AbortController();
  const retryable = effect !== 'write';

  const onCancelled = () => abort.abort(new ToolError('cancelled', 'the caller cancelled the call', { retryable }));
  const onEnding = () => abort.abort(new ToolError('shutting_down', 'the server is ending', { retryable }));
  const onDeadline = () =>
    abort.abort(new ToolError('deadline_exceeded', `not finished within ${deadlineMs} ms`, { retryable }));

  if (cancelled.aborted) onCancelled();
  else if (ending.aborted) onEnding();
  cancelled.addEventListener('abort', onCancelled);
  ending.addEventListener('abort', onEnding);
  const timer = deadlineMs === undefined ? undefined : setTimeout(onDeadline, Math.min(deadlineMs, MAX_TIMER_MS));

  return {
    context: {
      signal: abort.signal,
      deadlineMs,
      remainingMs: () =>
        deadlineMs === undefined
          ? Number.POSITIVE_INFINITY
          : Math.max(0, deadlineMs - (performance.now() - startedAtMs)),
      idempotencyKey: textIn(meta, IDEMPOTENCY_META),
      principal: textIn(meta, PRINCIPAL_META),
      traceparent: traceparentIn(meta),
      log: tracedLog(log, meta),
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      cancelled.removeEventListener('abort', onCancelled);
      ending.removeEventListener('abort', onEnding);
    },
  };
}
