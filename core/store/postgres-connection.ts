import { Socket } from 'node:net';
import pg from 'pg';

export interface PostgresConnectionOptions {
  readonly url: string;
  /** How the connection is called in `pg_stat_activity`. */
  readonly applicationName: string;
  /** From the first byte to a session; default 5 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long one statement may take, told to the server and watched here; default 10 000. */
  readonly statementTimeoutMs?: number | undefined;
  /** Run once on each new session, before it is used. */
  readonly prepare?: (client: pg.ClientBase) => Promise<void>;
}

/** How much later than the server itself we give up on a statement: by then it hangs. */
const HANGING_MS = 500;
/** How long a goodbye may take. */
const GOODBYE_MS = 1_000;

interface Session {
  readonly client: pg.Client;
  /** Below TLS, where there is any. */
  readonly socket: Socket;
  connected: boolean;
}

/**
 * One connection to one database, made when it is first needed and made anew after it was lost. For one user that asks
 * for one thing after the other. Errors are those of `pg`: see `failureReason`.
 */
export class PostgresConnection {
  readonly #options: PostgresConnectionOptions;
  #session: Session | undefined;
  #closed = false;

  constructor(options: PostgresConnectionOptions) {
    this.#options = options;
  }

  /** Sees to it that there is a session, prepared. */
  async open(): Promise<void> {
    await this.#client();
  }

  /** One statement. @param sound says which errors leave the connection in order; after any other it is given up */
  async query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[],
    sound: (error: unknown) => boolean = never,
  ): Promise<Row[]> {
    const client = await this.#client();
    try {
      return (await client.query<Row>(text, values)).rows;
    } catch (error) {
      if (!sound(error)) this.#giveUp(client);
      throw error;
    }
  }

  /** Ends the connection, at once where it is busy; there is none afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#session !== undefined) await this.#giveUp(this.#session.client);
  }

  async #client(): Promise<pg.Client> {
    if (this.#session !== undefined) return this.#session.client;
    if (this.#closed) throw new Error('Connection terminated');
    const { url, applicationName, connectTimeoutMs = 5_000, statementTimeoutMs = 10_000, prepare } = this.#options;
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: url,
      stream: () => socket,
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + HANGING_MS,
      keepAlive: true,
    });
    // Without a listener a database that goes away while the connection rests would end this process.
    client.on('error', () => this.#giveUp(client));
    client.on('end', () => this.#giveUp(client));
    const session: Session = { client, socket, connected: false };
    this.#session = session;
    try {
      await client.connect();
      session.connected = true;
      await prepare?.(client);
    } catch (error) {
      this.#giveUp(client);
      throw error;
    }
    return client;
  }

  /** Settles when it has ended; only who closes waits for that. */
  async #giveUp(client: pg.Client): Promise<void> {
    const session = this.#session;
    if (session?.client !== client) return;
    this.#session = undefined;
    const { socket, connected } = session;
    if (!connected) {
      socket.destroy();
      return;
    }
    const late = setTimeout(() => socket.destroy(), GOODBYE_MS);
    await client.end().catch(() => undefined);
    clearTimeout(late);
  }
}

function never(): boolean {
  return false;
}
