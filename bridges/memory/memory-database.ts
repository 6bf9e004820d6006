import { Connections } from '../../core/postgres-kit/connections.ts';
import { Transactions } from '../../core/postgres-kit/transactions.ts';
import type { Reconciliation } from '../../core/server-kit/define-tool.ts';
import type { Log } from '../../core/server-kit/log.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { isMissingTable, memoryError, type Rows, rowsOf } from './rows.ts';
import { Schema } from './schema.ts';
import type { Settings } from './settings.ts';
import { Sweeper } from './sweeper.ts';

/** One transaction in the namespace of whoever calls. */
export interface Session {
  /** Whose entries these are: `$1` of every statement. */
  readonly namespace: string;
  readonly rows: Rows;
}

/** A tool's output as it is written down: JSON. */
type Outcome = Readonly<Record<string, unknown>>;

const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** What is remembered must outlive a crash of the database, whatever its default is. */
const ENTER = `select set_config('memory_bridge.namespace', $1, true),
  case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', true) end`;

/** The memory of all principals, each call in a transaction that reaches the caller's own. */
export class MemoryDatabase {
  readonly #connections: Connections;
  readonly #read: Transactions;
  readonly #write: Transactions;
  readonly #schema: Schema;
  readonly #sweeper: Sweeper;
  readonly #ending = new AbortController();

  constructor({ databaseUrl: url, maxConnections: max }: Settings, log: Log) {
    const options = { url, max, applicationName: 'mcp-bridge-memory', connectTimeoutMs: CONNECT_TIMEOUT_MS };
    this.#connections = new Connections(options);
    const transactions = (access: 'read' | 'write') =>
      new Transactions(this.#connections, {
        access,
        // A key is looked up after its lock was waited for, and must be seen then.
        isolation: 'read committed',
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        lockTimeoutMs: LOCK_TIMEOUT_MS,
        unknownHint:
          'With an Idempotency-Key, repeat the call with the same key and Prefer: reconcile; without one, look with memory_list before trying again',
        toError: memoryError,
      });
    this.#read = transactions('read');
    this.#write = transactions('write');
    this.#schema = new Schema(this.#write, log, this.#ending.signal);
    this.#sweeper = new Sweeper(this.#write, log, this.#ending.signal);
  }

  /** Runs `work` in a transaction that only reads. @throws ToolError */
  read<T>(context: ToolContext, work: (session: Session) => Promise<T>): Promise<T> {
    return this.#run(this.#read, context, work);
  }

  /**
   * Runs `work` in a transaction and commits it. With an idempotency key it runs once: the key is locked, and what the
   * call answers is written down in the same transaction; a later call is told the same.
   * @throws ToolError; `outcome_unknown` where COMMIT was not answered and the database cannot be asked at once
   */
  async write<T extends Outcome>(context: ToolContext, work: (session: Session) => Promise<T>): Promise<T> {
    const { idempotencyKey } = context;
    if (idempotencyKey === undefined) return this.#run(this.#write, context, work).catch(toldAsNotExecuted);
    const once = async (session: Session): Promise<T> => {
      const known = await outcomeOf(session, idempotencyKey);
      if (known !== undefined) return known as T;
      const outcome = await work(session);
      await session.rows('insert into memory_bridge.calls (namespace, key, outcome) values ($1, $2, $3)', [
        session.namespace,
        idempotencyKey,
        JSON.stringify(outcome),
      ]);
      return outcome;
    };
    try {
      return await this.#run(this.#write, context, once);
    } catch (error) {
      if (!isUnknown(error)) toldAsNotExecuted(error);
      // The database knows. Asking it is running the call again under its key, in what is left of the deadline.
      return this.#run(this.#write, context, once).catch(() => {
        throw error;
      });
    }
  }

  /**
   * What became of a call with this key. A write that could still be committed holds the lock of its key; once that is
   * had, either it was committed and is seen, or its transaction is over. And none begins any more: its server gives
   * up at the call's deadline, before which nobody asks.
   */
  async reconcile<T extends Outcome>(context: ToolContext): Promise<Reconciliation<T>> {
    const { idempotencyKey = '' } = context;
    try {
      const known = await this.#run(this.#read, context, async (session) => {
        // Less than the call has, so that it can still say why it knows nothing.
        const patienceMs = Math.max(1, Math.min(LOCK_TIMEOUT_MS, Math.floor(context.remainingMs() / 2)));
        await session.rows(`select set_config('lock_timeout', $1, true)`, [String(patienceMs)]);
        return outcomeOf(session, idempotencyKey);
      });
      return known === undefined ? { found: 'not_executed' } : { found: 'executed', result: known as T };
    } catch (error) {
      if (!(error instanceof ToolError) || !STILL_OPEN.has(error.code)) throw error;
      return { found: 'unknown', looked: 'in the database, where a transaction with this key is still open' };
    }
  }

  /** Ends what sweeps and closes the connections. */
  async close(): Promise<void> {
    this.#ending.abort(new ToolError('shutting_down', 'the server is ending'));
    await this.#sweeper.ended;
    await this.#connections.close();
  }

  async #run<T>(transactions: Transactions, context: ToolContext, work: (session: Session) => Promise<T>): Promise<T> {
    const { principal: namespace, signal } = context;
    if (namespace === undefined) {
      throw new ToolError('principal_unknown', 'this server is not told who calls, and keeps memories by caller', {
        hint: 'Set principalMeta for the bridge that runs this server',
      });
    }
    try {
      await this.#schema.ready(signal);
      const result = await transactions.run(context, async (client) => {
        const rows = rowsOf(client, signal);
        await rows(ENTER, [namespace]);
        return work({ namespace, rows });
      });
      this.#sweeper.passBy();
      return result;
    } catch (error) {
      if (error instanceof ToolError && isMissingTable(error)) this.#schema.forget();
      throw error;
    }
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof ToolError && error.code === 'outcome_unknown';
}

/** Where COMMIT was not sent, or refused, nothing has changed: that is worth knowing after a write, and it may be repeated. */
function toldAsNotExecuted(error: unknown): never {
  if (!(error instanceof ToolError) || isUnknown(error)) throw error;
  const { code, message, hint, details, cause } = error;
  throw new ToolError(code, message, {
    retryable: error.retryable || GIVEN_UP.has(code),
    ...(hint === undefined ? {} : { hint }),
    details: { ...details, executed: 'no' },
    cause,
  });
}

const GIVEN_UP: ReadonlySet<string> = new Set(['deadline_exceeded', 'cancelled', 'shutting_down', 'statement_timeout']);
const STILL_OPEN: ReadonlySet<string> = new Set(['lock_timeout', 'statement_timeout']);

/** What the call with this key answered; nobody else runs it until the transaction ends. */
async function outcomeOf({ namespace, rows }: Session, key: string): Promise<Outcome | undefined> {
  await rows('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`memory_bridge ${key}`]);
  const [found] = await rows<{ outcome: Outcome }>(
    'select outcome from memory_bridge.calls where namespace = $1 and key = $2',
    [namespace, key],
  );
  return found?.outcome;
}
