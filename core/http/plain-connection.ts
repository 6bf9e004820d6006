import type { Socket } from 'node:net';
import type { Listed } from '#core/roster.ts';
import type { Answer } from './exchange.ts';
import { headText } from './head-text.ts';
import { PlainExchange, type PlainExchangeOwner } from './plain-exchange.ts';
import { type PlainHead, readPlainHead } from './plain-head.ts';

/** How long a client may be silent before its first request or inside one, until node:http watches over it instead. */
const SILENCE_MS = 1_000;
/** A body may come in so many pieces behind its head, and be so large; others are for node:http to collect. */
const MAX_PIECES = 8;
const MAX_BODY_BYTES = 65_536;
/** A client that keeps to the time it was told must not find the connection closed under its next request. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/** What the server is to its plain connections. */
export interface PlainConnectionOwner {
  /** True when answers end their connections. */
  readonly closing: boolean;
  readonly sendTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Handles one call and ends with `exchange.send`. Never throws. */
  call(exchange: PlainExchange): void;
  /** The call of a connection is over: its answer is out, or its client left. */
  called(): void;
  /** From here on the socket is node:http's, which has to be given what was read of it. */
  handOver(socket: Socket, bytes: Buffer | undefined): void;
  /** The connection is none of ours any more. */
  left(connection: PlainConnection): void;
  /** An answer was not read in time; its connection was cut. */
  sendTimedOut(): void;
}

/**
 * A connection as long as all that comes by it are plainly written calls, one after the other. The first thing that is not
 * (another method or address, an unusual header, a body in chunks, a request that is slow to come) hands the socket over to
 * node:http for good: this reads the one form of HTTP that nearly every call has, for half the price of a parser of all.
 */
export class PlainConnection implements PlainExchangeOwner, Listed {
  seat = -1;
  readonly #socket: Socket;
  readonly #owner: PlainConnectionOwner;
  /** The call that has no answer yet, or whose answer is not out. */
  #exchange: PlainExchange | undefined;
  /** What came of a request whose body is on its way, how often, and since when. */
  #begun: Buffer | undefined;
  #pieces = 0;
  #arrivedAtMs = 0;
  /** What came behind the call in flight; nothing more is read meanwhile. */
  #held: Buffer | undefined;
  #answered = false;
  #last = false;
  #sendTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, owner: PlainConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('timeout', this.#onTimeout);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    socket.setTimeout(SILENCE_MS);
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  /**
   * Ends the connection with the call in flight on it. A new one, whose first request may be under way, is given the time
   * to bring it; one that has brought an answer and rests ends now.
   */
  takeLast(): void {
    this.#last = true;
    if (this.#exchange !== undefined) return;
    if (this.#rests) this.#socket.destroy();
    else this.#socket.setTimeout(SILENCE_MS);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Between two requests. */
  get #rests(): boolean {
    return this.#answered && this.#begun === undefined;
  }

  send({ status, headers, body }: Answer): void {
    const socket = this.#socket;
    const { closing, keepAliveTimeoutMs } = this.#owner;
    const head = headText(status, headers, closing ? 0 : Math.floor(keepAliveTimeoutMs / 1000));
    if (typeof body === 'string') socket.write(head + body, 'latin1');
    else {
      socket.cork();
      socket.write(head, 'latin1');
      for (const piece of body) socket.write(piece);
      socket.uncork();
    }
    if (socket.writableLength === 0) this.#sent(closing);
    else {
      this.#sendTimer = setTimeout(() => {
        this.#owner.sendTimedOut();
        socket.destroy();
      }, this.#owner.sendTimeoutMs);
      // Called when all that was written before it is out.
      socket.write('', () => this.#sent(closing));
    }
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#exchange !== undefined) {
      this.#socket.pause();
      this.#held = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
    } else this.#read(bytes);
  };

  /** The client sends nothing more: as node:http does, no more is sent to it either. */
  readonly #onEnd = (): void => {
    this.#socket.end();
  };

  readonly #onTimeout = (): void => {
    if (this.#exchange !== undefined) return;
    if (this.#rests || this.#last) this.#socket.destroy();
    else this.#handOver(this.#begun);
  };

  /** `close` follows. */
  readonly #onError = (): void => undefined;

  readonly #onClose = (): void => {
    clearTimeout(this.#sendTimer);
    this.#owner.left(this);
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#exchange = undefined;
    this.#owner.called();
    exchange.leave();
  };

  #read(bytes: Buffer): void {
    const begun = this.#begun;
    if (begun === undefined) this.#arrivedAtMs = performance.now();
    const all = begun === undefined ? bytes : Buffer.concat([begun, bytes]);
    const head = readPlainHead(all);
    const missing = head === undefined ? -1 : head.length + head.bodyLength - all.length;
    if (head !== undefined && missing === 0) this.#call(head, all);
    else if (head !== undefined && missing > 0 && head.bodyLength <= MAX_BODY_BYTES) this.#wait(all);
    // Whoever sends its next request with this one wants both to run at once.
    else this.#handOver(all);
  }

  #call(head: PlainHead, all: Buffer): void {
    if (this.#begun !== undefined) {
      this.#begun = undefined;
      this.#pieces = 0;
      this.#keepAlive();
    }
    this.#exchange = new PlainExchange(head, all.subarray(head.length), this.#arrivedAtMs, this);
    this.#owner.call(this.#exchange);
  }

  #wait(begun: Buffer): void {
    this.#begun = begun;
    this.#pieces++;
    if (this.#pieces > MAX_PIECES) this.#handOver(begun);
    else this.#socket.setTimeout(SILENCE_MS);
  }

  #keepAlive(): void {
    this.#socket.setTimeout(this.#owner.keepAliveTimeoutMs + KEEP_ALIVE_MARGIN_MS);
  }

  #sent(closing: boolean): void {
    clearTimeout(this.#sendTimer);
    if (this.#exchange === undefined) return;
    this.#exchange = undefined;
    this.#owner.called();
    if (closing) {
      this.#socket.destroySoon();
      return;
    }
    if (!this.#answered) {
      this.#answered = true;
      this.#keepAlive();
    }
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#socket.resume();
    this.#read(held);
  }

  #handOver(bytes: Buffer | undefined): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('timeout', this.#onTimeout);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.setTimeout(0);
    this.#owner.left(this);
    this.#owner.handOver(socket, bytes);
  }
}
