import { errors, type FlattenedJWSInput, type JWSHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import type { Principal } from '#core/principal.ts';
import type { AuthEvent, RefusalReason } from './authenticator.ts';
import { Caller } from './caller.ts';
import { type Digest, DigestMap } from './digest-map.ts';
import { JwksSource } from './fetch-jwks.ts';
import { Jwks, type JwksOptions } from './jwks.ts';

/** Public keys only: with a shared secret, whoever can check a token can make one. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const CLOCK_TOLERANCE_MS = 5_000;
/** Verified tokens that are remembered; about 1 KB each. */
const MAX_REMEMBERED = 10_000;
/** A subject stands in logs, in the audit and in keys of stores. */
const SUBJECT = /^[\x21-\x7e]{1,200}$/;

/** Whose tokens are taken. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Where the issuer's keys are: https, or http on the loopback address. */
  readonly jwksUrl: string;
}

export interface JwtOptions extends JwtSettings {
  /** Of every principal; undefined: none. */
  readonly ratePerMinute: number | undefined;
  readonly on: (event: AuthEvent) => void;
  /** Wall clock. */
  readonly wallNow?: () => number;
  readonly maxRemembered?: number;
  readonly fetchTimeoutMs?: number;
  readonly jwks?: Pick<JwksOptions, 'refreshMs' | 'cooldownMs' | 'firstRetryMs' | 'now'>;
}

/** Why a token was refused. */
export interface TokenRefusal {
  readonly reason: RefusalReason;
  readonly claim?: string;
}

/** The tokens as `/status` tells them. */
export interface JwtStats {
  readonly jwksKeys: number;
  /** Since the keys were last fetched; undefined where they never were. */
  readonly jwksAgeMs: number | undefined;
  /** Fetches that failed since the last that did not. */
  readonly jwksFailures: number;
  readonly rememberedTokens: number;
}

/**
 * Tokens of one issuer. A token that was verified is remembered by its digest until it expires, or until the issuer's
 * keys change; another one of the same subject is another token. The principal is `jwt:` and the token's subject.
 */
export class Jwt {
  readonly #options: JwtOptions;
  readonly #wallNow: () => number;
  readonly #maxRemembered: number;
  readonly #source: JwksSource;
  readonly #jwks: Jwks;
  readonly #remembered = new DigestMap<{ readonly caller: Caller; readonly expiresAtMs: number }>();

  constructor(options: JwtOptions) {
    this.#options = options;
    this.#wallNow = options.wallNow ?? Date.now;
    this.#maxRemembered = options.maxRemembered ?? MAX_REMEMBERED;
    this.#source = new JwksSource(
      options.jwksUrl,
      options.fetchTimeoutMs === undefined ? {} : { timeoutMs: options.fetchTimeoutMs },
    );
    this.#jwks = new Jwks({
      ...options.jwks,
      fetch: () => this.#source.fetch(),
      on: options.on,
      onChange: () => this.#remembered.clear(),
    });
  }

  /** Who showed a token that was verified before and has not expired. */
  recall(digest: Digest): Principal | undefined {
    const known = this.#remembered.get(digest);
    if (known === undefined) return undefined;
    if (known.expiresAtMs > this.#wallNow()) return known.caller;
    this.#remembered.delete(digest);
    return undefined;
  }

  /** Checks a token: signature, issuer, audience, times, subject. Never rejects. */
  async verify(token: string, digest: Digest): Promise<Principal | TokenRefusal> {
    let generation = -1;
    try {
      const keyFor = async (header: JWSHeaderParameters, input: FlattenedJWSInput) => {
        const found = await this.#jwks.keyFor(header, input);
        generation = found.generation;
        return found.key;
      };
      const { payload } = await jwtVerify(token, keyFor, {
        issuer: this.#options.issuer,
        audience: this.#options.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_MS / 1000,
        currentDate: new Date(this.#wallNow()),
        requiredClaims: ['exp', 'sub'],
      });
      if (typeof payload.sub !== 'string' || !SUBJECT.test(payload.sub)) return { reason: 'claims', claim: 'sub' };
      const caller = new Caller(`jwt:${payload.sub}`, scopesOf(payload), this.#options.ratePerMinute);
      // The key may have been taken back meanwhile.
      if (generation === this.#jwks.generation) this.#remember(digest, caller, payload.exp ?? 0);
      return caller;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** Fetches the issuer's keys now. Never rejects. */
  async reload(): Promise<void> {
    await this.#jwks.refresh();
  }

  stats(): JwtStats {
    const { keys, ageMs, failures } = this.#jwks;
    return { jwksKeys: keys, jwksAgeMs: ageMs, jwksFailures: failures, rememberedTokens: this.#remembered.size };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#jwks.close();
    await this.#source.close();
  }

  #remember(digest: Digest, caller: Caller, expiresAtSeconds: number): void {
    if (this.#remembered.size >= this.#maxRemembered) {
      const oldest = this.#remembered.oldest();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(digest, { caller, expiresAtMs: expiresAtSeconds * 1000 + CLOCK_TOLERANCE_MS });
  }
}

/** `scope` is what RFC 8693 and 9068 say; `scp` and `scopes` are what some issuers write. What is no pattern allows nothing. */
function scopesOf({ scope, scp, scopes }: JWTPayload): string[] {
  return [scope, scp, scopes].flatMap((claim) => {
    if (typeof claim === 'string') return claim.split(' ');
    return Array.isArray(claim) ? claim.filter((each) => typeof each === 'string') : [];
  });
}

function refusalOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return { reason: 'expired' };
  if (error instanceof errors.JWTClaimValidationFailed) return { reason: 'claims', claim: error.claim };
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return { reason: 'untrusted' };
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return { reason: 'signature' };
  return { reason: 'malformed' };
}
