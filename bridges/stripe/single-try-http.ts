import { AsyncLocalStorage } from 'node:async_hooks';
import http from 'node:http';
import https from 'node:https';
import type { Stripe } from 'stripe';

/** A request that got no usable answer. It has no `code` on purpose: the SDK repeats what says ECONNRESET or EPIPE. */
export class LostRequest extends Error {
  override readonly name = 'LostRequest';
  /** False: certainly no byte of it left this machine. */
  readonly sent: boolean;
  readonly why: 'aborted' | 'timeout' | 'connection';
  /** The system's own code, where there is one. */
  readonly systemCode: string | undefined;

  constructor(sent: boolean, why: LostRequest['why'], systemCode?: string) {
    super(`${why}${systemCode === undefined ? '' : ` (${systemCode})`}`);
    this.sent = sent;
    this.why = why;
    this.systemCode = systemCode;
  }
}

/** Longer answers are not read to their end; a page of 100 invoices is some 500 KB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const IDLE_SOCKET_MS = 5_000;

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/**
 * How the SDK reaches Stripe: each request is sent once, under the signal of the call that it belongs to. The SDK's own
 * client knows no signal, counts its time-out anew with every byte, and repeats a request whose connection broke
 * even where retries are off.
 */
export class SingleTryHttp {
  readonly #calls = new AsyncLocalStorage<{ readonly signal: AbortSignal; readonly traceparent: string | undefined }>();
  /** A short idle time: a socket that Stripe has closed meanwhile would make a write's outcome unknown. */
  readonly #agents = {
    http: new http.Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
    https: new https.Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
  };

  /** Runs `work`; the requests it makes end when `signal` aborts, and carry `traceparent` as a header. */
  under<T>(signal: AbortSignal, work: () => Promise<T>, traceparent?: string): Promise<T> {
    return this.#calls.run({ signal, traceparent }, work);
  }

  /** For the SDK's `httpClient` option. */
  readonly client: Stripe.HttpClient = {
    getClientName: () => 'node',
    makeRequest: async (host, port, path, method, given, body, protocol, timeoutMs) => {
      const call = this.#calls.getStore();
      const headers = call?.traceparent === undefined ? given : { ...given, traceparent: call.traceparent };
      const secure = protocol !== 'http';
      const options = { host, port, path, method, headers, agent: secure ? this.#agents.https : this.#agents.http };
      const request = (secure ? https : http).request(options as http.RequestOptions);
      const { status, headers: answered, text } = await exchange(request, body, timeoutMs, call?.signal);
      const raw = { headers: answered, statusCode: status };
      return {
        getStatusCode: () => status,
        getHeaders: () => answered as Record<string, string>,
        getRawResponse: () => raw,
        toStream: () => {
          throw new TypeError('answers are read as a whole here');
        },
        toJSON: async () => JSON.parse(text) as unknown,
      };
    },
  };

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

/** @throws LostRequest */
function exchange(
  request: http.ClientRequest,
  body: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let sent = false;
  let ended: 'aborted' | 'timeout' | undefined;
  const fail = (error: unknown): void => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    const known = code !== undefined && /^[A-Z_]{2,40}$/.test(code) ? code : undefined;
    reject(new LostRequest(sent, ended ?? 'connection', ended === undefined ? known : undefined));
  };
  const end = (why: 'aborted' | 'timeout') => (): void => {
    ended = why;
    request.destroy(new Error(why));
  };
  const onAbort = end('aborted');
  const timer = setTimeout(end('timeout'), timeoutMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  request.once('socket', (socket) => {
    sent = !socket.connecting;
    // The request is written once the connection stands, with TLS once it is agreed.
    if (socket.connecting) {
      socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
        sent = true;
      });
    }
  });
  request.on('error', fail);
  request.once('response', (response) => {
    const pieces: Buffer[] = [];
    let length = 0;
    response.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > MAX_ANSWER_BYTES) request.destroy(new Error('too long'));
      else pieces.push(piece);
    });
    response.on('error', fail);
    response.once('close', () => {
      if (!response.complete) fail(undefined);
      else
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        });
    });
  });
  if (signal?.aborted) onAbort();
  else request.end(body);
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  });
}
