import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';
import type { AuthEvent } from './authenticator.ts';

/** Fetched anew this often, so that a key that its issuer took back is not trusted much longer. */
const REFRESH_MS = 5 * 60_000;
/** An unknown key leads to a fetch, but no sooner than this after the last one. */
const COOLDOWN_MS = 10_000;
/** After a failed fetch, doubled with each further one. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export interface JwksOptions {
  /** The text of the key set. */
  readonly fetch: () => Promise<string>;
  readonly on: (event: AuthEvent) => void;
  /** The set differs from the one before: what was verified with that one has to be verified again. */
  readonly onChange: () => void;
  /** Default 5 min. */
  readonly refreshMs?: number;
  /** Default 10 s. */
  readonly cooldownMs?: number;
  /** Default 1 s. */
  readonly firstRetryMs?: number;
  /** Monotonic. */
  readonly now?: () => number;
}

/** A key that a token is to be checked with. */
export interface JwksKey {
  readonly key: CryptoKey;
  readonly generation: number;
}

/**
 * The issuer's public keys. They are fetched ahead of need, and kept while their address is away or slow: only a token
 * with a key that is not among them ever waits for a fetch, and one fetch at a time runs for all who wait.
 */
export class Jwks {
  readonly #options: JwksOptions;
  readonly #now: () => number;
  #resolve: ReturnType<typeof createLocalJWKSet> | undefined;
  #text: string | undefined;
  #keys = 0;
  #fetchedAtMs: number | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #fetching: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #generation = 0;
  #closed = false;

  /** Begins to fetch at once. */
  constructor(options: JwksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    void this.refresh();
  }

  /** How many keys are known. */
  get keys(): number {
    return this.#keys;
  }

  /** Since they were last fetched; undefined where they never were. */
  get ageMs(): number | undefined {
    return this.#fetchedAtMs === undefined ? undefined : Math.round(this.#now() - this.#fetchedAtMs);
  }

  /** Fetches that failed since the last that did not. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts the sets: what was verified with a key of an older one has to be verified again. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * The key for a token's header, and the generation of the set that it is of.
   * @throws errors.JWKSNoMatchingKey of jose where there is none
   */
  async keyFor(header: JWSHeaderParameters | undefined, token: FlattenedJWSInput | undefined): Promise<JwksKey> {
    try {
      return await this.#find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    const fetching = this.#fetching ?? (this.#now() >= this.#notBeforeMs ? this.refresh() : undefined);
    if (fetching === undefined || !(await fetching)) throw new errors.JWKSNoMatchingKey();
    return this.#find(header, token);
  }

  /** Fetches the keys now, or waits for the fetch that runs. True where they changed; never rejects. */
  refresh(): Promise<boolean> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  /** Fetches no more; the keys stay. Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #find(header: JWSHeaderParameters | undefined, token: FlattenedJWSInput | undefined): Promise<JwksKey> {
    if (this.#resolve === undefined) throw new errors.JWKSNoMatchingKey();
    const generation = this.#generation;
    return { key: await this.#resolve(header, token), generation };
  }

  async #fetch(): Promise<boolean> {
    if (this.#closed) return false;
    clearTimeout(this.#timer);
    const {
      fetch,
      on,
      refreshMs = REFRESH_MS,
      cooldownMs = COOLDOWN_MS,
      firstRetryMs = FIRST_RETRY_MS,
    } = this.#options;
    try {
      const changed = this.#take(await fetch());
      this.#failures = 0;
      this.#fetchedAtMs = this.#now();
      this.#next(cooldownMs, refreshMs);
      if (changed) on({ event: 'auth:jwks_loaded', keys: this.#keys });
      return changed;
    } catch (error) {
      if (this.#closed) return false;
      const retryMs = Math.min(firstRetryMs * 2 ** Math.min(this.#failures, 16), MAX_RETRY_MS);
      this.#failures += 1;
      this.#next(retryMs, retryMs);
      on({ event: 'auth:jwks_failed', reason: reasonOf(error), keysKept: this.#keys, retryMs });
      return false;
    }
  }

  #next(cooldownMs: number, refreshMs: number): void {
    if (this.#closed) return;
    this.#notBeforeMs = this.#now() + cooldownMs;
    this.#timer = setTimeout(() => void this.refresh(), refreshMs);
    this.#timer.unref();
  }

  #take(text: string): boolean {
    if (text === this.#text) return false;
    const set: JSONWebKeySet = JSON.parse(text);
    const resolve = createLocalJWKSet(set);
    // An issuer has at least one key; a set without any is a mishap and must not lock everybody out.
    if (set.keys.length === 0) throw new errors.JWKSInvalid();
    this.#resolve = resolve;
    this.#keys = set.keys.length;
    this.#text = text;
    this.#generation += 1;
    this.#options.onChange();
    return true;
  }
}

/** Ours say what happened; those of parsers may quote what they read. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'JwksFetchError') return error.message;
  return 'answered with something that is no JSON Web Key Set';
}
