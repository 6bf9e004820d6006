import type { AuditFilter, AuditRecord, PostgresAuditReader } from '#core/store/postgres-audit-reader.ts';

/** How long rows with smaller ids may still appear: ids are given before a batch is committed, and batches overtake each other. */
const SETTLED_MS = 5_000;
const MAX_PAGE = 1_000;
/** Ids that are remembered; beyond them the older half is taken for settled. */
const MAX_SEEN = 20_000;

/** Reads the audit as it grows: every row once, also those that are committed after rows with greater ids. */
export class AuditFollower {
  readonly #reader: PostgresAuditReader;
  readonly #filter: AuditFilter;
  readonly #now: () => number;
  /** All ids up to here are known or given up. */
  #settled = 0;
  /** Rows beyond it that were seen, with when, oldest first. */
  readonly #seen = new Map<number, number>();

  constructor(reader: PostgresAuditReader, filter: AuditFilter, now: () => number = () => performance.now()) {
    this.#reader = reader;
    this.#filter = filter;
    this.#now = now;
  }

  /** The last rows there are, oldest first. @throws StoreUnavailableError */
  async first(lines: number): Promise<AuditRecord[]> {
    // With at least one, so that `--lines 0` knows where the table ends.
    const records = await this.#reader.last(Math.max(1, lines), this.#filter);
    const shown = lines === 0 ? [] : records;
    this.#settled = (records[0]?.id ?? 1) - 1;
    this.#note(records);
    return shown;
  }

  /** What has appeared since the last time. @throws StoreUnavailableError */
  async next(): Promise<AuditRecord[]> {
    const records = await this.#reader.after(this.#settled, this.#seen.size + MAX_PAGE, this.#filter);
    const fresh = records.filter(({ id }) => !this.#seen.has(id));
    this.#note(fresh);
    return fresh;
  }

  #note(records: readonly AuditRecord[]): void {
    const nowMs = this.#now();
    for (const { id } of records) this.#seen.set(id, nowMs);
    const many = this.#seen.size > MAX_SEEN ? this.#seen.size - MAX_SEEN / 2 : 0;
    let count = 0;
    for (const [id, seenMs] of this.#seen) {
      if (count >= many && nowMs - seenMs < SETTLED_MS) break;
      this.#settled = Math.max(this.#settled, id);
      count += 1;
    }
    for (const id of this.#seen.keys()) if (id <= this.#settled) this.#seen.delete(id);
  }
}
