import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as pollPhase } from 'node:timers/promises';
import { BridgeError } from '#core/errors.ts';
import { Roster } from '#core/roster.ts';
import { directToolAddress } from './address.ts';
import type { App } from './app.ts';
import { callTool } from './call-tool.ts';
import { conclude, type Handler } from './conclude.ts';
import type { Edge } from './edge.ts';
import { admit } from './gate.ts';
import { IncomingRequest } from './incoming-request.ts';
import { linger } from './linger.ts';
import { NodeExchange, type NodeExchangeOwner } from './node-exchange.ts';
import { createServer } from './node-http.ts';
import { fromParserError, type ParserError, writeRawProblem } from './parser-error.ts';
import { PlainConnection, type PlainConnectionOwner } from './plain-connection.ts';
import type { PlainExchange } from './plain-exchange.ts';
import { Port } from './port.ts';
import type { Route } from './router.ts';

/** Time-outs and bounds of the sockets. All have defaults. */
export interface ServerLimits {
  /** From the first byte of a head to its end; default 10 000. */
  readonly headersTimeoutMs?: number;
  /** From the first byte of a request to the end of its body; default 30 000. */
  readonly requestTimeoutMs?: number;
  /** How long an idle connection is kept; longer than a front keeps it. Default 75 000. */
  readonly keepAliveTimeoutMs?: number;
  /** How long a client may take to read an answer; default 60 000. */
  readonly sendTimeoutMs?: number;
  /** Connections beyond this are closed at once; default none. */
  readonly maxConnections?: number;
}

/** What happens to connections rather than to calls. */
export type ConnectionEvent =
  | { readonly type: 'parser_error'; readonly code: string | undefined; readonly status: number }
  | { readonly type: 'send_timeout' }
  | { readonly type: 'dropped' }
  | { readonly type: 'accept_error'; readonly error: Error };

export interface HttpServerOptions {
  readonly edge: Edge;
  /** Asked for once, by the first request that is no plain call: a process that only calls tools needs no router. */
  readonly app: () => Promise<App>;
  readonly limits?: ServerLimits;
  readonly onEvent?: (event: ConnectionEvent) => void;
}

/** After `abortAll` the answers have this long to be written before the sockets are cut. */
const LAST_ANSWERS_MS = 1_000;

/**
 * The app behind a port. A connection begins as a {@link PlainConnection} and becomes node:http's with the first request
 * that is not plainly written. Calls at a plainly written address are answered by `callTool` directly, without the cost of
 * Request and Response, on both; everything else goes through the router, to the same handlers.
 */
export class HttpServer implements NodeExchangeOwner, PlainConnectionOwner, AsyncDisposable {
  readonly sendTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly #edge: Edge;
  readonly #server: Server;
  readonly #plain = new Roster<PlainConnection>();
  #plainCalls = 0;
  readonly #port: Port;
  readonly #loadApp: () => Promise<App>;
  #route: Promise<Route> | undefined;
  readonly #onEvent: (event: ConnectionEvent) => void;
  readonly #open = new Roster<NodeExchange>();
  #whenIdle: (() => void) | undefined;

