import type { Log } from '../../core/server-kit/log.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { Access, Database } from './database.ts';
import type { Settings } from './settings.ts';

/** What the role of a connection string could do, apart from the read-only transaction. */
export interface RoleReport {
  readonly role: string;
  readonly database: string;
  readonly serverVersion: string;
  /** Superuser, or a member of a role that reaches the server's files or programs. */
  readonly dangerous: readonly string[];
  /** Ways in which it could change data. */
  readonly canWrite: readonly string[];
}

const INSPECT = `
with grants as (
  select count(*) filter (where has_table_privilege(c.oid, 'insert, update, delete, truncate')) as tables,
         count(*) filter (where pg_has_role(c.relowner, 'usage')) as owned
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
)
select current_user as role, current_database() as database, current_setting('server_version') as version,
       r.rolsuper as superuser, r.rolcreaterole as "createRole", r.rolcreatedb as "createDatabase",
       r.rolreplication as replication, r.rolbypassrls as "bypassRls",
       array(
         select m.rolname::text from pg_roles m
         where m.rolname in ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program', 'pg_read_server_files',
                             'pg_signal_backend', 'pg_maintain')
           and not r.rolsuper and pg_has_role(m.oid, 'member')
       ) as member,
       has_database_privilege(current_database(), 'create') as "createSchema",
       (select count(*) from pg_namespace n
        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege(n.oid, 'create'))::int as "schemas",
       exists (select from pg_proc p where p.proname in ('dblink_exec', 'dblink_connect') and has_function_privilege(p.oid, 'execute')) as dblink,
       grants.tables::int as tables, grants.owned::int as owned
from pg_roles r, grants
where r.rolname = current_user`;

interface Inspected {
  readonly role: string;
  readonly database: string;
  readonly version: string;
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly replication: boolean;
  readonly bypassRls: boolean;
  readonly member: readonly string[];
  readonly createSchema: boolean;
  readonly schemas: number;
  readonly tables: number;
  readonly owned: number;
  readonly dblink: boolean;
}

const DANGEROUS_ROLES: ReadonlySet<string> = new Set([
  'pg_write_server_files',
  'pg_execute_server_program',
  'pg_read_server_files',
]);

function listed(pairs: readonly (readonly [boolean, string])[]): readonly string[] {
  return pairs.filter(([applies]) => applies).map(([, text]) => text);
}

function report(found: Inspected): RoleReport {
  return {
    role: found.role,
    database: found.database,
    serverVersion: found.version,
    dangerous: listed([
      [found.superuser, 'is a superuser'],
      [found.createRole, 'may create roles'],
      [found.replication, 'may replicate'],
      ...found.member
        .filter((role) => DANGEROUS_ROLES.has(role))
        .map((role) => [true, `is a member of ${role}`] as const),
    ]),
    canWrite: listed([
      [found.tables > 0, `may change rows of ${found.tables} tables`],
      [found.owned > 0, `owns ${found.owned} tables`],
      [found.createSchema, 'may create schemas'],
      [found.schemas > 0, `may create objects in ${found.schemas} schemas`],
      [found.createDatabase, 'may create databases'],
      [found.bypassRls, 'bypasses row security'],
      [found.dblink, 'may reach other databases through dblink'],
      ...found.member
        .filter((role) => !DANGEROUS_ROLES.has(role))
        .map((role) => [true, `is a member of ${role}`] as const),
    ]),
  };
}

const HOW = 'bridges/postgres/README.md has the GRANT statements of a role that fits';

/**
 * Looks once at what the role of a connection may do, and says no where that is too much: a read-only
 * transaction is no boundary against a superuser, whose statements reach files and programs.
 */
export class RoleGuard {
  readonly #database: Database;
  readonly #access: Access;
  readonly #settings: Settings;
  #known: RoleReport | undefined;

  constructor(database: Database, access: Access, settings: Settings) {
    this.#database = database;
    this.#access = access;
    this.#settings = settings;
  }

  /** The report, asked for once. @throws ToolError */
  async report(context: ToolContext): Promise<RoleReport> {
    if (this.#known !== undefined) return this.#known;
    const found = await this.#database.transaction(context, async (transaction) => {
      const [row] = await transaction.rows<Inspected>(INSPECT);
      if (row === undefined) throw new ToolError('internal', 'the role could not be looked up');
      return report(row);
    });
    if (this.#known === undefined) this.#say(found, context.log);
    this.#known = found;
    return found;
  }

  /** Why the role is refused; undefined when it is not. */
  refusal({ role, dangerous, canWrite }: RoleReport): ToolError | undefined {
    if (dangerous.length > 0 && !this.#settings.allowSuperuser) {
      return new ToolError('role_refused', `the role ${role} ${dangerous.join(', ')}`, {
        hint: `Connect as a lesser role (${HOW}), or set POSTGRES_ALLOW_SUPERUSER=true`,
      });
    }
    if (this.#access === 'read' && this.#settings.requireReadOnlyRole && canWrite.length > 0) {
      return new ToolError('role_refused', `the role ${role} ${canWrite.join(', ')}`, {
        hint: `Connect as a role that can only read (${HOW}), or set POSTGRES_REQUIRE_READONLY_ROLE=false`,
      });
    }
    return undefined;
  }

  /** @throws ToolError `role_refused` */
  async check(context: ToolContext): Promise<void> {
    const refusal = this.refusal(await this.report(context));
    if (refusal === undefined) return;
    this.#known = undefined; // so that a repaired role is seen without a restart
    throw refusal;
  }

  #say(found: RoleReport, log: Log): void {
    const facts = [...found.dangerous, ...(this.#access === 'read' ? found.canWrite : [])];
    if (facts.length === 0) return;
    log.warn(`the role ${found.role} could do more than ${this.#access === 'read' ? 'read' : 'change rows'}`, {
      facts,
      advice: HOW,
    });
  }
}
