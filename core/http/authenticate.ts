import type { Authenticator } from '#core/auth/authenticator.ts';
import { BridgeError } from '#core/errors.ts';
import { anonymousPrincipal, type Principal } from '#core/principal.ts';
import type { Exchange } from './exchange.ts';

/**
 * Says who calls, from the request's headers alone; runs before anything of the body is read.
 * @throws BridgeError unauthorized, rate_limited, bad_request for two credentials
 */
export type Authenticate = (exchange: Exchange) => Principal | Promise<Principal>;

/** Where authentication is off, everybody is the same caller. */
const everybody = anonymousPrincipal();
export const anonymous: Authenticate = () => everybody;

/** Asks an authenticator, with the one credential that the request shows. */
export function authenticateWith(authenticator: Authenticator): Authenticate {
  return (exchange) => authenticator.authenticate(credentialOf(exchange), exchange.remoteAddress);
}

/**
 * The credential in `Authorization: Bearer …` or `X-API-Key: …`; another scheme, or nothing behind it, is none. The
 * query is never looked at: it stands in logs and histories.
 * @throws BridgeError bad_request where both headers are given: which of them was meant is not ours to guess
 */
function credentialOf(exchange: Exchange): string | undefined {
  const authorization = exchange.header('authorization');
  const key = exchange.header('x-api-key');
  if (authorization === undefined) return key || undefined;
  if (key !== undefined) {
    throw new BridgeError('bad_request', 'send one credential: either Authorization or X-API-Key, not both');
  }
  if (!authorization.startsWith('Bearer ') && authorization.slice(0, 7).toLowerCase() !== 'bearer ') return undefined;
  return authorization.slice(7).trim() || undefined;
}
