/** What a failure of `pg` means; by SQLSTATE, then by its class. https://www.postgresql.org/docs/18/errcodes-appendix.html */
const MEANINGS: Readonly<Record<string, string>> = {
  '25006': 'the database takes no writes just now; is it a standby?',
  '3D000': 'the database named by the connection string does not exist; create it or correct the name',
  '42501': 'the role has not the right to do this; grant it, or let another role make the table',
  '42P01': 'the table is missing; let a role that may make it start once',
  '42703': 'the table lacks a column; let a role that may alter it start once',
  '53300': 'the database has no connection left',
  '55P03': 'somebody holds a lock',
  '57014': 'the statement took too long',
  '57P03': 'the database is starting or stopping',
  '08': 'the connection failed',
  '22': 'a value does not fit its column',
  '23': 'a constraint of the table forbids it',
  '28': 'the database refuses the role or its password; correct the connection string',
  '53': 'the database is short of resources',
  '54': 'a value is too large for the table',
  '57': 'the database is stopping',
};

/** Failures that `pg` itself reports, by its words. */
const OWN_WORDS: Readonly<Record<string, string>> = {
  'timeout expired': 'the database took no connection in time',
  'Query read timeout': 'the database did not answer in time',
  'Connection terminated': 'the connection was lost',
  'Connection terminated unexpectedly': 'the connection was lost',
};

/** The code of an error that the server itself reports. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  return error instanceof Error && 'severity' in error && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether it is this statement's values that cannot be taken: it would fail the same way again, and others would not. */
export function isRefusal(error: unknown): boolean {
  return /^2[23]|^54/.test(sqlState(error) ?? '');
}

/**
 * Why it failed, in our words: those of server and driver repeat role, database, host and values. At the end the code
 * of the server or of the system, where there is one.
 */
export function failureReason(error: unknown): string {
  const state = sqlState(error);
  if (state !== undefined) {
    return `${MEANINGS[state] ?? MEANINGS[state.slice(0, 2)] ?? 'the database refuses the statement'} (${state})`;
  }
  const code = codeOf(error);
  if (code === 'ERR_INVALID_URL') return 'the connection string cannot be read; it is postgres://user:password@host/db';
  const meaning = OWN_WORDS[error instanceof Error ? error.message : ''] ?? 'the database cannot be reached';
  return /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? `${meaning} (${code})` : meaning;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
