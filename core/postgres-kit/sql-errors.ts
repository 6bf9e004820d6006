import { ToolError } from '#core/server-kit/tool-error.ts';

/** What an error of the database means to a caller. */
export interface SqlMeaning {
  readonly code: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

/** By SQLSTATE, or by its class (first two characters). */
export type SqlMeanings = Readonly<Record<string, SqlMeaning>>;

/** What holds for every server of ours on PostgreSQL. https://www.postgresql.org/docs/18/errcodes-appendix.html */
const MEANINGS: SqlMeanings = {
  '40001': { code: 'serialization_failure', retryable: true, hint: 'Another transaction was in the way; try again' },
  '40P01': { code: 'deadlock', retryable: true, hint: 'Another transaction was in the way; try again' },
  '42501': { code: 'permission_denied', retryable: false, hint: 'The role of this server has no right to it' },
  '55P03': { code: 'lock_timeout', retryable: true, hint: 'Another transaction holds the lock; try again later' },
  '57014': { code: 'statement_timeout', retryable: false, hint: 'Give it a longer deadline' },
  '57P01': {
    code: 'database_unavailable',
    retryable: true,
    hint: 'The database server is restarting; try again later',
  },
  '57P02': {
    code: 'database_unavailable',
    retryable: true,
    hint: 'The database server is restarting; try again later',
  },
  '57P03': { code: 'database_unavailable', retryable: true, hint: 'The database server is starting; try again later' },
  '57P05': { code: 'database_unavailable', retryable: true },
  '3D000': {
    code: 'not_configured',
    retryable: false,
    hint: 'The database named by the connection string does not exist',
  },
  '28000': {
    code: 'not_configured',
    retryable: false,
    hint: 'The database refuses this server: check the connection string',
  },
  '28P01': {
    code: 'not_configured',
    retryable: false,
    hint: 'The database refuses this server: check the connection string',
  },
  '08': { code: 'database_unavailable', retryable: true, hint: 'The connection failed; try again later' },
  '22': { code: 'data_exception', retryable: false },
  '23': { code: 'constraint_violation', retryable: false },
  '40': { code: 'transaction_rolled_back', retryable: true },
  '42': { code: 'invalid_statement', retryable: false },
  '53': {
    code: 'database_overloaded',
    retryable: true,
    hint: 'The database server is short of resources; try again later',
  },
  '54': { code: 'limit_exceeded', retryable: false },
};

/** What `pg` gives for an ErrorResponse of the server. */
interface ServerError extends Error {
  readonly code: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
}

function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    'severity' in error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code)
  );
}

/** The server cannot be reached, or went away: no more is known than the system's own code, where there is one. */
export function databaseUnavailable(cause: unknown): ToolError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = /^E[A-Z_]{2,30}$/.test(code) ? ` (${code})` : '';
  return new ToolError('database_unavailable', `the database cannot be reached${why}`, {
    retryable: true,
    hint: 'Try again later; this server connects anew by itself',
    cause,
  });
}

/** Whether an error ended the connection rather than the statement. */
export function endsConnection(error: unknown): boolean {
  if (!isServerError(error)) return true;
  return error.code.startsWith('08') || error.code.startsWith('57P');
}

/**
 * An error of `pg` as the tool's answer: SQLSTATE, the server's own words, and whether a repeat may help.
 * @param meanings what a server of ours says differently
 * @param position offset to take off the server's position, where the statement was wrapped
 */
export function sqlToolError(error: unknown, meanings: SqlMeanings = {}, position = 0): ToolError {
  if (error instanceof ToolError) return error;
  if (!isServerError(error)) return databaseUnavailable(error);
  const { code } = error;
  const family = code.slice(0, 2);
  const meaning = meanings[code] ??
    MEANINGS[code] ??
    meanings[family] ??
    MEANINGS[family] ?? { code: 'sql_error', retryable: false };
  const at = Number(error.position) - position;
  return new ToolError(meaning.code, error.message, {
    retryable: meaning.retryable,
    ...(error.hint === undefined && meaning.hint === undefined ? {} : { hint: error.hint ?? meaning.hint ?? '' }),
    details: {
      sqlstate: code,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      ...(at > 0 ? { position: at } : {}),
    },
    cause: error,
  });
}
