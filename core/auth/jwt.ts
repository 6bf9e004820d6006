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

/** What is remembered of a token: good until then (wall clock), and refused for this reason from then on. */
interface Remembered {
  readonly caller: Caller | undefined;
  readonly expiresAtMs: number;
  readonly refusal: TokenRefusal;
}

const EXPIRED: TokenRefusal = { reason: 'expired' };

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
 * Tokens of one issuer. What became of a token that the issuer had signed is remembered by its digest until the issuer's
 * keys change, so that its signature is checked once; another token of the same subject is another one. The principal is `jwt:` and the token's subject.
 */
export class Jwt {
  readonly #options: JwtOptions;
  readonly #wallNow: () => number;
  readonly #maxRemembered: number;
  readonly #source: JwksSource;
  readonly #jwks: Jwks;
  readonly #remembered = new DigestMap<Remembered>();

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

  /** Who showed a token that was verified before, or why it is not good for anything; undefined for a new one. */
  recall(digest: Digest): Principal | TokenRefusal | undefined {
    const known = this.#remembered.get(digest);
    if (known === undefined) return undefined;
    return known.caller !== undefined && known.expiresAtMs > this.#wallNow() ? known.caller : known.refusal;
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
      if (typeof payload.sub !== 'string' || !SUBJECT.test(payload.sub)) {
        return this.#refused(digest, generation, { reason: 'claims', claim: 'sub' });
      }
      const caller = new Caller(`jwt:${payload.sub}`, scopesOf(payload), this.#options.ratePerMinute);
      const expiresAtMs = (payload.exp ?? 0) * 1000 + CLOCK_TOLERANCE_MS;
      this.#remember(digest, generation, { caller, expiresAtMs, refusal: EXPIRED });
      return caller;
    } catch (error) {
      return this.#refused(digest, generation, refusalOf(error));
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

  /** A token of the issuer that is too old, or for somebody else, stays so; one that is too new does not. */
  #refused(digest: Digest, generation: number, refusal: TokenRefusal): TokenRefusal {
    if (refusal.reason === 'expired' || (refusal.reason === 'claims' && refusal.claim !== 'nbf')) {
      this.#remember(digest, generation, { caller: undefined, expiresAtMs: 0, refusal });
    }
    return refusal;
  }

  #remember(digest: Digest, generation: number, what: Remembered): void {
    // The key that it was checked with may have been taken back meanwhile.
    if (generation !== this.#jwks.generation) return;
    if (this.#remembered.size >= this.#maxRemembered) {
      const oldest = this.#remembered.oldest();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(digest, what);
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
