import { BridgeError } from '#core/errors.ts';
import type { Principal } from '#core/principal.ts';
import type { ApiKeys, ApiKeysStats } from './api-keys.ts';
import type { AuthEvent, Authenticator, RefusalReason } from './authenticator.ts';
import { type Digest, digestOf } from './digest-map.ts';
import { FailedAttempts } from './failed-attempts.ts';
import type { Jwt, JwtStats, TokenRefusal } from './jwt.ts';

/** Who may call, as `/status` tells it. */
export interface AuthStats {
  readonly keys: ApiKeysStats | undefined;
  readonly jwt: JwtStats | undefined;
  /** Refused since the start: without a credential, with a bad one, and bad ones of limited addresses. */
  readonly refused: { readonly missing: number; readonly invalid: number; readonly limited: number };
  /** Addresses with a failed attempt lately. */
  readonly failingAddresses: number;
}

export interface CredentialCheckOptions {
  readonly keys: ApiKeys | undefined;
  readonly jwt: Jwt | undefined;
  readonly failedAttempts: FailedAttempts;
  readonly on: (event: AuthEvent) => void;
  /** Wall clock. */
  readonly wallNow?: (() => number) | undefined;
}

/**
 * Keys, tokens, or both. A credential is hashed once; its digest finds a key or a token that was verified before, and
 * either always passes. What could be a guess is a failed attempt of its address; a key or a token of the issuer that is
 * too old is none, nor is a token whose key may only be too new for us. Above the limit of an address every refusal is
 * 429, and only some of its new tokens are verified at all.
 */
export class CredentialCheck implements Authenticator {
  readonly #keys: ApiKeys | undefined;
  readonly #jwt: Jwt | undefined;
  readonly #failedAttempts: FailedAttempts;
  readonly #on: (event: AuthEvent) => void;
  readonly #wallNow: () => number;
  /** How often refusals that are no failed attempts were told of an address. */
  readonly #told: FailedAttempts;
  readonly #refused = { missing: 0, invalid: 0, limited: 0 };

  constructor({ keys, jwt, failedAttempts, on, wallNow = Date.now }: CredentialCheckOptions) {
    this.#keys = keys;
    this.#jwt = jwt;
    this.#failedAttempts = failedAttempts;
    this.#told = new FailedAttempts({ max: failedAttempts.max });
    this.#on = on;
    this.#wallNow = wallNow;
  }

  authenticate(credential: string | undefined, address: string): Principal | Promise<Principal> {
    if (credential === undefined) {
      // Nothing was guessed: whoever forgot the key is told so as often as needed.
      this.#refused.missing += 1;
      throw unauthorized();
    }
    const digest = digestOf(credential);
    const key = this.#keys?.find(digest);
    if (key !== undefined) {
      if (key.expiresAtMs > this.#wallNow()) return key.caller;
      throw this.#refuse(address, { reason: 'expired', principal: key.caller.id });
    }
    const jwt = this.#jwt;
    if (jwt === undefined) throw this.#refuse(address, { reason: 'unknown' });
    const known = jwt.recall(digest);
    if (known !== undefined) {
      if ('reason' in known) throw this.#refuse(address, known);
      return known;
    }
    if (!isTokenLike(credential)) throw this.#refuse(address, { reason: 'unknown' });
    if (this.#failedAttempts.limitedForMs(address) > 0 && !this.#failedAttempts.spare(address)) {
      throw this.#limited(RETRY_UNVERIFIED_MS);
    }
    return this.#verify(jwt, credential, digest, address);
  }

  /** Reads the key file again and fetches the issuer's keys, as a SIGHUP asks. Settles when both were tried; never rejects. */
  async reload(): Promise<void> {
    await Promise.all([this.#keys?.reload(), this.#jwt?.reload()]);
  }

  stats(): AuthStats {
    return {
      keys: this.#keys?.stats(this.#wallNow()),
      jwt: this.#jwt?.stats(),
      refused: { ...this.#refused },
      failingAddresses: this.#failedAttempts.addresses,
    };
  }

  /** Looks after keys no longer: no timer, no connection is left. What is known stays in force. Idempotent. */
  async close(): Promise<void> {
    this.#keys?.close();
    await this.#jwt?.close();
  }

  async #verify(jwt: Jwt, token: string, digest: Digest, address: string): Promise<Principal> {
    const verdict = await jwt.verify(token, digest);
    if ('reason' in verdict) throw this.#refuse(address, verdict);
    return verdict;
  }

  /** Counts and tells a refusal. @returns what to throw */
  #refuse(address: string, why: TokenRefusal & { readonly principal?: string }): BridgeError {
    const waitMs = this.#failedAttempts.limitedForMs(address);
    if (waitMs > 0) return this.#limited(waitMs);
    this.#refused.invalid += 1;
    const attempts = IS_GUESS[why.reason] ? this.#failedAttempts : this.#told;
    if (attempts.limitedForMs(address) === 0) {
      this.#on({ event: 'auth:refused', ...why });
      attempts.count(address);
    }
    return unauthorized();
  }

  #limited(retryAfterMs: number): BridgeError {
    this.#refused.limited += 1;
    return new BridgeError(
      'rate_limited',
      `${this.#failedAttempts.max} attempts with bad credentials came from this address within a minute; correct the credential before the next one`,
      { retryAfterMs },
    );
  }
}

/** A token that was not even verified may be a good one: it is worth another try soon. */
const RETRY_UNVERIFIED_MS = 1_000;

/** Whether who shows such a credential may be trying some. The others hold something that was good once, or may be soon. */
const IS_GUESS = {
  unknown: true,
  malformed: true,
  signature: true,
  expired: false,
  claims: false,
  untrusted: false,
} as const satisfies Record<RefusalReason, boolean>;

/** Three parts, which no key of `fleet key create` has. */
function isTokenLike(credential: string): boolean {
  const first = credential.indexOf('.');
  const second = credential.indexOf('.', first + 1);
  return first > 0 && second > first + 1 && !credential.includes('.', second + 1);
}

/** The same for every reason, so that nothing can be learnt from it. */
function unauthorized(): BridgeError {
  return new BridgeError(
    'unauthorized',
    'send a valid credential as Authorization: Bearer <key or token>, or a key as X-API-Key',
  );
}
