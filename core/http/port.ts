import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as pollPhase } from 'node:timers/promises';

/** A turn of the event loop this short leaves next to no time to connect between the look at the port and its closing. */
const SHORT_TURN_MS = 0.02;
/** A process that is never that quiet closes its port all the same. */
const ALL_TAKEN_WITHIN_MS = 500;

/** Stands between a server of node:http and its port: others take its connections first, and nobody is reset by its end. */
export class Port {
  readonly #server: Server;
  readonly #native: (socket: Socket) => void;
  /** Connections so far. */
  #taken = 0;

  /** @param take is given every connection, in the place of the one listener by which node:http takes them */
  constructor(server: Server, take: (socket: Socket) => void) {
    const [native, ...others] = server.listeners('connection');
    if (native === undefined || others.length > 0) throw new Error('node:http does not take connections as it used to');
    this.#server = server;
    this.#native = (socket) => native.call(server, socket);
    server.removeAllListeners('connection');
    server.on('connection', (socket) => {
      this.#taken++;
      take(socket);
    });
  }

  /** Makes a connection node:http's, as if it had just come. */
  adopt(socket: Socket): void {
    this.#native(socket);
  }

  /**
   * Closes the listening socket, once all who have connected are taken: closing it resets those who have not been, and a
   * turn of the event loop takes but one of them.
   */
  async close(): Promise<void> {
    await this.#allTaken();
    // The socket itself: `close` of node:http does 0.2 to 10 ms of other work first, in which somebody may connect.
    const { _handle: handle } = this.#server as unknown as { readonly _handle?: { close(): void } | null };
    handle?.close();
  }

  /** Settles in a turn that has found none waiting and was too short for many to have come since. */
  async #allTaken(): Promise<void> {
    const giveUpAtMs = performance.now() + ALL_TAKEN_WITHIN_MS;
    for (;;) {
      const taken = this.#taken;
      const beganMs = performance.now();
      await pollPhase();
      const nowMs = performance.now();
      if ((taken === this.#taken && nowMs - beganMs < SHORT_TURN_MS) || nowMs > giveUpAtMs) return;
    }
  }
}
