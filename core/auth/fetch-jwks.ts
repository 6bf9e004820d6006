import { Agent, request } from 'undici';

const TIMEOUT_MS = 2_000;
/** A key set of a hundred keys is 50 KB. */
const MAX_BYTES = 512 * 1024;

/** A key set could not be fetched; `message` says why, without the address. */
export class JwksFetchError extends Error {
  override readonly name = 'JwksFetchError';
}

/** Fetches a key set over one connection: the whole answer within 2 s, at most 512 KiB, no redirects. */
export class JwksSource {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  constructor(url: string, { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {}) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#agent = new Agent({ connections: 1, connect: { timeout: timeoutMs } });
  }

  /** The text of the answer. @throws JwksFetchError */
  async fetch(): Promise<string> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      const { statusCode, body } = await request(this.#url, {
        dispatcher: this.#agent,
        headers: { accept: 'application/jwk-set+json, application/json' },
        signal,
      });
      if (statusCode !== 200) {
        // Whoever destroys a body is told so by an error of its own.
        body.on('error', () => undefined).destroy();
        throw new JwksFetchError(`answered with status ${statusCode}`);
      }
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > MAX_BYTES) throw new JwksFetchError(`answered with more than ${MAX_BYTES} bytes`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    } catch (error) {
      if (error instanceof JwksFetchError) throw error;
      if (signal.aborted) throw new JwksFetchError(`no answer within ${this.#timeoutMs} ms`);
      throw new JwksFetchError(`not reached (${codeOf(error)})`);
    }
  }

  /** Cuts the connection; a fetch that still waits fails. Idempotent. */
  async close(): Promise<void> {
    if (!this.#agent.destroyed) await this.#agent.destroy();
  }
}

/** Messages of the network name addresses; codes do not. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown reason';
}
