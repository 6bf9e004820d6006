import type { Principal } from '#core/principal.ts';

/** Says who calls from what a request shows; the request itself is never seen here. */
export interface Authenticator {
  /**
   * Answers at once for a key, and for a token that was verified before; a token seen for the first time takes a promise.
   * @param credential the bearer token or API key as sent, undefined where there was none that could be used
   * @param address of the caller's connection: failed attempts are limited by it
   * @throws BridgeError unauthorized (the same for every reason), rate_limited after too many failed attempts
   */
  authenticate(credential: string | undefined, address: string): Principal | Promise<Principal>;
}

/**
 * Why a credential was refused, for the operator alone: the caller always gets the same 401.
 * `unknown` is a credential that is neither a key nor a token, `untrusted` a token whose key the issuer does not publish,
 * or did not when it was last reached.
 */
export type RefusalReason = 'unknown' | 'expired' | 'untrusted' | 'signature' | 'claims' | 'malformed';

/** What an operator wants to know of the credentials; nothing here holds one. */
export type AuthEvent =
  /** The key file was read again. */
  | { readonly event: 'auth:keys_loaded'; readonly keys: number; readonly principals: number }
  /** The key file changed and cannot be used: the keys of before stay in force. */
  | { readonly event: 'auth:keys_rejected'; readonly problems: readonly string[]; readonly keysKept: number }
  /** The issuer's keys were fetched and differ from those of before. */
  | { readonly event: 'auth:jwks_loaded'; readonly keys: number }
  /** The issuer's keys could not be fetched: those of before stay in force. */
  | { readonly event: 'auth:jwks_failed'; readonly reason: string; readonly keysKept: number; readonly retryMs: number }
  /** A credential was refused; told of at most so many a minute and address as make it limited. */
  | {
      readonly event: 'auth:refused';
      readonly reason: RefusalReason;
      /** The principal of an expired key. */
      readonly principal?: string;
      /** The claim that a token failed by, e.g. `aud`. */
      readonly claim?: string;
    }
  /** From now on bad attempts from this address are answered 429; told once a window. */
  | { readonly event: 'auth:address_limited'; readonly address: string; readonly failures: number };
