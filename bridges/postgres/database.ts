import type pg from 'pg';
import type { Connections } from '../../core/postgres-kit/connections.ts';
import { Transactions } from '../../core/postgres-kit/transactions.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { type Column, type ReadRows, type RowLimits, readRows } from './rows.ts';
import { toSqlToolError } from './sql-errors.ts';

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

const MAX_TYPE_NAMES = 2_000;
const OWN_LIMITS: RowLimits = { maxRows: 5_000, maxBytes: 3_145_728 };

/** The texts that values are read from. */
const FORMATS = {
  datestyle: 'ISO, YMD',
  intervalstyle: 'iso_8601',
  bytea_output: 'hex',
  extra_float_digits: '1',
} as const;

/** Transactions with callers' statements in them. */
export class Database {
  readonly #transactions: Transactions;
  readonly #typeNames = new Map<string, string>();

  constructor(connections: Connections, access: Access, { statementTimeoutMs, lockTimeoutMs }: TransactionLimits) {
    this.#transactions = new Transactions(connections, {
      access,
      statementTimeoutMs,
      lockTimeoutMs,
      settings: FORMATS,
      unknownHint: 'Look at the rows before trying again',
      toError: toSqlToolError,
    });
  }

  /**
   * Runs `work` in a transaction; a write is committed when `work` returns, everything else is rolled back. When the
   * context's signal aborts, the statement is cancelled in the server.
   * @throws ToolError the signal's reason; `database_unavailable`; `outcome_unknown` when COMMIT was not answered; what the statement met
   */
  transaction<T>(context: ToolContext, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#transactions.run(context, (client) => work(this.#transaction(client, context.signal)));
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
}
