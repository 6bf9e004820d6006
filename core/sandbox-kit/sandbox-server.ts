import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FaultPlan, type TakenFault } from './fault-plan.ts';
import { ReceivedLog } from './received-log.ts';
import { type Route, type SandboxAnswer, SandboxRequest } from './sandbox-request.ts';

/** A vendor's stand-in as data: its addresses, and how the vendor says no. */
export interface SandboxSpec {
  readonly name: string;
  readonly routes: readonly Route[];
  /** Undefined: any caller is taken; otherwise what a request without valid credentials gets. */
  readonly authorize?: (request: SandboxRequest) => SandboxAnswer | undefined;
  /** An error in the vendor's own shape: for ordered faults and for addresses that are not there (404). */
  readonly errorAnswer: (status: number, request: SandboxRequest) => SandboxAnswer;
  /** Puts the state back to the seed. */
  readonly reset: () => void;
  /** The state as plain data, for `GET /_sandbox/state`. */
  readonly state: () => unknown;
}

const MAX_BODY_BYTES = 10 * 1024 * 1024;

/**
 * A stateful stand-in of a vendor's API on loopback, spoken to by the vendor's real SDK. Beside the vendor's addresses
 * it has its own: `POST|GET|DELETE /_sandbox/faults` orders misbehaviour (see {@link FaultPlan}), `GET|DELETE
 * /_sandbox/received` is the witness of what arrived and what took effect, `POST /_sandbox/reset` and `GET
 * /_sandbox/state` are the state.
 */
export class SandboxServer implements AsyncDisposable {
  readonly received = new ReceivedLog();
  readonly faults = new FaultPlan();
  readonly #spec: SandboxSpec;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #ending = new AbortController();

  private constructor(spec: SandboxSpec) {
    this.#spec = spec;
  }

  /** Listens on loopback. @param port default: any free one */
  static async start(spec: SandboxSpec, port = 0): Promise<SandboxServer> {
    const sandbox = new SandboxServer(spec);
    sandbox.#server.listen(port, '127.0.0.1');
    await once(sandbox.#server, 'listening');
    return sandbox;
  }

  /** `http://127.0.0.1:port`, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Back to the seed: state, witness and orders. */
  reset(): void {
    this.#spec.reset();
    this.received.clear();
    this.faults.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#server.closeAllConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const request = await read(incoming);
      if (request === undefined) {
        answerTo(response, { status: 413, body: { error: `at most ${MAX_BODY_BYTES} bytes` } });
        return;
      }
      if (request.path.startsWith('/_sandbox/')) answerTo(response, this.#control(request));
      else await this.#asVendor(request, response);
    } catch (error) {
      if (response.headersSent || this.#ending.signal.aborted) response.destroy();
      else answerTo(response, { status: 500, body: { error: error instanceof Error ? error.message : 'unknown' } });
    }
  }

  async #asVendor(request: SandboxRequest, response: ServerResponse): Promise<void> {
    const fault = this.faults.take(request);
    const entry = this.received.add(request, fault?.kind);
    if (fault?.kind === 'slow') await delay(fault.delayMs, undefined, { signal: this.#ending.signal });
    if (fault?.kind === 'drop_before') {
      response.destroy();
      return;
    }
    const answer = faultAnswer(this.#spec, fault, request) ?? (await this.#answer(request));
    entry.tookEffect = answer.status < 400 && fault?.kind !== 'status';
    entry.status = answer.status;
    if (fault?.kind === 'drop_after') response.destroy();
    else if (fault?.kind === 'malformed') answerTo(response, { status: 200, body: Buffer.from('{"ok": tru') });
    else answerTo(response, answer);
  }

  async #answer(request: SandboxRequest): Promise<SandboxAnswer> {
    const { routes, authorize, errorAnswer } = this.#spec;
    const refused = authorize?.(request);
    if (refused !== undefined) return refused;
    for (const route of routes) {
      const params = request.matches(route);
      if (params !== undefined) return route.answer(request, params);
    }
    return errorAnswer(404, request);
  }

  #control(request: SandboxRequest): SandboxAnswer {
    switch (`${request.method} ${request.path.slice('/_sandbox/'.length)}`) {
      case 'POST faults':
        this.faults.order(request.json());
        return { status: 201, body: { faults: this.faults.list() } };
      case 'GET faults':
        return { status: 200, body: { faults: this.faults.list() } };
      case 'DELETE faults':
        this.faults.clear();
        return { status: 200, body: { faults: [] } };
      case 'GET received':
        return { status: 200, body: { received: this.received.entries } };
      case 'DELETE received':
        this.received.clear();
        return { status: 200, body: { received: [] } };
      case 'GET state':
        return { status: 200, body: this.#spec.state() };
      case 'POST reset':
        this.reset();
        return { status: 200, body: this.#spec.state() };
      default:
        return { status: 404, body: { error: 'POST/GET/DELETE faults, GET/DELETE received, GET state, POST reset' } };
    }
  }
}

function faultAnswer(
  { errorAnswer }: SandboxSpec,
  fault: TakenFault | undefined,
  request: SandboxRequest,
): SandboxAnswer | undefined {
  if (fault?.kind !== 'status') return undefined;
  const answer = errorAnswer(fault.status, request);
  return fault.retryAfterSeconds === undefined
    ? answer
    : { ...answer, headers: { ...answer.headers, 'Retry-After': String(fault.retryAfterSeconds) } };
}

async function read(incoming: IncomingMessage): Promise<SandboxRequest | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new SandboxRequest(incoming.method ?? 'GET', incoming.url ?? '/', incoming.headers, Buffer.concat(chunks));
}

function answerTo(response: ServerResponse, { status, headers = {}, body }: SandboxAnswer): void {
  const raw = Buffer.isBuffer(body);
  const bytes = body === undefined ? undefined : raw ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    ...(bytes === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8' }),
    ...headers,
    'Content-Length': bytes?.length ?? 0,
  });
  response.end(bytes);
}
