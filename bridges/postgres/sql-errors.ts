import { ToolError } from '../../core/server-kit/tool-error.ts';

interface Meaning {
  readonly code: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

/** By SQLSTATE, then by its class (first two characters). https://www.postgresql.org/docs/18/errcodes-appendix.html */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '25006': {
    code: 'read_only',
    retryable: false,
    hint: 'This connection only reads; rows are changed by the tool execute, where it is enabled',
  },
  '25001': { code: 'read_only', retryable: false },
  '40001': { code: 'serialization_failure', retryable: true, hint: 'Another transaction was in the way; try again' },
  '40P01': { code: 'deadlock', retryable: true, hint: 'Another transaction was in the way; try again' },
  '40003': { code: 'outcome_unknown', retryable: false, hint: 'Look at the rows before trying again' },
  '42501': { code: 'permission_denied', retryable: false, hint: 'The role of this server has no right to it' },
  '42601': { code: 'syntax_error', retryable: false, hint: 'Give exactly one statement' },
  '42P01': { code: 'undefined_table', retryable: false, hint: 'list_tables and search_objects show what there is' },
  '42703': { code: 'undefined_column', retryable: false, hint: 'describe_table shows the columns' },
  '42883': { code: 'undefined_function', retryable: false, hint: 'Check the argument types, or cast them' },
  '3F000': { code: 'undefined_schema', retryable: false, hint: 'list_schemas shows what there is' },
  '55P03': { code: 'lock_timeout', retryable: true, hint: 'Another transaction holds the lock; try again later' },
  '57014': { code: 'statement_timeout', retryable: false, hint: 'Narrow the statement, or give it a longer deadline' },
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
  '08P01': {
    code: 'wrong_parameters',
    retryable: false,
    hint: 'Give one value in params for each placeholder $1, $2, …',
  },
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
  '23': { code: 'constraint_violation', retryable: false, hint: 'describe_table shows the constraints' },
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
 * @param position offset to take off the server's position, where the statement was wrapped
 */
export function toSqlToolError(error: unknown, position = 0): ToolError {
  if (error instanceof ToolError) return error;
  if (!isServerError(error)) return databaseUnavailable(error);
  const meaning = MEANINGS[error.code] ?? MEANINGS[error.code.slice(0, 2)] ?? { code: 'sql_error', retryable: false };
  const at = Number(error.position) - position;
  return new ToolError(meaning.code, error.message, {
    retryable: meaning.retryable,
    ...(error.hint === undefined && meaning.hint === undefined ? {} : { hint: error.hint ?? meaning.hint ?? '' }),
    details: {
      sqlstate: error.code,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      ...(at > 0 ? { position: at } : {}),
    },
    cause: error,
  });
}
