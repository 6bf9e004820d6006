import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { type Connections, destroySocket, type Held, hangUp } from '#core/postgres-kit/connections.ts';
import { endsConnection, sqlToolError } from '#core/postgres-kit/sql-errors.ts';
import { ToolError } from '#core/server-kit/tool-error.ts';

/** What of a call's context a transaction obeys. */
export interface Patience {
  readonly signal: AbortSignal;
  /** `Infinity` without a deadline. */
  remainingMs(): number;
}

/** How every transaction of one kind is run. */
export interface TransactionOptions {
  /** Whether it may change rows; a write is committed. */
  readonly access: 'read' | 'write';
  /** `read committed`: each statement sees what was committed before it. Default: as the role is set. */
  readonly isolation?: 'read committed';
  /** Longest statement; a shorter deadline of the call wins. */
  readonly statementTimeoutMs: number;
  /** Longest wait for a lock. */
  readonly lockTimeoutMs: number;
  /** Parameters of the session that hold for the transaction. Our own text only: nothing of a caller. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What to do after a COMMIT that was not answered. */
  readonly unknownHint: string;
  /** An error of `pg` as the tool's answer. Default `sqlToolError`. */
  readonly toError?: (error: unknown) => ToolError;
}

const CLEANING_MS = 5_000;
const CANCEL_CONNECT_MS = 1_000;
const CANCEL_EVERY_MS = 150;
const MAX_CANCELS = 6;
const CONNECTION_CHECK_MS = 500;
/** A COMMIT is not cancelled; after the abort its answer is waited for no longer than this. */
const MAX_COMMIT_MS = 1_000;
/** A second connection that hangs must not hold the call. */
const CANCEL = { text: 'select pg_cancel_backend($1)', query_timeout: CANCEL_CONNECT_MS };

/**
 * Opens the transaction, sets its limits and asks for the backend's real pid (a pooler in between knows another)
 * in one round trip. The SELECT also takes the first snapshot: from then on PostgreSQL itself refuses
 * to make a read-only transaction writable.
 */
function opening({ access, isolation, lockTimeoutMs, settings }: TransactionOptions, timeoutMs: number): string {
  const all: Readonly<Record<string, string>> = {
    statement_timeout: String(timeoutMs),
    lock_timeout: String(Math.min(lockTimeoutMs, timeoutMs)),
    idle_in_transaction_session_timeout: String(timeoutMs + CLEANING_MS),
    ...settings,
  };
  const set = Object.entries(all).map(([name, value]) => `set_config('${name}', '${value}', true)`);
  // Lets the server notice by itself that this process is gone; Windows servers cannot.
  const check = `CASE WHEN current_setting('server_version_num')::int >= 140000 AND version() !~* 'visual c|mingw|windows'
    THEN set_config('client_connection_check_interval', '${CONNECTION_CHECK_MS}', true) END`;
  const level = isolation === undefined ? '' : `ISOLATION LEVEL ${isolation} `;
  return `BEGIN TRANSACTION ${level}READ ${access === 'read' ? 'ONLY' : 'WRITE'}; SELECT pg_backend_pid() AS pid, ${[...set, check].join(', ')}`;
}

/**
 * Transactions on a bounded number of connections.
 *
 * Each ends with ROLLBACK (or COMMIT) and DISCARD ALL; a connection that cannot be cleaned, whose statement was
 * cancelled or that failed, is closed and never used again.
 */
export class Transactions {
  readonly #connections: Connections;
  readonly #options: TransactionOptions;
  readonly #toError: (error: unknown) => ToolError;

  constructor(connections: Connections, options: TransactionOptions) {
    this.#connections = connections;
    this.#options = options;
    this.#toError = options.toError ?? sqlToolError;
  }

