import { AUDIT_DROPPED, type AuditEntry, type AuditLog, type AuditRow } from '#core/store/audit-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

/** An entry that the database will not take, whenever it is tried. */
export interface RefusedEntry {
  readonly entry: AuditEntry;
  readonly reason: string;
}

/** Where an {@link AuditBuffer} puts its rows; it is never asked for two things at once. */
export interface AuditWriter {
  /**
   * Writes all of them or none; with no entries it only makes sure that it could.
   * @param firstNumber number of the first entry, counted from the start of the process: a batch that is written again,
   *   since nobody knows whether it was, comes with the same numbers
   * @returns what can never be written
   * @throws StoreUnavailableError to be tried again later; its message is logged
   */
  write(entries: readonly AuditEntry[], firstNumber: number): Promise<readonly RefusedEntry[]>;
  /** Ends what it holds; a write that still runs rejects. */
  close(): Promise<void>;
}

/** What happens to the audit, for the log. */
export type AuditEvent =
  /** Rows cannot be written; they wait. */
  | { readonly event: 'audit:away'; readonly reason: string }
  /** They can again. */
  | { readonly event: 'audit:back'; readonly awayMs: number; readonly buffered: number }
  /** No more rows can wait: those that come are dropped from now on. */
  | { readonly event: 'audit:full'; readonly buffered: number }
  /** The database will never take these rows: they are dropped. */
  | { readonly event: 'audit:refused'; readonly rows: number; readonly reason: string }
  /** How many rows were dropped, and from when to when; a row of its own will say so. */
  | { readonly event: 'audit:dropped'; readonly rows: number; readonly from: Date; readonly to: Date }
  /** The process ends and these rows were not written, or nobody knows whether they were. */
  | { readonly event: 'audit:lost'; readonly rows: number };

/** Numbers for /status and /metrics; rows are counted since the start. */
export interface AuditStats {
  /** Rows that wait. */
  readonly buffered: number;
  readonly written: number;
  readonly dropped: number;
  /** Whether the last try to write failed. */
  readonly away: boolean;
}

export interface AuditBufferOptions {
  readonly on?: (event: AuditEvent) => void;
  /** Rows that may wait; default 10 000. */
  readonly maxRows?: number;
  /** Memory they may take, roughly; default 16 MiB. */
  readonly maxBytes?: number;
  /** Rows written at once, and rows that are not kept waiting for `flushMs`; default 500. */
  readonly maxBatch?: number;
  /** How long a row waits for others; default 500. */
  readonly flushMs?: number;
  /** The pause after a first failure, doubled with each further one up to 5 s; default 250. */
  readonly retryMs?: number;
}

const MAX_RETRY_MS = 5_000;
const CLOSING_RETRY_MS = 250;
/** An entry's object, its date and its strings' headers. */
const BYTES_OF_ENTRY = 400;

/** Rows that could not be kept and are not told yet. */
interface Missing {
  rows: number;
  fromMs: number;
  toMs: number;
}

/**
 * Rows on their way to a database that may be away: at most so many, written in batches after the fact.
 *
 * When it is full the new rows are dropped, not the old: whoever makes noise cannot push out what was written down
 * before. Once half of the room is free again, a row of its own tells how many are missing and from when to when.
 */
