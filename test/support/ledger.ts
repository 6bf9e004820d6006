import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One line that fixtures/fake-child.mjs wrote about itself. */
export interface LedgerEntry {
  readonly event: 'start' | 'executed' | 'answered' | 'cancelled' | 'eof' | 'sigterm' | 'garbage';
  readonly pid: number;
  /** Wall clock, ms. */
  readonly at: number;
  readonly tool?: string;
  readonly tag?: string;
  readonly id?: number | string;
  /** `executed`: calls in flight in that child, this one included. */
  readonly inFlight?: number;
  /** `executed`: the trace id that the call was handed down with. */
  readonly trace?: string;
}

/**
 * What the fake children really did, written by themselves: the witness against "ran twice" and "never ran".
 * Give `path` to the children as `FAKE_LEDGER`; the file is removed at disposal.
 */
export class Ledger implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ledger-'));
  readonly path = join(this.#folder, 'ledger.ndjson');

  constructor() {
    writeFileSync(this.path, '');
  }

  /** All entries so far, oldest first (of one child; children interleave). */
  entries(event?: LedgerEntry['event']): LedgerEntry[] {
    const complete = readFileSync(this.path, 'utf8').split('\n').slice(0, -1);
    const entries = complete.map((line) => JSON.parse(line) as LedgerEntry);
    return event === undefined ? entries : entries.filter((entry) => entry.event === event);
  }

  /** How often a tool was executed with this tag (all executions without one). */
  executions(tag?: string): number {
    return this.entries('executed').filter((entry) => tag === undefined || entry.tag === tag).length;
  }

  /** How often a call with this tag was cancelled while it ran (all cancels without one). */
  cancels(tag?: string): number {
    return this.entries('cancelled').filter((entry) => tag === undefined || entry.tag === tag).length;
  }

  /** Pids of the children that have started, in order. */
  starts(): number[] {
    return this.entries('start').map((entry) => entry.pid);
  }

  /** Tags executed more than once: what must never be for a `write` tool. */
  repeatedTags(): string[] {
    const seen = new Map<string, number>();
    for (const { tag } of this.entries('executed')) if (tag !== undefined) seen.set(tag, (seen.get(tag) ?? 0) + 1);
    return [...seen].filter(([, count]) => count > 1).map(([tag]) => tag);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
