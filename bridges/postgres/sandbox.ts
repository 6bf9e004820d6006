import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import { type SharedPostgres, sharePostgres } from '../../core/postgres-kit/shared-postgres.ts';

const SEED = new URL('./seed.sql', import.meta.url);
const DATABASE = 'planner';
const READER = 'planner_reader';
const WRITER = 'planner_writer';

async function withSuperuser(
  postgres: SharedPostgres['server'],
  database: string,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url({ database }) });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Fills the database `planner` of a cluster with the event planner's rows, unless this very seed is in it already;
 * another seed's database is replaced.
 */
export async function seedPlanner(postgres: SharedPostgres['server']): Promise<void> {
  const seed = await readFile(SEED, 'utf8');
  const digest = createHash('sha256').update(seed).digest('hex');
  let seeded = false;
  await withSuperuser(postgres, 'postgres', async (client) => {
    const found = await client.query<{ readonly digest: string | null }>(
      "select shobj_description(oid, 'pg_database') as digest from pg_database where datname = $1",
      [DATABASE],
    );
    seeded = found.rows[0]?.digest === digest;
    if (seeded) return;
    await client.query(`drop database if exists ${DATABASE} with (force)`);
    await client.query(`create database ${DATABASE}`);
    await client.query(`revoke connect, temporary on database ${DATABASE} from public`);
  });
  if (seeded) return;
  await withSuperuser(postgres, DATABASE, async (client) => {
    await client.query(seed);
    await client.query(`grant connect on database ${DATABASE} to ${READER}, ${WRITER}`);
  });
  await postgres.allow(READER);
  await postgres.allow(WRITER);
  // Last, and in the database itself: a seed that was cut short is begun anew.
  await withSuperuser(postgres, 'postgres', (client) => client.query(`comment on database ${DATABASE} is '${digest}'`));
}

/** The stand-in of a real database: PostgreSQL 18 with an event planner's rows, `execute` included. */
export async function startSandbox({ dataDir }: SandboxOptions): Promise<Sandbox> {
  const shared = await sharePostgres({ dataDir });
  const { server: postgres } = shared;
  try {
    await seedPlanner(postgres);
  } catch (error) {
    await shared[Symbol.asyncDispose]();
    throw error;
  }
  const notes = postgres.notes.length === 0 ? '' : ` (${postgres.notes.join('; ')})`;
  return {
    env: {
      DATABASE_URL: postgres.url({ user: READER, database: DATABASE }),
      POSTGRES_WRITE_URL: postgres.url({ user: WRITER, database: DATABASE }),
    },
    summary: `PostgreSQL ${postgres.version.split('-')[0]} on 127.0.0.1:${postgres.port}, an event planner's database${notes}`,
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  };
}
