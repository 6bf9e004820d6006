import { join } from 'node:path';
import pg from 'pg';
import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import { type SharedPostgres, sharePostgres } from '../../core/postgres-kit/shared-postgres.ts';
import { seedMemories } from './seed.ts';

const DATABASE = 'memory';
const ROLE = 'memory_keeper';
/** The bridge postgres keeps its stand-in's data here: one cluster serves both. */
const SHARED_FOLDER = 'postgres';
const SEEDED = 'seeded';

async function withSuperuser<T>(
  postgres: SharedPostgres['server'],
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: postgres.url() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes the database and its role where they are missing. @returns whether the memories are in it already */
async function prepare(postgres: SharedPostgres['server']): Promise<boolean> {
  return withSuperuser(postgres, async (client) => {
    const { rows } = await client.query<{ readonly comment: string | null }>(
      "select shobj_description(oid, 'pg_database') as comment from pg_database where datname = $1",
      [DATABASE],
    );
    if (rows.length === 0) await client.query(`create database ${DATABASE}`);
    const role = await client.query('select from pg_roles where rolname = $1', [ROLE]);
    if (role.rowCount === 0) await client.query(`create role ${ROLE} login`);
    await client.query(`revoke connect, temporary on database ${DATABASE} from public`);
    await client.query(`grant connect, create on database ${DATABASE} to ${ROLE}`);
    return rows[0]?.comment === SEEDED;
  });
}

/** The stand-in of a database for the memory: PostgreSQL 18 with some of an event planner's memories. */
export async function startSandbox({ dataDir, sharedDir }: SandboxOptions): Promise<Sandbox> {
  const folder = sharedDir === undefined ? dataDir : join(sharedDir, SHARED_FOLDER);
  const shared = await sharePostgres({ dataDir: folder });
  const { server: postgres } = shared;
  try {
    const seeded = await prepare(postgres);
    await postgres.allow(ROLE);
    const url = postgres.url({ user: ROLE, database: DATABASE });
    if (!seeded) {
      await seedMemories(url);
      // Last: what was cut short is done again, and what was forgotten since is not.
      await withSuperuser(postgres, (client) => client.query(`comment on database ${DATABASE} is '${SEEDED}'`));
    }
    const notes = postgres.notes.length === 0 ? '' : ` (${postgres.notes.join('; ')})`;
    return {
      env: { MEMORY_DATABASE_URL: url },
      summary: `PostgreSQL ${postgres.version.split('-')[0]} on 127.0.0.1:${postgres.port}, some memories of an event planner${notes}`,
      [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
    };
  } catch (error) {
    await shared[Symbol.asyncDispose]();
    throw error;
  }
}
