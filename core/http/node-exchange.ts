import type { ServerResponse } from 'node:http';
import { type BridgeError, CLIENT_GONE } from '#core/errors.ts';
import type { Listed } from '#core/roster.ts';
import { bodyTooLarge } from './body-too-large.ts';
import type { Answer, Exchange } from './exchange.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { IncomingRequest } from './incoming-request.ts';
import { linger } from './linger.ts';

/** What is left of a body after a refusal is read and dropped up to this size, so that the connection lives on. */
const MAX_DROPPED_BYTES = 65_536;

/** What the server must be told of its exchanges, and asked before an answer is written. */
export interface NodeExchangeOwner {
  /** True when this answer shall be the last on its connection. */
  readonly closing: boolean;
  /** How long a client may take to read an answer. */
  readonly sendTimeoutMs: number;
  /** The connection is done with this exchange: its answer is out, or its client left. */
  ended(exchange: NodeExchange): void;
  /** An answer was not read in time; its connection was cut. */
  sendTimedOut(): void;
}

/** The door of node:http: one request and the place for its answer. */
export class NodeExchange implements Exchange, Listed {
  readonly method: string;
  readonly target: string;
  readonly arrivedAtMs = performance.now();
  readonly incoming: IncomingRequest;
  readonly outgoing: ServerResponse;
  seat = -1;
  readonly #owner: NodeExchangeOwner;
  #closes = false;
  #gone = false;
  #sent = false;
  #awaitsContinue = false;
  #sendTimer: NodeJS.Timeout | undefined;
  #onGone: (() => void) | undefined;
  #stop: ((reason: unknown) => void) | undefined;

  constructor(incoming: IncomingRequest, outgoing: ServerResponse, owner: NodeExchangeOwner) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.method = incoming.method ?? '';
    this.target = incoming.url ?? '';
    this.#owner = owner;
    outgoing.on('close', () => this.#closed());
  }

  get remoteAddress(): string {
    return this.incoming.socket.remoteAddress ?? '';
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** True once an answer was handed to the connection. */
  get answered(): boolean {
    return this.#sent;
  }

  /** The client waits for `100 Continue` before it sends the body; it gets that when the body is wanted. */
  awaitsContinue(): void {
    this.#awaitsContinue = true;
  }

  /** Makes this exchange the last on its connection. */
  closeAfterwards(): void {
    this.#closes = true;
  }

  headerSize(): { readonly count: number; readonly bytes: number } {
    const raw = this.incoming.rawHeaders;
    let bytes = 0;
    for (const text of raw) bytes += text.length;
    return { count: raw.length / 2, bytes };
  }

  header(name: string): string | undefined {
    return this.incoming.headers[name] as string | undefined;
  }

  repeatedHeader(): string | undefined {
    const raw = this.incoming.rawHeaders;
    let hosts = 0;
    let authorizations = 0;
    let types = 0;
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      // Lengths first: this runs for every header of every call.
      if (name.length === 4) hosts += is(name, 'host');
      else if (name.length === 12) types += is(name, 'content-type');
      else if (name.length === 13) authorizations += is(name, 'authorization');
    }
    if (hosts > 1) return 'host';
    if (authorizations > 1) return 'authorization';
    return types > 1 ? 'content-type' : undefined;
  }

  bodyLength(): number | undefined {
    const { headers } = this.incoming;
    if (headers['transfer-encoding'] !== undefined) return undefined;
    return Number(headers['content-length'] ?? 0);
  }

  readBody(maxBytes: number): Promise<Buffer> {
    const { incoming } = this;
    const declared = this.bodyLength();
    if (declared !== undefined && declared > maxBytes) return Promise.reject(bodyTooLarge(maxBytes));
    if (this.#gone) return Promise.reject(CLIENT_GONE);
    if (this.#awaitsContinue) this.outgoing.writeContinue();
    return new Promise((resolve, reject) => {
      const body = new GrowingBytes();
      this.#stop = reject;
      incoming.takeBody((piece) => {
        if (piece === undefined) resolve(body.whole());
        else if (body.length + piece.length <= maxBytes) body.add(piece, declared);
        else {
          incoming.takeBody(undefined);
          this.#stopSocket();
          reject(bodyTooLarge(maxBytes));
        }
      });
    });
  }

  stopReading(error: BridgeError): void {
    this.#stop?.(error);
  }

  onGone(listener: () => void): void {
    if (this.#gone) listener();
    else this.#onGone = listener;
  }

  /** Writes the answer; nothing when the client is gone (undefined) or has its answer already. */
  send(answer: Answer | undefined): void {
    if (answer === undefined || this.#gone || this.#sent) return;
    this.#sent = true;
    const { outgoing } = this;
    const { headers, body } = answer;
    const leftover = this.#isBodyLeft();
    if (leftover || this.#closes || this.#owner.closing) headers.push('Connection', 'close');
    if (leftover) this.#refuseRest();
    outgoing.writeHead(answer.status, headers);
    if (typeof body === 'string') outgoing.end(body, 'latin1');
    else {
      // node:http corks: head and pieces leave in one writev.
      for (const piece of body) outgoing.write(piece);
      outgoing.end();
    }
    const { socket } = outgoing;
    if (socket === null || socket.writableLength > 0) this.#watchSending();
  }

  /** A body that is neither in nor small enough to be read and dropped: the connection cannot be kept. */
  #isBodyLeft(): boolean {
    if (this.incoming.complete) return false;
    const length = this.bodyLength();
    return length === undefined || length > MAX_DROPPED_BYTES || this.#awaitsContinue;
  }

  #refuseRest(): void {
    // Marks the request as read, so that node:http does not read the rest only to drop it.
    if (!this.incoming.readableDidRead) this.incoming.read(0);
    this.#stopSocket();
    linger(this.incoming.socket);
  }

  #stopSocket(): void {
    this.incoming.pause();
    this.incoming.socket.pause();
  }

  #watchSending(): void {
    this.#sendTimer = setTimeout(() => {
      // Not yet its turn on a pipelined connection: the answer before it has a watch of its own.
      if (this.outgoing.socket === null) return this.#watchSending();
      this.#owner.sendTimedOut();
      this.outgoing.socket.destroy();
    }, this.#owner.sendTimeoutMs);
  }

  #closed(): void {
    clearTimeout(this.#sendTimer);
    this.#owner.ended(this);
    if (this.#sent) return;
    this.#gone = true;
    this.#stop?.(CLIENT_GONE);
    this.#onGone?.();
  }
}

function is(name: string, wanted: string): 0 | 1 {
  return name === wanted || name.toLowerCase() === wanted ? 1 : 0;
}