  /**
   * Runs `work` in a transaction; a write is committed when `work` returns, everything else is rolled back.
   *
   * When the signal aborts, the statement is cancelled in the server from a second connection, and this settles once it
   * has stopped there (or its connection was cut). A COMMIT that has been sent is waited for a second longer.
   * @throws ToolError the signal's reason; `database_unavailable`; `outcome_unknown` when COMMIT was not answered; what `work` threw
   */
  async run<T>(patience: Patience, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { signal } = patience;
    const { held, pid } = await this.#open(patience);
    const ended = new AbortController();
    let cancelling: Promise<void> | undefined;
    const onAbort = () => {
      cancelling = this.#cancel(held.client, pid, ended.signal);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const result = await work(held.client);
      signal.throwIfAborted();
      signal.removeEventListener('abort', onAbort);
      if (this.#options.access === 'write') await this.#commit(held.client, signal);
      this.#clean(held);
      return result;
    } catch (error) {
      ended.abort();
      await cancelling;
      if (cancelling === undefined && leavesConnectionUsable(error)) this.#clean(held);
      else held.destroy();
      throw signal.aborted && !isUnknown(error) ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #open(patience: Patience): Promise<{ readonly held: Held; readonly pid: number }> {
    const { signal } = patience;
    for (;;) {
      const held = await this.#connections.acquire(signal);
      const cut = () => destroySocket(held.client);
      signal.addEventListener('abort', cut, { once: true });
      try {
        const timeoutMs = Math.max(1, Math.min(this.#options.statementTimeoutMs, Math.ceil(patience.remainingMs())));
        const results = await held.client.query(opening(this.#options, timeoutMs));
        const last = (results as unknown as pg.QueryResult<{ readonly pid: number }>[]).at(-1);
        return { held, pid: last?.rows[0]?.pid ?? 0 };
      } catch (error) {
        held.destroy();
        if (signal.aborted) throw signal.reason;
        // An idle connection may have been closed by the server meanwhile: nothing has run, so take another.
        if (!(held.reused && endsConnection(error))) throw this.#toError(error);
      } finally {
        signal.removeEventListener('abort', cut);
      }
    }
  }

  async #commit(client: pg.Client, signal: AbortSignal): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const onAbort = () => {
      late = setTimeout(() => destroySocket(client), MAX_COMMIT_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const { command } = await client.query('COMMIT');
      if (command === 'COMMIT') return;
    } catch (error) {
      if (!endsConnection(error)) throw this.#toError(error);
      throw new ToolError('outcome_unknown', 'the connection ended before COMMIT was answered', {
        hint: this.#options.unknownHint,
        details: { executed: 'maybe' },
        cause: error,
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(late);
    }
    throw new ToolError('transaction_rolled_back', 'the database rolled the transaction back', { retryable: true });
  }

  /** In the background: the caller's answer need not wait for it, the connection's next call does. */
  #clean(held: Held): void {
    const late = setTimeout(() => destroySocket(held.client), CLEANING_MS);
    held.client
      .query('ROLLBACK')
      .then(() => held.client.query('DISCARD ALL'))
      .then(
        () => held.release(),
        () => held.destroy(),
      )
      .finally(() => clearTimeout(late));
  }

  /**
   * Stops the statement of backend `pid` from a second connection. Repeated, since a request that arrives before
   * its statement is lost. Settles after `ended`; until then no further statement runs on that backend, so that
   * a cancel can never hit another call.
   */
  async #cancel(client: pg.Client, pid: number, ended: AbortSignal): Promise<void> {
    try {
      const side = await this.#connections.connect(AbortSignal.timeout(CANCEL_CONNECT_MS));
      try {
        for (let turn = 0; turn < MAX_CANCELS && !ended.aborted; turn += 1) {
          await side.query(CANCEL, [pid]);
          await delay(CANCEL_EVERY_MS, undefined, { signal: ended }).catch(() => undefined);
        }
      } finally {
        hangUp(side);
      }
    } catch {
      // No second connection: cutting the first makes the server stop by its connection check.
    }
    if (!ended.aborted) destroySocket(client);
  }
}

function leavesConnectionUsable(error: unknown): boolean {
  return error instanceof ToolError && error.code !== 'database_unavailable' && error.code !== 'outcome_unknown';
}

function isUnknown(error: unknown): boolean {
  return error instanceof ToolError && error.code === 'outcome_unknown';
}
