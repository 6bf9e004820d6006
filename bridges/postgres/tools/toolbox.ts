import type { Connections } from '../../../core/postgres-kit/connections.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import type { Database, Transaction } from '../database.ts';
import type { RoleGuard } from '../role.ts';
import type { Settings } from '../settings.ts';

/** One way to the database: its transactions, and the guard of its role. */
export interface Way {
  readonly connections: Connections;
  readonly database: Database;
  readonly guard: RoleGuard;
}

/** What every tool of this server is made with. */
export interface Toolbox {
  readonly settings: Settings;
  readonly read: Way;
  /** Only where `POSTGRES_WRITE_URL` is set. */
  readonly write: Way | undefined;
}

/** Runs `work` in a transaction of an accepted role. @throws ToolError */
export async function guarded<T>(
  way: Way,
  context: ToolContext,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  await way.guard.check(context);
  return way.database.transaction(context, work);
}
