import type { Exchange } from './exchange.ts';

/**
 * Says who calls, from the request's headers alone; runs before anything of the body is read.
 * @throws BridgeError unauthorized
 */
export type Authenticate = (exchange: Exchange) => string | Promise<string>;

/** Where authentication is off, everybody is the same caller. */
export const anonymous: Authenticate = () => 'anonymous';
