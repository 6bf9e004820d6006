import { setTimeout as delay } from 'node:timers/promises';
import { Agent, type Dispatcher } from 'undici';
import { until } from '../../support/until.ts';

/** One call as a client makes it. */
export interface Call {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back, or did not. */
export interface Answered {
  /** 0 where there was no answer. */
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  readonly json: any;
  readonly headers: Dispatcher.ResponseData['headers'];
}

/** HTTP/2 would put all calls on a connection or two. */
const OVER_TLS = { connect: { rejectUnauthorized: false }, connections: 64, allowH2: false } as const;

/** A client of a front with a certificate of its own making; it repeats nothing by itself. */
export class Client implements AsyncDisposable {
  readonly #origin: string;
  readonly #apiKey: string | undefined;
  readonly #kept = new Agent({ ...OVER_TLS, pipelining: 1 });
  /** Without keep-alive: each call has a handshake of its own. */
  readonly #fresh = new Agent({ ...OVER_TLS, pipelining: 0 });

  constructor(origin: string, apiKey?: string) {
    this.#origin = origin;
    this.#apiKey = apiKey;
  }

  async call({ path, body, headers = {} }: Call, fresh = false): Promise<Answered> {
    try {
      const answer = await (fresh ? this.#fresh : this.#kept).request({
        origin: this.#origin,
        path,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
          ...headers,
        },
        body: JSON.stringify(body),
      });
      const text = await answer.body.text();
      return { status: answer.statusCode, json: jsonOf(text), headers: answer.headers };
    } catch (error) {
      return { status: 0, json: { code: String(error) }, headers: {} };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#kept.destroy(), this.#fresh.destroy()]);
  }
}

/** A call that was not answered with 200 and a result. */
export interface Failure {
  readonly id: string;
  readonly status: number;
  readonly code: string;
  readonly executed: string;
}

export interface LoadOptions {
  /** The beginning of each call's id. */
  readonly name: string;
  readonly call: (id: string) => Call;
  readonly lanes?: number;
  /** From the start of a lane's call to that of its next, where the answer is there by then. */
  readonly everyMs?: number;
}

/**
 * A steady load: lanes that call one after the other, every fourth call on a connection of its own, each call with an id
 * that no other has. Ends with its last answer at disposal.
 */
export class Load implements AsyncDisposable {
  readonly failures: Failure[] = [];
  #calls = 0;
  #stopped = false;
  readonly #name: string;
  readonly #startedAtMs = performance.now();
  #endedAtMs: number | undefined;
  readonly #client: Client;
  readonly #running: Promise<unknown>;

  constructor(client: Client, { name, call, lanes = 20, everyMs = 90 }: LoadOptions) {
    this.#client = client;
    this.#name = name;
    this.#running = Promise.all(Array.from({ length: lanes }, (_, lane) => this.#lane(lane, everyMs, call)));
  }

  /** Answered so far, in whatever way. */
  get calls(): number {
    return this.#calls;
  }

  /** Waits for so many answers more. */
  async more(count: number): Promise<void> {
    const goal = this.#calls + count;
    await until(`${count} calls more`, () => this.#calls >= goal, { timeoutMs: 120_000, everyMs: 20 });
  }

  /** Waits until there are so many in all. */
  async reach(count: number): Promise<void> {
    if (this.#calls < count) await this.more(count - this.#calls);
  }

  /** Ends it, with every answer there; what it came to, in one line. */
  async stop(): Promise<string> {
    this.#stopped = true;
    await this.#running;
    this.#endedAtMs ??= performance.now();
    const seconds = (this.#endedAtMs - this.#startedAtMs) / 1000;
    const rate = Math.round(this.#calls / seconds);
    return `${this.#name}: ${this.#calls} calls, ${this.failures.length} failed, ${seconds.toFixed(1)} s, ${rate}/s`;
  }

  async #lane(lane: number, everyMs: number, call: (id: string) => Call): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const startedAtMs = performance.now();
      const id = `${this.#name}-${lane}-${n}`;
      const { status, json } = await this.#client.call(call(id), n % 4 === 3);
      this.#calls += 1;
      if (status !== 200 || json?.isError === true) {
        this.failures.push({ id, status, code: json?.code ?? JSON.stringify(json), executed: json?.executed ?? '' });
      }
      const restMs = startedAtMs + everyMs - performance.now();
      if (restMs > 0) await delay(restMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
