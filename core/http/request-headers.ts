import { randomUUID } from 'node:crypto';
import type { ToolPolicy, TraceContext } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import type { Exchange } from './exchange.ts';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[!-~]{1,256})?$/;
const TRACESTATE_MEMBER =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;
const IDEMPOTENCY_KEY = /^[!-~]{1,255}$/;
/** With any value: whoever says more than the bare word must not have the call run instead. */
const RECONCILE = /(?:^|[,;])[ \t]*reconcile[ \t]*(?:[=,;]|$)/i;
const NO_CACHE = /(?:^|,)[ \t]*no-(?:cache|store)[ \t]*(?:,|$)/i;
const POSITIVE_INTEGER = /^0*[1-9][0-9]*$/;
const STRICT = /(?:^|[,;])[ \t]*handling[ \t]*=[ \t]*"?strict"?[ \t]*(?:[,;]|$)/i;

/** The caller's id of the request where it is `[A-Za-z0-9._-]{1,128}`, else a new one. */
export function requestId(exchange: Exchange): string {
  const given = exchange.header('x-request-id');
  return given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
}

/**
 * The trace to continue (W3C Trace Context), or undefined: a malformed `traceparent` is dropped with its
 * `tracestate`, a malformed `tracestate` alone.
 */
export function traceContext(exchange: Exchange): TraceContext | undefined {
  const traceparent = exchange.header('traceparent');
  if (traceparent === undefined) return undefined;
  const match = TRACEPARENT.exec(traceparent);
  if (match === null) return undefined;
  const [, version, traceId, parentId, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId as string) || /^0+$/.test(parentId as string)) return undefined;
  const tracestate = exchange.header('tracestate');
  if (tracestate === undefined || !isTracestate(tracestate)) return { traceparent };
  return { traceparent, tracestate };
}

function isTracestate(value: string): boolean {
  if (value.length > 512) return false;
  const members = value.split(',').map((member) => member.trim());
  return members.length <= 32 && members.every((member) => member === '' || TRACESTATE_MEMBER.test(member));
}

/**
 * The call's key, undefined where there is none or the tool takes none.
 * @throws BridgeError invalid_header
 */
export function idempotencyKey(exchange: Exchange, policy: ToolPolicy): string | undefined {
  if (policy.idempotencyKey === 'never') return undefined;
  const key = exchange.header('idempotency-key');
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key;
  throw new BridgeError('invalid_header', 'Idempotency-Key must be 1 to 255 visible ASCII characters, given once');
}

/**
 * The call's deadline in ms, queueing included: the caller's wish, never more than `maxMs`.
 * @throws BridgeError invalid_header
 */
export function requestTimeoutMs(exchange: Exchange, maxMs: number): number {
  const given = exchange.header('x-request-timeout-ms');
  if (given === undefined) return maxMs;
  if (POSITIVE_INTEGER.test(given)) return Math.min(Number(given), maxMs);
  throw new BridgeError('invalid_header', 'X-Request-Timeout-Ms must be a whole number of milliseconds, 1 or more');
}

/** Whether a tool's own failure shall be a status (`Prefer: handling=strict`, RFC 7240). */
export function wantsStrict(exchange: Exchange): boolean {
  const prefer = exchange.header('prefer');
  return prefer !== undefined && STRICT.test(prefer);
}

/**
 * Whether it is asked what became of an earlier call with the same key (`Prefer: reconcile`). Without a key there is
 * nothing to ask about, and running the call instead is the last thing such a caller wants.
 * @throws BridgeError invalid_header
 */
export function wantsReconcile(exchange: Exchange, policy: ToolPolicy, key: string | undefined): boolean {
  const prefer = exchange.header('prefer');
  if (prefer === undefined || !RECONCILE.test(prefer)) return false;
  if (key !== undefined) return true;
  throw new BridgeError(
    'invalid_header',
    policy.idempotencyKey === 'never'
      ? 'Prefer: reconcile asks what became of a call with an Idempotency-Key, and this tool takes none; nothing was run'
      : 'Prefer: reconcile asks what became of an earlier call, and needs the Idempotency-Key that it was made with; nothing was run',
  );
}

/** Whether the caller wants no answer from the cache (`Cache-Control: no-cache`, RFC 9111). */
export function wantsFresh(exchange: Exchange): boolean {
  const cacheControl = exchange.header('cache-control');
  return cacheControl !== undefined && NO_CACHE.test(cacheControl);
}
