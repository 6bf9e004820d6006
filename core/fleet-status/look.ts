import { type Buckets, bucketsOf } from '#core/fleet-status/latency.ts';
import { samplesOf } from '#core/fleet-status/metrics-text.ts';
import { printable } from '#core/printable.ts';

/** One bridge of one replica, as its ops port tells it. Counters are since the start of that process. */
export interface BridgeLook {
  readonly name: string;
  readonly mode: string;
  readonly ready: boolean;
  /** Of the pool; `not_configured` where there is none. */
  readonly state: string;
  readonly workers: { readonly ready: number; readonly starting: number; readonly max: number };
  readonly inFlight: number;
  readonly waiting: number;
  readonly queueMax: number;
  /** By outcome. */
  readonly calls: Readonly<Record<string, number>>;
  /** From the head of a request to its answer; empty where the process keeps no histogram. */
  readonly latency: Buckets;
  readonly breakersOpen: readonly string[];
  /** Workers that ended though nobody wanted it. */
  readonly restarts: number;
  /** Of all its workers, where it is known. */
  readonly rssBytes: number;
}

/** One replica at one moment. Everything in it came over the network from a process of perhaps another version. */
export interface Look {
  readonly atMs: number;
  readonly version: string;
  readonly uptimeMs: number;
  readonly draining: boolean;
  /** `memory`, or what its shared store does. */
  readonly store: string;
  /** `off`, `ok` or `away`. */
  readonly audit: string;
  readonly degraded: readonly string[];
  readonly processRssBytes: number | undefined;
  readonly bridges: readonly BridgeLook[];
}

export interface LookOptions {
  /** For both requests together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A replica with a thousand tools and histograms for each stays below it. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Endings that are part of a worker's plan. */
const PLANNED: ReadonlySet<string> = new Set(['idle', 'age', 'uses', 'reload', 'shutdown']);
const METRICS: ReadonlySet<string> = new Set([
  'http_server_request_duration_seconds_bucket',
  'bridge_process_rss_bytes',
]);

/** Asks one replica for `/status` and `/metrics`. @throws Error whose message says why there is no answer */
export async function lookAt(origin: string, { timeoutMs, signal }: LookOptions): Promise<Look> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const bound = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  try {
    const [status, metrics] = await Promise.all([read(`${origin}/status`, bound), read(`${origin}/metrics`, bound)]);
    return lookFrom(status, metrics, performance.now());
  } catch (error) {
    throw timeout.aborted ? new Error(`no answer within ${timeoutMs} ms`) : explained(error);
  }
}

/** @throws Error where the text is no status of a fleet process */
export function lookFrom(statusText: string, metricsText: string, atMs: number): Look {
  const status = parse(statusText);
  const bridges = status.record('bridges');
  if (bridges.names.length === 0 && status.text('version') === '')
    throw new Error('this is not the ops port of a fleet');
  const samples = samplesOf(metricsText, METRICS);
  const calls = (samples.get('http_server_request_duration_seconds_bucket') ?? []).filter(
    ({ labels }) => labels.http_request_method === 'POST',
  );
  const redis = status.record('redis');
  const audit = status.record('audit');
  return {
    atMs,
    version: status.text('version'),
    uptimeMs: status.number('uptimeMs'),
    draining: status.is('draining'),
    store: status.text('stores') === 'redis' ? `redis ${redis.text('state')}` : status.text('stores'),
    audit: audit.names.length === 0 ? status.text('audit') : audit.is('away') ? 'away' : 'ok',
    degraded: status.list('degraded').map((entry) => printable(String(entry))),
    processRssBytes: samples.get('bridge_process_rss_bytes')?.[0]?.value,
    bridges: bridges.names.map((name) =>
      bridgeFrom(
        printable(name),
        bridges.record(name),
        bucketsOf(calls.filter(({ labels }) => labels.bridge === name)),
      ),
    ),
  };
}

function bridgeFrom(name: string, bridge: Reader, latency: Buckets): BridgeLook {
  const pool = bridge.record('pool');
  const workers = pool.list('workers').map((worker) => new Reader(worker));
  const count = (state: string) => workers.filter((worker) => worker.text('state') === state).length;
  const sum = (member: string) => workers.reduce((total, worker) => total + worker.number(member), 0);
  const breakers = bridge.list('breakers').map((breaker) => new Reader(breaker));
  const ended = Object.entries(pool.record('ended').numbers());
  return {
    name,
    mode: bridge.text('mode'),
    ready: bridge.is('ready'),
    state: pool.text('state') || 'not_configured',
    workers: { ready: count('ready'), starting: count('starting'), max: pool.number('max') },
    inFlight: sum('inFlight'),
    waiting: pool.number('waiting'),
    queueMax: pool.number('queueMax'),
    calls: bridge.record('calls').numbers(),
    latency,
    breakersOpen: breakers.filter((circuit) => circuit.text('state') === 'open').map((circuit) => circuit.text('tool')),
    restarts: ended.reduce((total, [reason, n]) => (PLANNED.has(reason) ? total : total + n), 0),
    rssBytes: sum('rssBytes'),
  };
}

/** Reads members of what another process said: what is missing or of another kind counts as nothing. */
class Reader {
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#members = isObject ? (value as Readonly<Record<string, unknown>>) : {};
  }

  get names(): string[] {
    return Object.keys(this.#members);
  }

  text(name: string): string {
    const value = this.#members[name];
    return typeof value === 'string' ? printable(value) : '';
  }

  number(name: string): number {
    const value = this.#members[name];
    return typeof value === 'number' && Number.isFinite(value) ? value : 0;
  }

  is(name: string): boolean {
    return this.#members[name] === true;
  }

  list(name: string): readonly unknown[] {
    const value = this.#members[name];
    return Array.isArray(value) ? value : [];
  }

  record(name: string): Reader {
    return new Reader(this.#members[name]);
  }

  /** All members that are numbers. */
  numbers(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.names.map((name) => [printable(name), this.number(name)]));
  }
}

function parse(text: string): Reader {
  try {
    return new Reader(JSON.parse(text));
  } catch {
    throw new Error('its /status is no JSON: this is not the ops port of a fleet');
  }
}

/** @throws Error where it cannot be had, is not 200, or is too long */
async function read(url: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(url, { signal, redirect: 'error' });
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw new Error(`${new URL(url).pathname} answers ${answer.status}`);
  }
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`${new URL(url).pathname} is longer than ${MAX_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `fetch` says no more than that it failed; its cause says why. */
function explained(error: unknown): Error {
  const { cause, message } = error as Error;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return new Error('connection refused: nothing listens there');
  return new Error(code === undefined ? printable(message) : `cannot be reached (${code})`);
}
