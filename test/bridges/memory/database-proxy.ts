import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What happens to the next COMMIT of a call that remembers something (and not of a sweep in the background):
 *
 * - `pass`: it goes through;
 * - `lose`: it takes effect, and the connection is cut before its answer is told;
 * - `hold`: it is kept back, so that the transaction stays open until `release`.
 */
export type CommitFate = 'pass' | 'lose' | 'hold';

const BEGIN = Buffer.from('BEGIN TRANSACTION');
const REMEMBERS = Buffer.from('insert into memory_bridge.entries');
/** As it is asked for, and as it is answered. */
const COMMIT = Buffer.from('COMMIT\0');

/** Between a server of ours and its PostgreSQL, to lose or hold what nobody else can: the answer to a COMMIT. */
export class DatabaseProxy implements AsyncDisposable {
  readonly url: string;
  /** Called when a COMMIT that is to be lost has taken effect, before its connection is cut. */
  onLost: () => void = () => undefined;
  /** False: new connections are cut at once. */
  reachable = true;
  commits = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fate: CommitFate = 'pass';
  #held: (() => void)[] = [];

  private constructor(server: Server, target: URL) {
    this.#server = server;
    const url = new URL(target);
    url.port = String((server.address() as { readonly port: number }).port);
    this.url = url.href;
    server.on('connection', (client) => this.#join(client, Number(target.port)));
  }

  static async start(url: string): Promise<DatabaseProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new DatabaseProxy(server, new URL(url));
  }

  /** Says what happens to the next COMMIT, once. */
  next(fate: CommitFate): void {
    this.#fate = fate;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Nobody gets through any more, until `reachable` is set again. */
  cut(): void {
    this.reachable = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, port: number): void {
    if (!this.reachable) {
      client.destroy();
      return;
    }
    const server = connect(port, '127.0.0.1');
    let losing = false;
    let remembers = false;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      if (chunk.includes(BEGIN)) remembers = false;
      if (chunk.includes(REMEMBERS)) remembers = true;
      if (!remembers || !chunk.includes(COMMIT)) {
        server.write(chunk);
        return;
      }
      this.commits += 1;
      const fate = this.#fate;
      this.#fate = 'pass';
      if (fate === 'hold') this.#held.push(() => server.write(chunk));
      else server.write(chunk);
      losing = fate === 'lose';
    });
    server.on('data', (chunk: Buffer) => {
      if (!losing || !chunk.includes(COMMIT)) client.write(chunk);
      else {
        this.onLost();
        client.destroy();
      }
    });
  }
}
