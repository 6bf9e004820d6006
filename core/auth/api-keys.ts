import type { AuthEvent } from './authenticator.ts';
import { Caller } from './caller.ts';
import { type Digest, DigestMap, digestFromHex } from './digest-map.ts';
import { type FileMark, type KeyFile, markOf, rereadKeyFile } from './key-file.ts';

/** How often the file is looked at: a secret mounted by Docker or Kubernetes is renamed into place, which no watch tells reliably. */
const LOOK_EVERY_MS = 1_000;

/** A key that was found: who showed it, and until when (wall clock) it is good. */
export interface FoundKey {
  readonly caller: Caller;
  readonly expiresAtMs: number;
}

/** The keys as `/status` tells them. */
export interface ApiKeysStats {
  readonly keys: number;
  readonly principals: number;
  readonly expired: number;
  /** Since the keys in force were read. */
  readonly ageMs: number;
  /** The file's present content cannot be used: older keys are in force. */
  readonly stale: boolean;
}

export interface ApiKeysOptions {
  readonly path: string;
  /** Of keys that do not say their own; undefined: none. */
  readonly ratePerMinute: number | undefined;
  readonly on: (event: AuthEvent) => void;
  /** Default 1000. */
  readonly lookEveryMs?: number;
}

/**
 * The keys of a file, kept as the file is. A change is seen within `lookEveryMs`; a file that then cannot be read or has a
 * mistake takes no key away, and is told once. Keys change all at once between two calls, so none is lost by it.
 */
export class ApiKeys {
  readonly #options: ApiKeysOptions;
  readonly #timer: NodeJS.Timeout;
  #found = new DigestMap<FoundKey>();
  #principals = 0;
  #expiries: readonly number[] = [];
  #loadedAtMs = performance.now();
  #stale = false;
  /** The state of the file that was judged last. */
  #mark: FileMark | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  /** @param file read from `options.path` before, and without problems */
  constructor(file: KeyFile, options: ApiKeysOptions) {
    this.#options = options;
    this.#mark = file.mark;
    this.#take(file);
    this.#timer = setInterval(() => void this.#look(), options.lookEveryMs ?? LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** The key of this digest, whether it has expired or not. */
  find(digest: Digest): FoundKey | undefined {
    return this.#found.get(digest);
  }

  /** Reads the file now, changed or not. Settles when its keys are in force or were found unusable; never rejects. */
  async reload(): Promise<void> {
    await this.#looking;
    this.#mark = undefined;
    await this.#look();
  }

  stats(nowMs = Date.now()): ApiKeysStats {
    return {
      keys: this.#found.size,
      principals: this.#principals,
      expired: this.#expiries.filter((atMs) => atMs <= nowMs).length,
      ageMs: Math.round(performance.now() - this.#loadedAtMs),
      stale: this.#stale,
    };
  }

  /** Looks at the file no longer; the keys stay in force. Idempotent. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #look(): Promise<void> {
    this.#looking ??= this.#compare().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #compare(): Promise<void> {
    const { path, on } = this.#options;
    const mark = await markOf(path);
    if (mark === this.#mark) return;
    const file = await rereadKeyFile(path);
    if (this.#closed) return;
    if (file.problems.length > 0) {
      this.#mark = mark;
      this.#stale = true;
      const problems = file.problems.map(({ where, what }) => `${where}: ${what}`);
      on({ event: 'auth:keys_rejected', problems, keysKept: this.#found.size });
      return;
    }
    this.#mark = mark;
    this.#take(file);
    on({ event: 'auth:keys_loaded', keys: this.#found.size, principals: this.#principals });
  }

  #take({ keys }: KeyFile): void {
    const found = new DigestMap<FoundKey>();
    for (const { id, sha256, allow, ratePerMinute, expiresAtMs } of keys) {
      const caller = new Caller(id, allow, ratePerMinute ?? this.#options.ratePerMinute);
      found.set(digestFromHex(sha256), { caller, expiresAtMs });
    }
    this.#found = found;
    this.#principals = new Set(keys.map(({ id }) => id)).size;
    this.#expiries = keys.map(({ expiresAtMs }) => expiresAtMs);
    this.#loadedAtMs = performance.now();
    this.#stale = false;
  }
}
