import { readFile } from 'node:fs/promises';
import type { Transactions } from '../../core/postgres-kit/transactions.ts';
import type { Log } from '../../core/server-kit/log.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { type Rows, rowsOf } from './rows.ts';

/** The version that this release works with. */
const VERSION = 1;
const FILE = new URL('./schema.sql', import.meta.url);
/** Any number that nobody else is likely to lock: all who migrate take the same. */
const LOCK = '5180637724410972';
const DEADLINE_MS = 10_000;

/** The catalogue itself: what a session believes to be missing by name it may go on believing. */
const LOOK = `
select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'memory_bridge' and c.relname = 'version') as there,
       (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as "aboveRules"`;

/**
 * The tables, made at the first use of the first process that comes: any number may come at once. One that fails is
 * tried again by the next call.
 */
export class Schema {
  readonly #transactions: Transactions;
  readonly #log: Log;
  readonly #ending: AbortSignal;
  #ready: Promise<void> | undefined;

  constructor(transactions: Transactions, log: Log, ending: AbortSignal) {
    this.#transactions = transactions;
    this.#log = log;
    this.#ending = ending;
  }

  /**
   * Settles when the tables are there; a call waits no longer than its own signal lets it.
   * @throws ToolError what the database met; `not_configured` where the tables are newer than this release
   */
  async ready(signal: AbortSignal): Promise<void> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.forget();
      throw error;
    });
    signal.throwIfAborted();
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#ready, gone]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** They may be gone: the next call looks again. */
  forget(): void {
    this.#ready = undefined;
  }

  async #prepare(): Promise<void> {
    const startedAtMs = performance.now();
    const patience = {
      signal: AbortSignal.any([this.#ending, AbortSignal.timeout(DEADLINE_MS)]),
      remainingMs: () => Math.max(0, DEADLINE_MS - (performance.now() - startedAtMs)),
    };
    try {
      const version = await this.#transactions.run(patience, (client) =>
        this.#versionOf(rowsOf(client, patience.signal)),
      );
      if (version === VERSION) return;
      await this.#transactions.run(patience, async (client) => {
        const rows = rowsOf(client, patience.signal);
        await rows('select pg_advisory_xact_lock($1)', [LOCK]);
        if ((await this.#versionOf(rows)) === VERSION) return;
        await rows(await readFile(FILE, 'utf8'));
        this.#log.info('the tables of the memory were made', { version: VERSION });
      });
    } catch (error) {
      // A call is told of the database, not of a deadline that is not its own.
      if (patience.signal.aborted && !this.#ending.aborted) {
        throw new ToolError('database_unavailable', `the tables were not ready within ${DEADLINE_MS} ms`, {
          retryable: true,
          cause: error,
        });
      }
      throw error;
    }
  }

  /** 0 where there is nothing. */
  async #versionOf(rows: Rows): Promise<number> {
    const [look] = await rows<{ there: boolean; aboveRules: boolean }>(LOOK);
    if (look?.aboveRules) {
      this.#log.warn('the role of MEMORY_DATABASE_URL is above row level security; give the memory a role of its own');
    }
    if (!look?.there) return 0;
    const [found] = await rows<{ version: number }>('select max(version) as version from memory_bridge.version');
    const version = found?.version ?? 0;
    if (version > VERSION) {
      throw new ToolError('not_configured', `the tables are of version ${version}, this server knows ${VERSION}`, {
        hint: 'Update the bridge memory',
      });
    }
    return version;
  }
}
