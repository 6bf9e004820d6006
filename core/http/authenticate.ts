import { anonymousPrincipal, type Principal } from '#core/principal.ts';
import type { Exchange } from './exchange.ts';

/**
 * Says who calls, from the request's headers alone; runs before anything of the body is read.
 * @throws BridgeError unauthorized
 */
export type Authenticate = (exchange: Exchange) => Principal | Promise<Principal>;

/** Where authentication is off, everybody is the same caller. */
const everybody = anonymousPrincipal();
export const anonymous: Authenticate = () => everybody;
