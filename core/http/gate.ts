import { isIP } from 'node:net';
import { BridgeError } from '#core/errors.ts';
import { checkTarget } from './address.ts';
import type { Edge } from './edge.ts';
import type { Exchange } from './exchange.ts';

const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 16_384;
const HOST = /^(?:([A-Za-z0-9._-]+)|(\[[0-9A-Fa-f:.]+\]))(?::[0-9]{1,5})?$/;

/** Methods and headers that a browser of an allowed origin may use. */
const ALLOW_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, Prefer, X-API-Key, X-Request-Id, X-Request-Timeout-Ms, Traceparent, Tracestate';
const EXPOSE_HEADERS =
  'Retry-After, X-Request-Id, X-Tool-Error, X-Bridge-Mode, X-Cache, Age, Idempotency-Replayed, Idempotency-Reconciled, RateLimit, RateLimit-Policy';
const PREFLIGHT_MAX_AGE_SECONDS = 600;

/**
 * The refusals that need no knowledge of who calls what: size, repeated headers, path, Host, Origin. Every
 * request of either door passes here first.
 * @throws BridgeError headers_too_large, uri_too_long, bad_path, bad_host, bad_request, forbidden_host, forbidden_origin
 */
export function admit(edge: Edge, exchange: Exchange): void {
  checkSize(exchange);
  checkTarget(exchange.target);
  const repeated = exchange.repeatedHeader();
  if (repeated === 'host') throw new BridgeError('bad_host', 'the request has more than one Host header');
  if (repeated !== undefined) throw new BridgeError('bad_request', `the header ${repeated} must be given once`);
  checkHost(edge, exchange.header('host'));
  const origin = exchange.header('origin');
  if (origin !== undefined && !edge.allowedOrigins.has(origin)) {
    throw new BridgeError('forbidden_origin', 'the request comes from a page whose origin is not on ALLOWED_ORIGINS');
  }
}

/** The headers that let a page of an allowed origin read an answer; none for other callers. */
export function corsHeaders(edge: Edge, exchange: Exchange): readonly string[] {
  const origin = exchange.header('origin');
  if (origin === undefined || !edge.allowedOrigins.has(origin)) return [];
  return ['Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', EXPOSE_HEADERS, 'Vary', 'Origin'];
}

/** Whether a browser asks what it may send; its origin has been admitted. */
export function isPreflight(exchange: Exchange): boolean {
  return (
    exchange.method === 'OPTIONS' &&
    exchange.header('origin') !== undefined &&
    exchange.header('access-control-request-method') !== undefined
  );
}

/** What a preflight is told beside `corsHeaders`. */
export function preflightHeaders(allow: string): readonly string[] {
  return [
    'Access-Control-Allow-Methods',
    allow,
    'Access-Control-Allow-Headers',
    ALLOW_HEADERS,
    'Access-Control-Max-Age',
    String(PREFLIGHT_MAX_AGE_SECONDS),
  ];
}

function checkSize(exchange: Exchange): void {
  const { count, bytes } = exchange.headerSize();
  if (count > MAX_HEADERS) {
    throw new BridgeError('headers_too_large', `the request has ${count} headers, at most ${MAX_HEADERS} are read`);
  }
  if (bytes > MAX_HEADER_BYTES) {
    throw new BridgeError('headers_too_large', `the headers have ${bytes} bytes, at most ${MAX_HEADER_BYTES} are read`);
  }
}

function checkHost(edge: Edge, host: string | undefined): void {
  if (host !== undefined && host === edge.admittedHost) return;
  const match = host === undefined ? null : HOST.exec(host);
  if (match === null) throw new BridgeError('bad_host', 'the request needs one Host header that names a host');
  if (!isAllowed(edge, (match[1] ?? match[2] ?? '').toLowerCase())) {
    throw new BridgeError('forbidden_host', 'the host that the request names is not on ALLOWED_HOSTS');
  }
  edge.admittedHost = host;
}

function isAllowed({ allowedHosts, allowAddresses }: Edge, name: string): boolean {
  if (allowedHosts === undefined || allowedHosts.has(name)) return true;
  // Operators write IPv6 addresses with and without their brackets.
  const bare = name.startsWith('[') ? name.slice(1, -1) : name;
  return allowedHosts.has(bare) || (allowAddresses && isIP(bare) !== 0);
}
