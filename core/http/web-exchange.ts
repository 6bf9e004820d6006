import { type BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { bodyTooLarge } from './body-too-large.ts';
import type { Answer, Exchange } from './exchange.ts';
import { GrowingBytes } from './growing-bytes.ts';

/** The door for embedders and tests: a Fetch Request without a socket of ours. */
export class WebExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly arrivedAtMs = performance.now();
  readonly remoteAddress = '';
  readonly #request: Request;
  #stop: ((error: BridgeError) => void) | undefined;

  constructor(request: Request, target: string) {
    this.#request = request;
    this.method = request.method;
    this.target = target;
  }

  get gone(): boolean {
    return this.#request.signal.aborted;
  }

  headerSize(): { readonly count: number; readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const [name, value] of this.#request.headers) {
      count += 1;
      bytes += name.length + value.length;
    }
    return { count, bytes };
  }

  header(name: string): string | undefined {
    const value = this.#request.headers.get(name);
    // A Request built by hand names its host in its URL alone.
    if (value === null && name === 'host') return new URL(this.#request.url).host;
    return value ?? undefined;
  }

  repeatedHeader(): string | undefined {
    // Headers has joined them; none of the three may hold a comma of its own here.
    return ['host', 'authorization', 'content-type'].find((name) => this.#request.headers.get(name)?.includes(', '));
  }

  bodyLength(): number | undefined {
    if (this.#request.body === null) return 0;
    const declared = this.#request.headers.get('content-length');
    return declared !== null && /^[0-9]+$/.test(declared) ? Number(declared) : undefined;
  }

  async readBody(maxBytes: number): Promise<Buffer> {
    if ((this.bodyLength() ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
    const stopped = new Promise<never>((_, reject) => {
      this.#stop = reject;
      this.#request.signal.addEventListener('abort', () => reject(CLIENT_GONE), { once: true });
    });
    const reader = (this.#request.body as ReadableStream<Uint8Array>).getReader();
    const body = new GrowingBytes();
    try {
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), stopped]);
        if (done) return body.whole();
        if (body.length + value.length > maxBytes) throw bodyTooLarge(maxBytes);
        body.add(value);
      }
    } finally {
      stopped.catch(() => undefined);
      // Cancelling a stream that has ended does nothing.
      reader.cancel().catch(() => undefined);
    }
  }

  stopReading(error: BridgeError): void {
    this.#stop?.(error);
  }

  onGone(listener: () => void): void {
    this.#request.signal.addEventListener('abort', listener, { once: true });
  }
}

/** An answer as a Response; a client that is gone gets an empty one that nobody sees. */
export function toResponse(exchange: Exchange, answer: Answer | undefined): Response {
  if (answer === undefined) return new Response(null, { status: 499 });
  const headers = new Headers();
  for (let i = 0; i < answer.headers.length; i += 2) {
    headers.append(answer.headers[i] as string, answer.headers[i + 1] as string);
  }
  const empty = exchange.method === 'HEAD' || answer.status === 204;
  return new Response(empty ? null : bytesOf(answer.body), { status: answer.status, headers });
}

function bytesOf(body: Answer['body']): Buffer<ArrayBuffer> {
  return typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.concat(body);
}
