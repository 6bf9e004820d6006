import { flag, integer, optionalText, readEnvironment, requiredText } from '../../core/server-kit/environment.ts';

/** What the server was told, checked. */
export interface Settings {
  /** The reading role's connection string. */
  readonly readUrl: string;
  /** The writing role's; without it there is no `execute`. */
  readonly writeUrl: string | undefined;
  /** Connections to the server for tools; cancelling may open as many again for a moment. */
  readonly maxConnections: number;
  /** Most rows a caller can ask for. */
  readonly maxRows: number;
  /** Most bytes of rows in an answer, as JSON. */
  readonly maxBytes: number;
  /** Longest statement; a shorter deadline of the call wins. */
  readonly statementTimeoutMs: number;
  /** Longest wait for a lock. */
  readonly lockTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Refuse to work when the reading role could write. */
  readonly requireReadOnlyRole: boolean;
  /** Work even as a superuser or with a role that reaches the server's files or programs. */
  readonly allowSuperuser: boolean;
}

/** Reads the settings. @throws EnvironmentError with every problem */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(
    {
      DATABASE_URL: requiredText('a connection string of a role that can only read, postgres://user:password@host/db'),
      POSTGRES_WRITE_URL: optionalText('a connection string of a role that may change rows; turns on the tool execute'),
      POSTGRES_POOL_MAX: integer('connections per worker', { fallback: 4, min: 1, max: 64 }),
      POSTGRES_MAX_ROWS: integer('most rows a caller may ask for', { fallback: 1_000, min: 1, max: 100_000 }),
      POSTGRES_MAX_BYTES: integer('most bytes of rows in an answer', {
        fallback: 1_048_576,
        min: 1_024,
        max: 3_145_728,
      }),
      POSTGRES_STATEMENT_TIMEOUT_MS: integer('longest statement', { fallback: 30_000, min: 1, max: 600_000 }),
      POSTGRES_LOCK_TIMEOUT_MS: integer('longest wait for a lock', { fallback: 5_000, min: 1, max: 600_000 }),
      POSTGRES_CONNECT_TIMEOUT_MS: integer('longest wait for a connection', { fallback: 5_000, min: 1, max: 60_000 }),
      POSTGRES_REQUIRE_READONLY_ROLE: flag('refuse to work when the role of DATABASE_URL could write', false),
      POSTGRES_ALLOW_SUPERUSER: flag('work even as a superuser', false),
    },
    source,
  );
  return {
    readUrl: values.DATABASE_URL,
    writeUrl: values.POSTGRES_WRITE_URL,
    maxConnections: values.POSTGRES_POOL_MAX,
    maxRows: values.POSTGRES_MAX_ROWS,
    maxBytes: values.POSTGRES_MAX_BYTES,
    statementTimeoutMs: values.POSTGRES_STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: values.POSTGRES_LOCK_TIMEOUT_MS,
    connectTimeoutMs: values.POSTGRES_CONNECT_TIMEOUT_MS,
    requireReadOnlyRole: values.POSTGRES_REQUIRE_READONLY_ROLE,
    allowSuperuser: values.POSTGRES_ALLOW_SUPERUSER,
  };
}
