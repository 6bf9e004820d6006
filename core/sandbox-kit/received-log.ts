import type { FaultKind } from './fault-plan.ts';
import type { SandboxRequest } from './sandbox-request.ts';

/** One request as the witness saw it; credentials are not kept. */
export interface Received {
  readonly n: number;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Text of the body, at most 64 KiB of it. */
  readonly body: string;
  readonly fault: FaultKind | undefined;
  /** What it was, or would have been, answered with; undefined while it is not. */
  status: number | undefined;
  /** It was carried out: also where the answer was dropped. */
  tookEffect: boolean;
}

const MAX_ENTRIES = 10_000;
const MAX_BODY_CHARACTERS = 65_536;
const CREDENTIALS = new Set(['authorization', 'cookie', 'x-api-key']);

/** What a stand-in received, oldest first; the last 10 000 requests. */
export class ReceivedLog {
  #entries: Received[] = [];
  #count = 0;

  get entries(): readonly Received[] {
    return this.#entries;
  }

  /** The caller fills in how it went. */
  add(request: SandboxRequest, fault: FaultKind | undefined): Received {
    const headers = Object.entries(request.headers).map(([name, value]) => [
      name,
      CREDENTIALS.has(name) ? '[credential]' : String(value),
    ]);
    this.#count += 1;
    const entry: Received = {
      n: this.#count,
      method: request.method,
      path: request.path,
      query: Object.fromEntries(request.query),
      headers: Object.fromEntries(headers),
      body: request.body.toString('utf8', 0, MAX_BODY_CHARACTERS),
      fault,
      status: undefined,
      tookEffect: false,
    };
    if (this.#entries.length >= MAX_ENTRIES) this.#entries.shift();
    this.#entries.push(entry);
    return entry;
  }

  clear(): void {
    this.#entries = [];
  }
}
