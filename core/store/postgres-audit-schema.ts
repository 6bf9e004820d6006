import type pg from 'pg';
import { sqlState } from '#core/store/postgres-failure.ts';

/**
 * The steps that made the table, oldest first. A released step is never changed: a further one is added. Each also
 * holds where an administrator has made the table from these very lines.
 *
 * `writer` and `number` name a row once and for all, so that a batch that is written twice is there once; a gap in the
 * numbers of one writer is rows that were never written.
 */
const STEPS: readonly string[] = [
  `create table if not exists bridge_audit (
     id bigint generated always as identity primary key,
     at timestamptz not null,
     request_id text,
     trace_id text,
     principal text,
     bridge text,
     tool text,
     effect text,
     attempts integer,
     outcome text not null,
     executed text,
     duration_ms double precision,
     arguments_sha256 text,
     replayed boolean,
     dropped bigint,
     writer uuid,
     number bigint,
     unique (writer, number)
   );
   create index if not exists bridge_audit_at on bridge_audit (at);
   create index if not exists bridge_audit_principal_at on bridge_audit (principal, at);`,
];

/** Any number that nobody else is likely to lock: all who migrate take the same. */
const LOCK = '7164002218543916';

/**
 * Makes `bridge_audit`, or adds to it what this version needs. Any number of processes may do so at once, and nothing
 * is asked of the role where nothing is to be done. Without the right to make tables an existing one is taken as it is.
 * @throws what `pg` throws; the session may then be inside a transaction
 */
export async function migrateAudit(client: pg.ClientBase): Promise<void> {
  if (await isUpToDate(client)) return;
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(${LOCK})`);
    // Made before it is looked into: what a session believes to be missing it goes on believing inside a transaction.
    await client.query(
      'create table if not exists bridge_audit_version (version integer primary key, since timestamptz not null default now())',
    );
    const version = await versionOf(client);
    for (const [i, step] of STEPS.entries()) {
      if (i < version) continue;
      await client.query(step);
      await client.query('insert into bridge_audit_version (version) values ($1)', [i + 1]);
    }
    await client.query('commit');
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    await client.query('rollback');
    if (!(await isThere(client, 'bridge_audit'))) throw error;
  }
}

/** Whether there is nothing to do, or nothing that is for this role to know. */
async function isUpToDate(client: pg.ClientBase): Promise<boolean> {
  // Looked for first, since the error would stand in the server's log.
  if (!(await isThere(client, 'bridge_audit_version'))) return false;
  const { rows } = await client.query<{ yes: boolean }>(
    `select has_table_privilege('bridge_audit_version', 'select') as yes`,
  );
  return rows[0]?.yes !== true || (await versionOf(client)) >= STEPS.length;
}

/** How many of the steps were taken. */
async function versionOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    'select coalesce(max(version), 0) as version from bridge_audit_version',
  );
  return rows[0]?.version ?? 0;
}

async function isThere(client: pg.ClientBase, table: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [table]);
  return rows[0]?.there === true;
}
