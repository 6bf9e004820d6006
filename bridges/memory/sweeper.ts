import type { Transactions } from '../../core/postgres-kit/transactions.ts';
import type { Log } from '../../core/server-kit/log.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { rowsOf } from './rows.ts';

const EVERY_MS = 60_000;
const DEADLINE_MS = 5_000;
const MAX_ROWS = 500;
/** One process sweeps at a time. */
const LOCK = '5180637724410973';

/** Oldest first, so that nothing is left behind for ever. */
const ENTRIES = `delete from memory_bridge.entries where id in (
  select id from memory_bridge.entries where expires_at <= now() order by expires_at limit ${MAX_ROWS})`;
/** Longer than a record of a key is kept by the bridge, 24 h. */
const CALLS = `delete from memory_bridge.calls where (namespace, key) in (
  select namespace, key from memory_bridge.calls where at <= now() - interval '48 hours' order by at limit ${MAX_ROWS})`;

/**
 * Deletes what has expired, whosever it was: once a minute at most, in the background of a call, and a bounded number
 * of rows at a time. Nobody sees an expired entry meanwhile, and a sweep that fails is no matter of the call.
 */
export class Sweeper {
  readonly #transactions: Transactions;
  readonly #log: Log;
  readonly #ending: AbortSignal;
  #sweepAgainAtMs = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(transactions: Transactions, log: Log, ending: AbortSignal) {
    this.#transactions = transactions;
    this.#log = log;
    this.#ending = ending;
  }

  /** Settles when none runs. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Sweeps where it is time to. Returns at once, never throws. */
  passBy(): void {
    const now = performance.now();
    if (now < this.#sweepAgainAtMs || this.#ending.aborted) return;
    this.#sweepAgainAtMs = now + EVERY_MS;
    this.#running = this.#sweep().catch((error: unknown) => {
      if (this.#ending.aborted) return;
      this.#log.warn('expired entries could not be deleted', {
        reason: error instanceof ToolError ? error.code : String(error),
      });
    });
  }

  async #sweep(): Promise<void> {
    const startedAtMs = performance.now();
    const signal = AbortSignal.any([this.#ending, AbortSignal.timeout(DEADLINE_MS)]);
    const remainingMs = () => Math.max(0, DEADLINE_MS - (performance.now() - startedAtMs));
    const deleted = await this.#transactions.run({ signal, remainingMs }, async (client) => {
      const rows = rowsOf(client, signal);
      const [turn] = await rows<{ mine: boolean }>(
        `select pg_try_advisory_xact_lock($1) as mine, set_config('memory_bridge.sweeping', 'on', true)`,
        [LOCK],
      );
      if (!turn?.mine) return 0;
      const counts = await Promise.all([ENTRIES, CALLS].map((sql) => rows<{ n: number }>(counted(sql))));
      return Math.max(...counts.map(([row]) => row?.n ?? 0));
    });
    // There is more: the next call sweeps again.
    if (deleted >= MAX_ROWS) this.#sweepAgainAtMs = 0;
  }
}

function counted(sql: string): string {
  return `with gone as (${sql} returning 1) select count(*)::int as n from gone`;
}