  constructor({ edge, app, limits = {}, onEvent = () => undefined }: HttpServerOptions) {
    this.#edge = edge;
    this.#onEvent = onEvent;
    this.sendTimeoutMs = limits.sendTimeoutMs ?? 60_000;
    this.keepAliveTimeoutMs = limits.keepAliveTimeoutMs ?? 75_000;
    const headersTimeout = limits.headersTimeoutMs ?? 10_000;
    const requestTimeout = Math.max(limits.requestTimeoutMs ?? 30_000, headersTimeout);
    this.#server = createServer({
      IncomingMessage: IncomingRequest,
      maxHeaderSize: 16_384,
      headersTimeout,
      requestTimeout,
      keepAliveTimeout: this.keepAliveTimeoutMs,
      // The time-outs are kept to a tenth.
      connectionsCheckingInterval: Math.max(10, Math.min(1_000, headersTimeout / 10)),
      // Ours to refuse, with a problem.
      requireHostHeader: false,
      noDelay: true,
    });
    this.#server.maxHeadersCount = 0;
    if (limits.maxConnections !== undefined) this.#server.maxConnections = limits.maxConnections;
    this.#loadApp = app;
    this.#port = new Port(this.#server, (socket) => this.#plain.join(new PlainConnection(socket, this)));
    edge.onIdle(() => {
      if (this.#idle) this.#whenIdle?.();
    });
    this.#listen();
  }

  /** True while answers shall end their connections. */
  get closing(): boolean {
    return this.#edge.draining;
  }

  /** True while the port takes connections. */
  get listening(): boolean {
    return this.#server.listening;
  }

  /** Requests that have arrived and whose answers are not out yet. */
  get inFlight(): number {
    return this.#open.size + this.#plainCalls;
  }

  /** A keyed call goes on when its client has left, so that its outcome is recorded. */
  get #idle(): boolean {
    return this.#open.size === 0 && this.#plain.size === 0 && this.#edge.callsInFlight === 0;
  }

  /** Opens the port and says which one it is. @throws Error of node:net, e.g. EADDRINUSE */
  async listen(port: number, host: string): Promise<{ readonly port: number; readonly host: string }> {
    // `once` rejects when `error` comes first.
    const listening = once(this.#server, 'listening');
    this.#server.listen(port, host);
    await listening;
    const address = this.#server.address() as AddressInfo;
    return { port: address.port, host: address.address };
  }

  /** Answers end their connections from now on; new connections and calls are still taken. Idempotent. */
  drain(): void {
    this.#edge.drain();
  }

  /**
   * Stops accepting, closes idle connections, and waits for the answers in flight, for requests that are under way on new
   * connections, and for calls that run on without a client. What is left after `deadlineMs` is answered 504
   * `deadline_exceeded`, executed `maybe`, before its connection ends. Idempotent.
   */
  async close(deadlineMs: number): Promise<void> {
    this.drain();
    await this.#port.close();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of this.#plain) connection.takeLast();
    await this.#idleWithin(deadlineMs);
    if (!this.#idle) {
      this.abortAll(
        new BridgeError('deadline_exceeded', `this process stops and waited ${deadlineMs} ms for the call to end`, {
          executed: 'maybe',
        }),
      );
      await this.#idleWithin(LAST_ANSWERS_MS);
    }
    this.#cutAll();
    await closed;
  }

  /** Ends every call in flight with `error` as its answer. */
  abortAll(error: BridgeError): void {
    this.#edge.abortAll(error);
  }

  /** Closes the port and cuts every connection. */
  async destroy(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#cutAll();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  ended(exchange: NodeExchange): void {
    this.#open.leave(exchange);
    if (this.#whenIdle !== undefined && this.#idle) this.#whenIdle();
  }

  call(exchange: PlainExchange): void {
    this.#plainCalls++;
    void this.#answer(exchange, (edge, inquiry) => callTool(edge, inquiry, exchange.address));
  }

  called(): void {
    this.#plainCalls--;
  }

  handOver(socket: Socket, bytes: Buffer | undefined): void {
    socket.pause();
    if (bytes !== undefined) socket.unshift(bytes);
    this.#port.adopt(socket);
    socket.resume();
  }

  left(connection: PlainConnection): void {
    this.#plain.leave(connection);
    if (this.#whenIdle !== undefined && this.#idle) this.#whenIdle();
  }

  sendTimedOut(): void {
    this.#onEvent({ type: 'send_timeout' });
  }

  #cutAll(): void {
    for (const connection of this.#plain) connection.destroy();
    this.#server.closeAllConnections();
  }

  #listen(): void {
    const server = this.#server;
    server.on('request', (incoming: IncomingRequest, outgoing: ServerResponse) =>
      this.#take(this.#arrive(incoming, outgoing)),
    );
    server.on('checkContinue', (incoming: IncomingRequest, outgoing: ServerResponse) => {
      const exchange = this.#arrive(incoming, outgoing);
      exchange.awaitsContinue();
      this.#take(exchange);
    });
    server.on('checkExpectation', (incoming: IncomingRequest, outgoing: ServerResponse) => {
      void this.#answer(this.#arrive(incoming, outgoing), () => {
        throw new BridgeError('expectation_failed', 'the only expectation that is met is 100-continue');
      });
    });
    server.on('connect', (_incoming: IncomingMessage, socket: Duplex) => {
      this.#refuse(socket, new BridgeError('method_not_allowed', 'this is no proxy: CONNECT is not taken'), undefined);
    });
    server.on('clientError', (error: ParserError, socket: Duplex) => this.#parserFailed(error, socket as Socket));
    server.on('drop', () => this.#onEvent({ type: 'dropped' }));
    // Out of file descriptors: the connection waits in the backlog, the process goes on.
    server.on('error', (error) => this.#onEvent({ type: 'accept_error', error }));
  }

  #arrive(incoming: IncomingRequest, outgoing: ServerResponse): NodeExchange {
    const exchange = new NodeExchange(incoming, outgoing, this);
    this.#open.join(exchange);
    return exchange;
  }

  #take(exchange: NodeExchange): void {
    const address = exchange.method === 'POST' ? directToolAddress(exchange.target) : undefined;
    if (address !== undefined) {
      void this.#answer(exchange, (edge, inquiry) => callTool(edge, inquiry, address));
      return;
    }
    try {
      // Before the router builds a Request, which a strange Host or path would keep it from.
      admit(this.#edge, exchange);
    } catch (error) {
      void this.#answer(exchange, () => {
        throw error;
      });
      return;
    }
    this.#route ??= this.#loadRoute();
    this.#route
      .then((route) => route(exchange))
      .then(() => this.#settle(exchange))
      .catch((error: unknown) => {
        void this.#answer(exchange, () => {
          throw error;
        });
      });
  }

  async #loadRoute(): Promise<Route> {
    const [{ routeThrough }, app] = await Promise.all([import('./router.ts'), this.#loadApp()]);
    return routeThrough(app);
  }

  /** Whatever the router could not make a Request of. */
  #settle(exchange: NodeExchange): void {
    if (exchange.answered || exchange.gone) return;
    void this.#answer(exchange, () => {
      throw new BridgeError('bad_request', 'the request-target or the Host header is malformed');
    });
  }

  async #answer(exchange: NodeExchange | PlainExchange, handle: Handler): Promise<void> {
    exchange.send(await conclude(this.#edge, exchange, handle));
  }

  #parserFailed(error: ParserError, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const open = [...this.#open]
      .filter((exchange) => exchange.incoming.socket === socket)
      .sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
    const whole = open.filter((exchange) => exchange.incoming.complete);
    const last = whole.at(-1);
    if (last !== undefined && whole.length === open.length) {
      // What failed came behind requests that are still being answered: those get their answers, it gets none.
      last.closeAfterwards();
      return;
    }
    this.#refuse(socket, fromParserError(error), error.code);
  }

  #refuse(socket: Duplex, error: BridgeError, code: string | undefined): void {
    const status = writeRawProblem(socket, error);
    this.#edge.count(status);
    this.#onEvent({ type: 'parser_error', code, status });
    linger(socket as Socket);
    (socket as Socket).destroySoon();
  }

  /** Settles when nothing is in flight, or after `timeoutMs`. */
  async #idleWithin(timeoutMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      resolve();
    }, timeoutMs);
    while (!this.#idle && !isLate) {
      const idle = Promise.withResolvers<void>();
      this.#whenIdle = idle.resolve;
      await Promise.race([idle.promise, late]);
      this.#whenIdle = undefined;
      // A connection that node:http has just been given is in no list until its request is read.
      await pollPhase();
    }
    clearTimeout(timer);
  }
}
