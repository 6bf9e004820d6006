import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../core/postgres-kit/embedded-postgres.ts';

/** A PostgreSQL of its own for one test file: empty, in a temporary folder, gone afterwards. */
export interface TestPostgres extends AsyncDisposable {
  readonly server: EmbeddedPostgres;
  /** A connection string of the superuser, for stores and the like. */
  readonly url: string;
  /** Makes a role that can log in and a database it owns; returns its connection string. */
  createDatabase(name: string, owner: string): Promise<string>;
  /** One statement, or several, as the superuser: to arrange and to judge. */
  admin<T extends pg.QueryResultRow>(sql: string, params?: readonly unknown[], database?: string): Promise<T[]>;
}

/** Starts it, in about a second. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'fleet-pg-'));
  await chmod(folder, 0o755); // as root PostgreSQL runs as another user, who has to walk in
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), durable: false }).catch(async (error) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const admin = async <T extends pg.QueryResultRow>(
    sql: string,
    params?: readonly unknown[],
    database = 'postgres',
  ) => {
    const client = new pg.Client({ connectionString: server.url({ database }) });
    await client.connect();
    try {
      return (await client.query<T>(sql, params === undefined ? undefined : [...params])).rows;
    } finally {
      await client.end();
    }
  };
  return {
    server,
    url: server.url(),
    createDatabase: async (name, owner) => {
      await admin(`create role ${owner} login`);
      await admin(`create database ${name} owner ${owner}`);
      await server.allow(owner);
      return server.url({ user: owner, database: name });
    },
    admin,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
      await rm(server.folder, { recursive: true, force: true });
    },
  };
}
