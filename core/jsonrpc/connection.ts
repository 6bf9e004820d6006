import type { Readable, Writable } from 'node:stream';
import { isUtf8Text } from '#core/json/utf8.ts';
import type { Envelope, ResultMarks } from '#core/jsonrpc/envelope.ts';
import { type FrameSink, Frames, MAX_LINE_FACTOR } from '#core/jsonrpc/frames.ts';
import { Outbox } from '#core/jsonrpc/outbox.ts';
import { PendingRequests } from '#core/jsonrpc/pending-requests.ts';
import type { PendingRequest, RpcError } from '#core/jsonrpc/request.ts';

export interface RpcConnectionOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** Longest line that is kept; longer ones fail their call alone. */
  readonly maxLineBytes: number;
  /** Unsent text (UTF-16 units) beyond which `accepting` is false. */
  readonly maxOutputBytes: number;
  readonly marks: ResultMarks;
}

export interface RpcConnectionEvents {
  /** The peer says something that nobody asked for. `params` is undefined or JSON text. */
  readonly notification: (method: string, params: readonly Uint8Array[] | undefined) => void;
  /** `accepting` became true again. */
  readonly accepting: () => void;
  /** One direction has ended or failed; answers, or the news that the peer has died, may still come. */
  readonly halfClosed: (which: 'input' | 'output') => void;
  /** The peer broke the protocol beyond repair; nothing is read any more. */
  readonly broken: (why: string) => void;
}

/** What the connection had to overlook so far. */
export interface RpcCounters {
  /** Lines that are no JSON object. */
  noiseLines: number;
  oversizeLines: number;
  /** Answers to ids of ours that nobody waits for any more: cancelled, or answered already. */
  lateAnswers: number;
  /** Answers to ids that we never used. */
  unknownAnswers: number;
  /** Requests of the peer that were answered with "method not found". */
  refusedRequests: number;
}

/** More noise than this and the stream is taken for broken. */
const MAX_NOISE_LINES = 100;
const MAX_NOISE_BYTES = 64 * 1024;
/** Longer errors are not parsed. */
const MAX_ERROR_BYTES = 64 * 1024;
/** How an id of ours looks when the peer has turned it into text. */
const OWN_ID = /^[1-9]\d{0,15}$/;

/**
 * JSON-RPC 2.0 in both directions over a pair of streams, one message per line. The peer is not trusted:
 *
 * - ids are integers of our own, never used twice; the first answer counts, others are dropped and counted;
 * - a malformed answer fails its own call, only noise and endless lines fail the connection;
 * - everything is told synchronously and in the order of arrival, so progress comes before its answer;
 * - requests of the peer: `ping` is answered, others are refused, whatever they ask.
 */
export class RpcConnection {
  readonly counters: RpcCounters = {
    noiseLines: 0,
    oversizeLines: 0,
    lateAnswers: 0,
    unknownAnswers: 0,
    refusedRequests: 0,
  };

  readonly #input: Readable;
  readonly #events: RpcConnectionEvents;
  readonly #frames: Frames;
  readonly #outbox: Outbox;
  readonly #pending = new PendingRequests();
  #nextId = 1;
  #chunks = 0;
  #noiseBytes = 0;
  #closed = false;

