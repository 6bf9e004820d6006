import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { type Connections, destroySocket, type Held, hangUp } from './connections.ts';
import { type Column, type ReadRows, type RowLimits, readRows } from './rows.ts';
import { endsConnection, toSqlToolError } from './sql-errors.ts';

/** Whether a transaction may change rows. */
export type Access = 'read' | 'write';

/** Time limits of every transaction. */
export interface TransactionLimits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** One open transaction. */
export interface Transaction {
  /**
   * One statement from a caller or from us; exactly one, by the extended protocol.
   * @param prefixLength characters before the caller's own text, taken off the position of an error
   * @throws ToolError
   */
  read(sql: string, params: readonly unknown[], limits: RowLimits, prefixLength?: number): Promise<ReadRows>;
  /** Rows of one of our own statements. @throws ToolError */
  rows<T>(sql: string, params?: readonly unknown[]): Promise<readonly T[]>;
  /** The names of the columns' types, e.g. `numeric(10,2)`. */
  typeNames(columns: readonly Column[]): Promise<readonly string[]>;
}

const CLEANING_MS = 5_000;
const CANCEL_CONNECT_MS = 1_000;
const CANCEL_EVERY_MS = 150;
const MAX_CANCELS = 6;
const CONNECTION_CHECK_MS = 500;
const MAX_TYPE_NAMES = 2_000;
/** A second connection that hangs must not hold the call. */
const CANCEL = { text: 'select pg_cancel_backend($1)', query_timeout: CANCEL_CONNECT_MS };
const OWN_LIMITS: RowLimits = { maxRows: 5_000, maxBytes: 3_145_728 };

/**
 * Opens the transaction, sets its limits and asks for the backend's real pid (a pooler in between knows another)
 * in one round trip. The SELECT also takes the first snapshot: from then on PostgreSQL itself refuses
 * to make a read-only transaction writable. Numbers only: nothing of a caller is in this text.
 */
function opening(access: Access, timeoutMs: number, lockTimeoutMs: number): string {
  const settings: Readonly<Record<string, string>> = {
    statement_timeout: String(timeoutMs),
    lock_timeout: String(Math.min(lockTimeoutMs, timeoutMs)),
    idle_in_transaction_session_timeout: String(timeoutMs + CLEANING_MS),
    datestyle: 'ISO, YMD',
    intervalstyle: 'iso_8601',
    bytea_output: 'hex',
    extra_float_digits: '1',
  };
  const set = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', true)`);
  // Lets the server notice by itself that this process is gone; Windows servers cannot.
  const check = `CASE WHEN current_setting('server_version_num')::int >= 140000 AND version() !~* 'visual c|mingw|windows'
    THEN set_config('client_connection_check_interval', '${CONNECTION_CHECK_MS}', true) END`;
  return `BEGIN TRANSACTION READ ${access === 'read' ? 'ONLY' : 'WRITE'}; SELECT pg_backend_pid() AS pid, ${[...set, check].join(', ')}`;
}

/**
 * Transactions on a bounded number of connections.
 *
 * Each ends with ROLLBACK (or COMMIT) and DISCARD ALL; a connection that cannot be cleaned, whose statement was
 * cancelled or that failed, is closed and never used again.
 */
export class Database {
  readonly #connections: Connections;
  readonly #access: Access;
  readonly #limits: TransactionLimits;
  readonly #typeNames = new Map<string, string>();

  constructor(connections: Connections, access: Access, limits: TransactionLimits) {
    this.#connections = connections;
    this.#access = access;
    this.#limits = limits;
  }

  /**
   * Runs `work` in a transaction; a write is committed when `work` returns, everything else is rolled back.
   *
   * When the context's signal aborts, the statement is cancelled in the server from a second connection, and
   * this settles once it has stopped there (or its connection was cut).
   * @throws ToolError the signal's reason; `database_unavailable`; `outcome_unknown` when COMMIT was not answered; what the statement met
   */
  async transaction<T>(context: ToolContext, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const { signal } = context;
    const { held, pid } = await this.#open(context);
    const ended = new AbortController();
    let cancelling: Promise<void> | undefined;
    const onAbort = () => {
      cancelling = this.#cancel(held.client, pid, ended.signal);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const result = await work(this.#transaction(held.client, signal));
      signal.throwIfAborted();
      signal.removeEventListener('abort', onAbort);
      if (this.#access === 'write') await this.#commit(held.client);
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

  async #open(context: ToolContext): Promise<{ readonly held: Held; readonly pid: number }> {
    const { signal } = context;
    for (;;) {
      const held = await this.#connections.acquire(signal);
      const cut = () => destroySocket(held.client);
      signal.addEventListener('abort', cut, { once: true });
      try {
        const timeoutMs = Math.max(1, Math.min(this.#limits.statementTimeoutMs, Math.ceil(context.remainingMs())));
        const results = await held.client.query(opening(this.#access, timeoutMs, this.#limits.lockTimeoutMs));
        const last = (results as unknown as pg.QueryResult<{ readonly pid: number }>[]).at(-1);
        return { held, pid: last?.rows[0]?.pid ?? 0 };
      } catch (error) {
        held.destroy();
        if (signal.aborted) throw signal.reason;
        // An idle connection may have been closed by the server meanwhile: nothing has run, so take another.
        if (!(held.reused && endsConnection(error))) throw toSqlToolError(error);
      } finally {
        signal.removeEventListener('abort', cut);
      }
    }
  }

  #transaction(client: pg.Client, signal: AbortSignal): Transaction {
    const read: Transaction['read'] = async (sql, params, limits, prefixLength) => {
      signal.throwIfAborted();
      try {
        return await readRows(client, sql, params, limits);
      } catch (error) {
        throw toSqlToolError(error, prefixLength);
      }
    };
    const rows = async <T>(sql: string, params: readonly unknown[] = []): Promise<readonly T[]> =>
      (await read(sql, params, OWN_LIMITS)).rows as readonly T[];
    return { read, rows, typeNames: (columns) => this.#namesOf(columns, rows) };
  }

  async #namesOf(columns: readonly Column[], rows: Transaction['rows']): Promise<readonly string[]> {
    const key = ({ oid, modifier }: Column) => `${oid}:${modifier}`;
    const unknown = columns.filter((column) => !this.#typeNames.has(key(column)));
    if (unknown.length > 0) {
      if (this.#typeNames.size > MAX_TYPE_NAMES) this.#typeNames.clear();
      const found = await rows<{ readonly name: string | null }>(
        'select format_type(t.oid, t.modifier) as name from unnest($1::oid[], $2::int[]) with ordinality as t (oid, modifier, n) order by n',
        [unknown.map(({ oid }) => oid), unknown.map(({ modifier }) => modifier)],
      );
      for (const [at, column] of unknown.entries()) this.#typeNames.set(key(column), found[at]?.name ?? 'unknown');
    }
    return columns.map((column) => this.#typeNames.get(key(column)) ?? 'unknown');
  }

  async #commit(client: pg.Client): Promise<void> {
    try {
      const { command } = await client.query('COMMIT');
      if (command === 'COMMIT') return;
    } catch (error) {
      if (!endsConnection(error)) throw toSqlToolError(error);
      throw new ToolError('outcome_unknown', 'the connection ended before COMMIT was answered', {
        hint: 'Look at the rows before trying again',
        cause: error,
      });
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
