import { type Claim, type IdempotencyStore, MAX_OUTCOME_BYTES, RECORD_TTL_MS } from '#core/store/idempotency-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

/** Bounds of the store, and its clock. */
export interface MemoryIdempotencyOptions {
  /** Default 100 000. */
  readonly maxRecords?: number;
  /** Of keys, fingerprints and outcomes together. Default 128 MiB. */
  readonly maxBytes?: number;
  readonly ttlMs?: number;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

interface Entry {
  readonly fingerprint: string;
  readonly expiresAtMs: number;
  token: string;
  leaseEndMs: number;
  outcome: Uint8Array | undefined;
  /** The outcome is that of an owner before this one. */
  takenOver: boolean;
}

/** What one record costs beside its texts and its outcome. */
const RECORD_BYTES = 256;
/** New keys leave this part of the room to the outcomes of those that are in flight. */
const ROOM_FOR_OUTCOMES = 1 / 4;

/**
 * Records of one process, gone with it.
 *
 * A record that has not expired is never thrown out: that would let a call run twice. A full store refuses new keys
 * instead, so that keyed writes fail closed while those it knows go on being answered.
 */
export class MemoryIdempotencyStore implements IdempotencyStore {
  /** In the order of their claims, which is that of their expiry. */
  readonly #entries = new Map<string, Entry>();
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  readonly #ttlMs: number;
  readonly #now: () => number;
  #bytes = 0;

  constructor(options: MemoryIdempotencyOptions = {}) {
    this.#maxRecords = options.maxRecords ?? 100_000;
    this.#maxBytes = options.maxBytes ?? 128 * 1024 * 1024;
    this.#ttlMs = options.ttlMs ?? RECORD_TTL_MS;
    this.#now = options.now ?? performance.now.bind(performance);
  }

  get stats(): { readonly records: number; readonly bytes: number } {
    return { records: this.#entries.size, bytes: this.#bytes };
  }

  /** @throws StoreUnavailableError when the store is full and the key is new */
  async claim(key: string, fingerprint: string, leaseMs: number, token: string): Promise<Claim> {
    const now = this.#now();
    this.#expire(now);
    const entry = this.#entries.get(key);
    if (entry !== undefined) return stateOf(entry, fingerprint, now);
    const added: Entry = {
      fingerprint,
      token,
      leaseEndMs: now + leaseMs,
      expiresAtMs: now + this.#ttlMs,
      outcome: undefined,
      takenOver: false,
    };
    const bytes = sizeOf(key, added);
    if (this.#entries.size >= this.#maxRecords)
      throw new StoreUnavailableError(`${this.#entries.size} idempotency records are kept, and none has expired`);
    if (this.#bytes + bytes > this.#maxBytes * (1 - ROOM_FOR_OUTCOMES))
      throw new StoreUnavailableError(`idempotency records take ${this.#bytes} bytes, and none has expired`);
    this.#entries.set(key, added);
    this.#bytes += bytes;
    return { state: 'claimed' };
  }

  /** @throws StoreUnavailableError when there is no room for the outcome: the record will count as lost */
  async complete(key: string, token: string, outcome: Uint8Array): Promise<boolean> {
    if (outcome.byteLength > MAX_OUTCOME_BYTES)
      throw new RangeError(`an outcome of ${outcome.byteLength} bytes: at most ${MAX_OUTCOME_BYTES} are recorded`);
    this.#expire(this.#now());
    const entry = this.#entries.get(key);
    if (entry?.token !== token) return false;
    if (isSettled(entry)) return true;
    const addedBytes = outcome.byteLength - (entry.outcome?.byteLength ?? 0);
    if (this.#bytes + addedBytes > this.#maxBytes)
      throw new StoreUnavailableError(`idempotency records take ${this.#bytes} bytes, and none has expired`);
    // A slice would keep all of what it was cut from.
    entry.outcome = outcome.byteLength === outcome.buffer.byteLength ? outcome : new Uint8Array(outcome);
    entry.takenOver = false;
    this.#bytes += addedBytes;
    return true;
  }

  async release(key: string, token: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry?.token === token && !isSettled(entry)) this.#remove(key, entry);
  }

  async takeOver(
    key: string,
    fingerprint: string,
    leaseMs: number,
    token: string,
    expected: Uint8Array | undefined,
  ): Promise<boolean> {
    const now = this.#now();
    this.#expire(now);
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    const found = stateOf(entry, fingerprint, now);
    const asExpected =
      found.state === 'done'
        ? expected !== undefined && Buffer.compare(found.outcome, expected) === 0
        : found.state === 'lost' && expected === undefined;
    if (!asExpected) return false;
    this.#bytes += token.length - entry.token.length;
    entry.token = token;
    entry.leaseEndMs = now + leaseMs;
    entry.takenOver = true;
    return true;
  }

  async giveBack(key: string, token: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry?.token === token && !isSettled(entry)) entry.leaseEndMs = this.#now();
  }

  #expire(now: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAtMs > now) return;
      this.#remove(key, entry);
    }
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= sizeOf(key, entry);
  }
}

function stateOf(entry: Entry, fingerprint: string, now: number): Claim {
  if (entry.fingerprint !== fingerprint) return { state: 'reused' };
  const leaseLeftMs = entry.leaseEndMs - now;
  if (!isSettled(entry) && leaseLeftMs > 0) return { state: 'in_flight', leaseLeftMs };
  return entry.outcome === undefined ? { state: 'lost' } : { state: 'done', outcome: entry.outcome };
}

/** Whether it was recorded how it ended by whoever owns it. */
function isSettled({ outcome, takenOver }: Entry): boolean {
  return outcome !== undefined && !takenOver;
}

function sizeOf(key: string, { fingerprint, token, outcome }: Entry): number {
  return RECORD_BYTES + key.length + fingerprint.length + token.length + (outcome?.byteLength ?? 0);
}