  constructor(options: RpcConnectionOptions, events: RpcConnectionEvents) {
    this.#input = options.input;
    this.#events = events;
    const sink: FrameSink = {
      message: (envelope) => this.#message(envelope),
      oversize: (envelope, valid) => this.#oversize(envelope, valid),
      noise: (bytes, ended) => this.#noise(bytes, ended),
      endless: () => this.#break(`a line longer than ${MAX_LINE_FACTOR} times ${options.maxLineBytes} bytes`),
    };
    this.#frames = new Frames(options, sink);
    this.#outbox = new Outbox(options.output, options.maxOutputBytes, {
      drained: events.accepting,
      unwritten: (request) => {
        if (this.#pending.take(request.id) !== undefined) request.failed('unwritten');
      },
      broken: () => {
        if (!this.#closed) events.halfClosed('output');
      },
    });
    const ended = (): void => {
      if (!this.#closed) events.halfClosed('input');
    };
    options.input.on('data', (chunk: Uint8Array) => {
      this.#chunks++;
      this.#frames.push(chunk);
    });
    options.input.on('end', ended);
    options.input.on('error', ended);
  }

  /** Requests not answered yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Grows with whatever the peer sends: a sign of life. */
  get heard(): number {
    return this.#chunks;
  }

  /** False while too much is unsent, and for good once nothing can be sent. */
  get accepting(): boolean {
    return this.#outbox.accepting;
  }

  /** Sends a request; `params` is JSON text. The caller has looked at `accepting`. */
  send(request: PendingRequest, method: string, params: string): void {
    const id = this.#nextId++;
    request.id = id;
    this.#pending.add(request);
    const line = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}\n`;
    // Alone it has nobody to share a write with, and need not wait for the end of the tick.
    this.#outbox.push(line, request, this.#pending.size === 1);
  }

  /** Sends a notification; `params` is JSON text. */
  notify(method: string, params?: string): void {
    const members = params === undefined ? '' : `,"params":${params}`;
    this.#outbox.push(`{"jsonrpc":"2.0","method":"${method}"${members}}\n`);
  }

  /** Takes a request back that has not left yet. @returns false when it may have left; it stays pending then */
  withdraw(request: PendingRequest): boolean {
    if (!this.#outbox.withdraw(request)) return false;
    this.#pending.take(request.id);
    return true;
  }

  /** Waits no longer for a request's answer; should it come, it counts as late. */
  forget(request: PendingRequest): void {
    this.#pending.take(request.id);
  }

  /** Sends what is queued, then ends the output; answers are still taken. */
  end(): void {
    this.#outbox.end();
  }

  /** Neither sends nor listens any more. @returns the requests that will never be answered. Idempotent */
  close(): readonly PendingRequest[] {
    this.#closed = true;
    this.#outbox.close();
    this.#frames.end();
    // The peer may go on writing; what it says is read and dropped, so that it does not block.
    return this.#pending.takeAll();
  }

  #message(envelope: Envelope): void {
    if (envelope.hasMethod) this.#incoming(envelope);
    else this.#answer(envelope);
  }

  #answer(envelope: Envelope): void {
    const request = this.#take(envelope.id);
    if (request === undefined) return;
    const { result, error } = envelope;
    if (!envelope.version || envelope.duplicated || (result.kind === undefined) === (error.kind === undefined)) {
      request.failed('shape');
      return;
    }
    if (result.kind === undefined) {
      this.#refused(request, envelope);
      return;
    }
    const body = this.#frames.slice(result);
    if (this.#frames.sawNonAscii && !isUtf8Text(body)) {
      request.failed('shape');
      return;
    }
    request.answered({
      body,
      length: result.end - result.start,
      kind: result.kind,
      flag: envelope.flag,
      tag: envelope.tag,
    });
  }

  #refused(request: PendingRequest, { error }: Envelope): void {
    if (error.end - error.start > MAX_ERROR_BYTES) {
      request.failed('oversize');
      return;
    }
    const parsed = toRpcError(JSON.parse(Buffer.concat(this.#frames.slice(error)).toString('utf8')));
    if (parsed === undefined) request.failed('shape');
    else request.refused(parsed);
  }

  /** The request that an answer belongs to, which is then no longer pending; counts the others. */
  #take(id: Envelope['id']): PendingRequest | undefined {
    const own = ownId(id);
    const request = own === undefined ? undefined : this.#pending.take(own);
    if (request === undefined) {
      if (own !== undefined && Number.isInteger(own) && own > 0 && own < this.#nextId) this.counters.lateAnswers++;
      else this.counters.unknownAnswers++;
      return undefined;
    }
    return request;
  }

  #incoming(envelope: Envelope): void {
    const { method } = envelope;
    if (envelope.hasId) this.#refuse(envelope);
    else if (method !== undefined) {
      const { params } = envelope;
      this.#events.notification(method, params.kind === undefined ? undefined : this.#frames.slice(params));
    }
  }

  #refuse(envelope: Envelope): void {
    const ping = envelope.method === 'ping';
    if (!ping) this.counters.refusedRequests++;
    const { id } = envelope;
    // A peer that asks without reading our answers must not fill our memory with them.
    if (id === undefined || id === null || !this.#outbox.accepting) return;
    const answer = ping ? '"result":{}' : '"error":{"code":-32601,"message":"Method not found"}';
    this.#outbox.push(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answer}}\n`);
  }

  #oversize(envelope: Envelope, valid: boolean): void {
    this.counters.oversizeLines++;
    if (valid && envelope.hasMethod) {
      if (envelope.hasId) this.#refuse(envelope);
      return;
    }
    if (!valid || envelope.id === undefined || envelope.id === null) {
      this.#break('a line over the cap whose id cannot be read');
      return;
    }
    this.#take(envelope.id)?.failed('oversize');
  }

  #noise(bytes: number, ended: boolean): void {
    this.#noiseBytes += bytes;
    if (ended) this.counters.noiseLines++;
    if (this.counters.noiseLines > MAX_NOISE_LINES || this.#noiseBytes > MAX_NOISE_BYTES) {
      this.#break(`${this.counters.noiseLines} lines, ${this.#noiseBytes} bytes of output that is no JSON-RPC`);
    }
  }

  #break(why: string): void {
    if (this.#closed) return;
    this.#frames.end();
    this.#events.broken(why);
  }
}

/** Our ids are integers; a peer that sends them back as text is understood. */
function ownId(id: Envelope['id']): number | undefined {
  if (typeof id === 'number') return id;
  return typeof id === 'string' && OWN_ID.test(id) ? Number(id) : undefined;
}

function toRpcError(value: unknown): RpcError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, data } = value as { code?: unknown; message?: unknown; data?: unknown };
  if (typeof code !== 'number' || !Number.isInteger(code) || typeof message !== 'string') return undefined;
  return { code, message, data };
}
