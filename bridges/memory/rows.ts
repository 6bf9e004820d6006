import type pg from 'pg';
import { type SqlMeanings, sqlToolError } from '../../core/postgres-kit/sql-errors.ts';
import type { ToolError } from '../../core/server-kit/tool-error.ts';

/** Rows of one statement in an open transaction. @throws ToolError */
export type Rows = <T extends pg.QueryResultRow>(sql: string, params?: readonly unknown[]) => Promise<readonly T[]>;

const GRANTS = 'The README of the bridge memory lists what its role must be granted';

/** What errors mean where every statement is our own. */
const MEANINGS: SqlMeanings = {
  '25006': {
    code: 'not_configured',
    retryable: false,
    hint: 'MEMORY_DATABASE_URL leads to a database that can only be read: it must be the primary',
  },
  '42501': { code: 'permission_denied', retryable: false, hint: GRANTS },
  '42704': { code: 'not_configured', retryable: false, hint: 'MEMORY_LANGUAGE must be a text search configuration' },
  '42P01': { code: 'database_unavailable', retryable: true, hint: 'The tables are made anew by the next call' },
  '3F000': { code: 'database_unavailable', retryable: true, hint: 'The tables are made anew by the next call' },
};

/** An error of `pg` as the tool's answer. */
export function memoryError(error: unknown): ToolError {
  return sqlToolError(error, MEANINGS);
}

/** Whether the tables are gone. */
export function isMissingTable(error: ToolError): boolean {
  const state = error.details?.sqlstate;
  return state === '42P01' || state === '3F000';
}

/** Statements of one open transaction; none is begun once `signal` is aborted. */
export function rowsOf(client: pg.Client, signal: AbortSignal): Rows {
  return async (sql, params) => {
    signal.throwIfAborted();
    try {
      const result = await (params === undefined ? client.query(sql) : client.query(sql, [...params]));
      return result.rows;
    } catch (error) {
      throw memoryError(error);
    }
  };
}
