import type { Socket } from 'node:net';

/** How long a refused client has to read its answer before the connection is cut. */
const LINGER_MS = 1_000;

/**
 * Makes the end of a connection gentle whose client is still sending: the answer and FIN go out at once, but the
 * socket is kept, unread, for a moment. Closing it with unread bytes would send a reset, and the client would
 * lose the answer that says why.
 */
export function linger(socket: Socket): void {
  socket.destroySoon = () => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
    // A client that resets is as gone as one that closes.
    socket.on('error', () => undefined);
    socket.end();
  };
}
