import type { Principal } from '#core/principal.ts';

/** Says who calls from what a request shows; the request itself is never seen here. */
export interface Authenticator {
  /**
   * @param credential the bearer token or API key as sent, undefined where there was none
   * @param address of the caller's connection: failed attempts are limited by it
   * @throws BridgeError unauthorized (the same for every reason), rate_limited after too many failed attempts
   */
  authenticate(credential: string | undefined, address: string): Principal | Promise<Principal>;
}