export class AuditBuffer implements AuditLog {
  readonly #writer: AuditWriter;
  readonly #on: (event: AuditEvent) => void;
  readonly #maxRows: number;
  readonly #maxBytes: number;
  readonly #maxBatch: number;
  readonly #flushMs: number;
  readonly #retryMs: number;
  readonly #entries: AuditEntry[] = [];
  #bytes = 0;
  /** Entries that have left: the number of the first that is still here. */
  #left = 0;
  #written = 0;
  #dropped = 0;
  #missing: Missing | undefined;
  #failures = 0;
  #awaySinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #flushing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(writer: AuditWriter, options: AuditBufferOptions = {}) {
    this.#writer = writer;
    this.#on = options.on ?? ignore;
    this.#maxRows = options.maxRows ?? 10_000;
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.#maxBatch = options.maxBatch ?? 500;
    this.#flushMs = options.flushMs ?? 500;
    this.#retryMs = options.retryMs ?? 250;
  }

  get stats(): AuditStats {
    return {
      buffered: this.#entries.length,
      written: this.#written,
      dropped: this.#dropped,
      away: this.#failures > 0,
    };
  }

  /** Sees to it that the database is ready, before there are rows and without waiting for it. */
  start(): void {
    this.#flush();
  }

  record(row: AuditRow): void {
    const bytes = bytesOf(row);
    if (this.#closed || this.#entries.length >= this.#maxRows || this.#bytes + bytes > this.#maxBytes) {
      if (this.#missing === undefined && !this.#closed)
        this.#on({ event: 'audit:full', buffered: this.#entries.length });
      this.#miss(Date.now());
      return;
    }
    this.#entries.push(row);
    this.#bytes += bytes;
    if (this.#flushing !== undefined || this.#failures > 0 || this.#closing !== undefined) return;
    if (this.#entries.length >= this.#maxBatch) {
      // Not at once: making a batch takes a millisecond, and the call of this row has not been answered yet.
      this.#immediate ??= setImmediate(this.#flush);
    } else this.#timer ??= setTimeout(this.#flush, this.#flushMs).unref();
  }

  /**
   * Writes what it can within the budget, and tells what was lost. Rows that are recorded afterwards are dropped.
   * Idempotent, never rejects.
   */
  close(budgetMs: number): Promise<void> {
    this.#closing ??= this.#close(budgetMs);
    return this.#closing;
  }

  readonly #flush = (): void => {
    this.#stopTimers();
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined;
      this.#schedule();
    });
  };

  async #writeAll(): Promise<void> {
    do {
      const batch = this.#entries.slice(0, this.#maxBatch);
      let refused: readonly RefusedEntry[];
      try {
        refused = await this.#writer.write(batch, this.#left);
      } catch (error) {
        this.#failed(error);
        return;
      }
      if (this.#closed) return;
      this.#succeeded(batch, refused);
    } while (this.#entries.length >= this.#maxBatch);
  }

  #succeeded(batch: readonly AuditEntry[], refused: readonly RefusedEntry[]): void {
    this.#entries.splice(0, batch.length);
    this.#left += batch.length;
    for (const entry of batch) this.#bytes -= bytesOf(entry);
    this.#written += batch.length - refused.length;
    const [first] = refused;
    if (first !== undefined) this.#on({ event: 'audit:refused', rows: refused.length, reason: first.reason });
    // A gap that is refused is not told by a further one: that would go on for ever.
    for (const { entry } of refused) if (entry.outcome !== AUDIT_DROPPED) this.#miss(entry.at.getTime() || Date.now());
    if (this.#failures > 0) {
      const awayMs = Math.round(performance.now() - this.#awaySinceMs);
      this.#failures = 0;
      this.#on({ event: 'audit:back', awayMs, buffered: this.#entries.length });
    }
    if (this.#closing !== undefined || this.#entries.length <= this.#maxRows / 2) this.#tellMissing();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    this.#failures += 1;
    if (this.#failures > 1) return;
    this.#awaySinceMs = performance.now();
    const reason = error instanceof StoreUnavailableError ? error.message : `an error of ours: ${nameOf(error)}`;
    this.#on({ event: 'audit:away', reason });
  }

  #miss(atMs: number): void {
    this.#dropped += 1;
    this.#missing ??= { rows: 0, fromMs: atMs, toMs: atMs };
    this.#missing.rows += 1;
    this.#missing.fromMs = Math.min(this.#missing.fromMs, atMs);
    this.#missing.toMs = Math.max(this.#missing.toMs, atMs);
  }

  #tellMissing(): void {
    if (this.#missing === undefined) return;
    const { rows, fromMs, toMs } = this.#missing;
    this.#missing = undefined;
    const gap = { at: new Date(fromMs), outcome: AUDIT_DROPPED, dropped: rows, durationMs: toMs - fromMs } as const;
    this.#entries.push(gap);
    this.#bytes += bytesOf(gap);
    this.#on({ event: 'audit:dropped', rows, from: gap.at, to: new Date(toMs) });
  }

  #schedule(): void {
    if (this.#closing !== undefined) return;
    if (this.#failures > 0) this.#timer = setTimeout(this.#flush, this.#pauseMs()).unref();
    else if (this.#entries.length > 0) this.#timer = setTimeout(this.#flush, this.#flushMs).unref();
  }

  /** With a little chance in it, so that many processes do not come back at the same moment. */
  #pauseMs(): number {
    const pauseMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2 ** Math.min(this.#failures - 1, 20));
    return pauseMs * (0.8 + 0.2 * Math.random());
  }

  async #close(budgetMs: number): Promise<void> {
    this.#stopTimers();
    const timers: NodeJS.Timeout[] = [];
    const wait = (ms: number, late: boolean) =>
      new Promise<boolean>((resolve) => {
        timers.push(setTimeout(resolve, ms, late));
      });
    const expired = wait(budgetMs, true);
    try {
      // What is being written was chosen before; then the rest, and then what became of it.
      for (let late = false; !late; ) {
        if (this.#flushing === undefined) {
          if (this.#entries.length === 0) this.#tellMissing();
          if (this.#entries.length === 0) break;
          this.#flush();
        }
        late = await Promise.race([this.#flushing?.then(() => false) ?? false, expired]);
        if (!late && this.#failures > 0) late = await Promise.race([wait(CLOSING_RETRY_MS, false), expired]);
      }
      this.#closed = true;
      await Promise.race([this.#writer.close().catch(ignore), expired]);
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
    const rows = this.#unwritten();
    if (rows > 0) this.#on({ event: 'audit:lost', rows });
  }

  /** Rows, not entries: a gap stands for as many as it tells. */
  #unwritten(): number {
    let rows = this.#missing?.rows ?? 0;
    for (const entry of this.#entries) rows += 'dropped' in entry ? entry.dropped : 1;
    return rows;
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
  }
}

function bytesOf(entry: AuditEntry): number {
  if ('dropped' in entry) return BYTES_OF_ENTRY;
  return BYTES_OF_ENTRY + entry.requestId.length + entry.principal.length + entry.tool.length;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function ignore(): void {}
