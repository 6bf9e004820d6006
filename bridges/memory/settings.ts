import { integer, readEnvironment, requiredText } from '../../core/server-kit/environment.ts';

/** What the server was told, checked. */
export interface Settings {
  /** Connection string of the role that keeps the memory. */
  readonly databaseUrl: string;
  /** Most entries that one principal may have. */
  readonly maxEntries: number;
  /** Text search configuration of PostgreSQL that words are reduced by. */
  readonly language: string;
  /** Connections of this process. */
  readonly maxConnections: number;
}

const URL_HELP = 'connection string of the role that keeps the memory, postgres://user:password@host:5432/database';

/** Reads the settings. @throws EnvironmentError with every problem */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(
    {
      MEMORY_DATABASE_URL: { ...requiredText(URL_HELP), parse: connectionString },
      MEMORY_MAX_ENTRIES: integer('most entries that one caller may have', {
        fallback: 10_000,
        min: 1,
        max: 1_000_000,
      }),
      MEMORY_LANGUAGE: { help: 'text search configuration', required: false, fallback: 'english', parse: languageName },
      MEMORY_POOL_MAX: integer('connections per worker', { fallback: 4, min: 1, max: 64 }),
    },
    source,
  );
  return {
    databaseUrl: values.MEMORY_DATABASE_URL,
    maxEntries: values.MEMORY_MAX_ENTRIES,
    language: values.MEMORY_LANGUAGE,
    maxConnections: values.MEMORY_POOL_MAX,
  };
}

function connectionString(text: string): string {
  const protocol = URL.parse(text)?.protocol;
  if (protocol !== 'postgres:' && protocol !== 'postgresql:') {
    throw new Error('must be a connection string, postgres://user:password@host:5432/database');
  }
  return text;
}

function languageName(text: string): string {
  if (!/^[a-z_]{1,63}$/.test(text)) {
    throw new Error('must be the name of a text search configuration, e.g. english, german or simple');
  }
  return text;
}
