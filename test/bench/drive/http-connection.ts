import { connect, type Socket } from 'node:net';

/** An answer's status line and header fields as received, and its body in the pieces it came in. */
export interface HttpAnswer {
  readonly status: number;
  readonly head: string;
  readonly pieces: readonly Buffer[];
  readonly length: number;
}

type State = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer';

const NOTHING: Buffer = Buffer.alloc(0);
const LF = 10;

function headerOf(head: string, name: string, lowerCase = head.toLowerCase()): string | undefined {
  const at = lowerCase.indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  const from = at + name.length + 3;
  const end = head.indexOf('\r\n', from);
  return head.slice(from, end < 0 ? undefined : end).trim();
}

/**
 * The least HTTP/1.1 client that is right against honest servers: one request at a time on one kept-open
 * connection, bodies by Content-Length or chunked. Every subject pays the same for it.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #state: State = 'head';
  #rest = NOTHING;
  #head = '';
  #status = 0;
  #pieces: Buffer[] = [];
  #length = 0;
  /** Bytes of the body or of the chunk still to come. */
  #missing = 0;
  onAnswer: (answer: HttpAnswer) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.onFailure(error));
    socket.on('close', () => this.onFailure(new Error('the subject closed the connection')));
  }

  /** @throws Error where nobody listens */
  static open(port: number): Promise<HttpConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpConnection>();
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new HttpConnection(socket));
    });
    return promise;
  }

  send(request: string): void {
    this.#socket.write(request, 'latin1');
  }

  /** One request, its answer as a promise: for handshakes, not for load. */
  ask(request: string): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.onAnswer = resolve;
    this.onFailure = reject;
    this.send(request);
    return promise;
  }

  close(): void {
    this.onFailure = () => undefined;
    this.#socket.destroy();
  }

  #receive(data: Buffer): void {
    let chunk: Buffer = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    this.#rest = NOTHING;
    while (chunk.length > 0 || (this.#state === 'body' && this.#missing === 0)) {
      const used = this.#step(chunk);
      if (used < 0) {
        this.#rest = chunk;
        return;
      }
      chunk = chunk.subarray(used);
    }
  }

  /** Consumes from the start of the chunk; returns how much, or -1 where it needs more. */
  #step(chunk: Buffer): number {
    switch (this.#state) {
      case 'head': {
        const end = chunk.indexOf('\r\n\r\n');
        if (end < 0) return -1;
        this.#begin(chunk.toString('latin1', 0, end));
        return end + 4;
      }
      case 'body': {
        const used = this.#take(chunk);
        if (this.#missing === 0) this.#finish();
        return used;
      }
      case 'chunk-size': {
        const end = chunk.indexOf(LF);
        if (end < 0) return -1;
        this.#missing = Number.parseInt(chunk.toString('latin1', 0, end), 16);
        this.#state = this.#missing === 0 ? 'trailer' : 'chunk';
        return end + 1;
      }
      case 'chunk': {
        const used = this.#take(chunk);
        if (this.#missing === 0) this.#state = 'chunk-end';
        return used;
      }
      case 'chunk-end':
        if (chunk.length < 2) return -1;
        this.#state = 'chunk-size';
        return 2;
      case 'trailer':
        if (chunk.length < 2) return -1;
        this.#finish();
        return 2;
    }
  }

  #begin(head: string): void {
    this.#head = head;
    this.#status = Number(head.slice(9, 12));
    const lowerCase = head.toLowerCase();
    const length = headerOf(head, 'content-length', lowerCase);
    const chunked = length === undefined && headerOf(head, 'transfer-encoding', lowerCase) === 'chunked';
    this.#state = chunked ? 'chunk-size' : 'body';
    this.#missing = chunked ? 0 : Number(length ?? 0);
  }

  #take(chunk: Buffer): number {
    const piece = chunk.length <= this.#missing ? chunk : chunk.subarray(0, this.#missing);
    if (piece.length > 0) this.#pieces.push(piece);
    this.#length += piece.length;
    this.#missing -= piece.length;
    return piece.length;
  }

  #finish(): void {
    const answer = { status: this.#status, head: this.#head, pieces: this.#pieces, length: this.#length };
    this.#state = 'head';
    this.#pieces = [];
    this.#length = 0;
    this.onAnswer(answer);
  }
}

/** A header field of an answer, by its lower-case name. */
export function answerHeader(answer: HttpAnswer, name: string): string | undefined {
  return headerOf(answer.head, name);
}
