import type { Socket } from 'node:net';
import type pg from 'pg';
import { databaseUnavailable, sqlToolError } from '#core/postgres-kit/sql-errors.ts';
import { ToolError } from '#core/server-kit/tool-error.ts';

/** The right to one connection; ends exactly once. */
export interface Held {
  readonly client: pg.Client;
  /** True when it has served a call before: the server may have closed it meanwhile. */
  readonly reused: boolean;
  /** It is clean: the next call may have it. */
  release(): void;
  /** It is not: close it. */
  destroy(): void;
}

/** How to connect. */
export interface ConnectionsOptions {
  readonly url: string;
  /** As the server shows it in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly max: number;
  readonly connectTimeoutMs: number;
  /** An idle connection is closed after this long. */
  readonly idleMs?: number;
}

const DEFAULT_IDLE_MS = 60_000;

interface Idle {
  readonly client: pg.Client;
  readonly timer: NodeJS.Timeout;
}

/**
 * At most `max` connections with one connection string, handed out in order of asking. A call waits no longer
 * than its signal lets it. Idle connections do not keep the process alive.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #idle: Idle[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #open = new Set<pg.Client>();
  #taken = 0;
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Numbers for messages and `server_info`. */
  get stats(): { readonly max: number; readonly busy: number; readonly waiting: number } {
    return { max: this.#options.max, busy: this.#taken, waiting: this.#waiting.length };
  }

  /**
   * A connection, idle or new.
   * @throws ToolError `database_unavailable`, `not_configured`, or the signal's reason
   */
  async acquire(signal: AbortSignal): Promise<Held> {
    await this.#slot(signal);
    try {
      const idle = this.#idle.pop();
      if (idle !== undefined) {
        clearTimeout(idle.timer);
        return this.#hold(idle.client, true);
      }
      return this.#hold(await this.connect(signal), false);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** A connection beside the counted ones, for cancelling; the caller ends it. */
  async connect(signal: AbortSignal): Promise<pg.Client> {
    // At the first connection: a server that only lists its tools starts without it, in 60 ms and 13 MB less.
    const { default: postgres } = await import('pg');
    signal.throwIfAborted();
    let client: pg.Client;
    try {
      client = new postgres.Client({
        connectionString: this.#options.url,
        application_name: this.#options.applicationName,
        connectionTimeoutMillis: this.#options.connectTimeoutMs,
        keepAlive: true,
      });
    } catch (cause) {
      throw new ToolError('not_configured', 'the connection string cannot be read', { cause });
    }
    // Without a listener a server that goes away while the connection is idle would end this process.
    client.on('error', () => this.#forget(client));
    client.on('end', () => this.#forget(client));
    this.#open.add(client);
    const onAbort = () => destroySocket(client);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await client.connect();
      return client;
    } catch (error) {
      this.#open.delete(client);
      destroySocket(client);
      if (signal.aborted) throw signal.reason;
      const failure = sqlToolError(error);
      throw failure.code === 'sql_error' ? databaseUnavailable(error) : failure;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Closes what is idle now and the rest when it is given back. */
  async close(): Promise<void> {
    this.#closed = true;
    const idle = this.#idle.splice(0);
    await Promise.allSettled(
      idle.map(({ client, timer }) => {
        clearTimeout(timer);
        return client.end();
      }),
    );
    for (const client of this.#open) destroySocket(client);
  }

  async #slot(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#taken < this.#options.max) {
      this.#taken += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      const at = this.#waiting.indexOf(resolve);
      if (at < 0) return; // the slot has just been given to it
      this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    this.#waiting.push(resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** The slot goes to the next in line, or is free. */
  #free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }

  #hold(client: pg.Client, reused: boolean): Held {
    let ended = false;
    const end = (finish: () => void) => () => {
      if (ended) throw new Error('a connection was given back twice');
      ended = true;
      finish();
      this.#free();
    };
    return {
      client,
      reused,
      release: end(() => {
        if (this.#closed || !this.#open.has(client)) return destroySocket(client);
        const timer = setTimeout(() => {
          this.#forget(client);
          client.end().catch(() => undefined);
        }, this.#options.idleMs ?? DEFAULT_IDLE_MS);
        timer.unref();
        this.#idle.push({ client, timer });
      }),
      destroy: end(() => {
        this.#open.delete(client);
        hangUp(client);
      }),
    };
  }

  #forget(client: pg.Client): void {
    this.#open.delete(client);
    const at = this.#idle.findIndex((idle) => idle.client === client);
    if (at >= 0) clearTimeout(this.#idle.splice(at, 1)[0]?.timer);
  }
}

/** The socket below a client, which its types do not show. */
export function socketOf(client: pg.Client): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream;
}

/** Ends a connection at once; a statement that runs on it rejects. */
export function destroySocket(client: pg.Client): void {
  socketOf(client).destroy();
}

const HANG_UP_MS = 1_000;

/** Says goodbye where that is still possible, so that the server logs no broken connection. */
export function hangUp(client: pg.Client): void {
  const late = setTimeout(() => destroySocket(client), HANG_UP_MS);
  client
    .end()
    .catch(() => undefined)
    .finally(() => clearTimeout(late));
}
