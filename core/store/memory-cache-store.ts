import { LRUCache } from 'lru-cache';
import type { CachedAnswer, CacheStore } from './cache-store.ts';

/** Bounds of a {@link MemoryCacheStore}. */
export interface MemoryCacheOptions {
  /** Default 4 096. */
  readonly maxAnswers?: number;
  /** Of all answers together; default 32 MiB. */
  readonly maxBytes?: number;
  /** Of one answer; default 1 MiB. */
  readonly maxAnswerBytes?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** What an entry costs beside its bytes, so that many small answers count too. */
const ENTRY_BYTES = 512;

interface Entry {
  readonly body: Uint8Array;
  readonly keptAtMs: number;
}

/** Answers of one process, by a monotonic clock; the one that was not asked for the longest makes room for a new one. */
export class MemoryCacheStore implements CacheStore {
  readonly maxAnswerBytes: number;
  readonly #maxAnswers: number;
  readonly #maxBytes: number;
  readonly #now: () => number;
  /** Made with the first answer: its tables are laid out in full. */
  #entries: LRUCache<string, Entry> | undefined;

  constructor(options: MemoryCacheOptions = {}) {
    this.#maxAnswers = options.maxAnswers ?? 4_096;
    this.#maxBytes = options.maxBytes ?? 33_554_432;
    this.maxAnswerBytes = options.maxAnswerBytes ?? 1_048_576;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Answers that take up room, expired ones that nothing has replaced yet included. */
  get size(): number {
    return this.#entries?.size ?? 0;
  }

  /** What they take up. */
  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  get(key: string): CachedAnswer | undefined {
    const entry = this.#entries?.get(key);
    return entry && { body: entry.body, ageMs: this.#now() - entry.keptAtMs };
  }

  async set(key: string, body: readonly Uint8Array[], ttlMs: number): Promise<void> {
    this.#entries ??= new LRUCache({
      max: this.#maxAnswers,
      maxSize: this.#maxBytes,
      perf: { now: this.#now },
      ttlResolution: 0,
    });
    const copy = compact(body);
    this.#entries.set(key, { body: copy, keptAtMs: this.#now() }, { size: copy.length + ENTRY_BYTES, ttl: ttlMs });
  }
}

/** In memory of its own: a piece of a large read would keep all of it, and so would a piece of Node's shared pool. */
function compact(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const copy = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of pieces) {
    copy.set(piece, at);
    at += piece.length;
  }
  return copy;
}
