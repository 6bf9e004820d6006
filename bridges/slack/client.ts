import { AsyncLocalStorage } from 'node:async_hooks';
import type { WebClient } from '@slack/web-api';
import type { Effect } from '../../core/call.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { toToolError } from './errors.ts';
import { type Flight, newFlight } from './flight.ts';
import type { Settings } from './settings.ts';

/** One request through the SDK. */
export type Ask<T> = (slack: WebClient) => Promise<T>;

/** Longest wait for one answer; a shorter rest of the call's deadline wins. */
const MAX_REQUEST_MS = 10_000;
/** Kept of the deadline so that the tool's own answer still arrives. */
const ANSWER_MARGIN_MS = 150;
/** Where Slack says 429 without saying for how long. */
const DEFAULT_RETRY_AFTER_MS = 30_000;

/** The SDK's own log goes to stdout, which belongs to the protocol, and repeats what is in the errors. */
const SILENT = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  setLevel: () => {},
  setName: () => {},
};

/**
 * Slack through its SDK, which is loaded with the first request. Each request ends with the call's signal or its own
 * time-out. Nothing is repeated but a read whose connection broke, once. A method that Slack limits is not asked again
 * by this process before the time Slack named: such calls are refused here.
 */
export class SlackClient {
  readonly #settings: Settings;
  readonly #flights = new AsyncLocalStorage<Flight>();
  /** By method: `performance.now()` from which on it may be asked again. */
  readonly #pausedUntil = new Map<string, number>();
  #client: Promise<WebClient> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * @param effect what repeating this request does: says what a broken connection means
   * @throws ToolError
   */
  async ask<T>(context: ToolContext, effect: Effect, request: Ask<T>): Promise<T> {
    this.#client ??= this.#load();
    const client = await this.#client;
    for (let attempt = 1; ; attempt++) {
      const flight = newFlight(this.#signal(context), context.traceparent);
      try {
        return await this.#flights.run(flight, () => request(client));
      } catch (thrown) {
        const broke = flight.sent && flight.status === undefined && !flight.signal.aborted;
        if (broke && effect === 'read' && attempt === 1) continue;
        const limitedMs = limitOf(thrown);
        if (limitedMs !== undefined && flight.retryAfterMs === undefined) this.#pause(flight, limitedMs);
        throw toToolError(thrown, flight, effect, context.idempotencyKey !== undefined);
      }
    }
  }

  #signal(context: ToolContext): AbortSignal {
    const leftMs = Math.max(1, context.remainingMs() - ANSWER_MARGIN_MS);
    return AbortSignal.any([context.signal, AbortSignal.timeout(Math.floor(Math.min(MAX_REQUEST_MS, leftMs)))]);
  }

  async #load(): Promise<WebClient> {
    const { WebClient, LogLevel } = await import('@slack/web-api');
    return new WebClient(this.#settings.token, {
      slackApiUrl: this.#settings.apiUrl,
      allowAbsoluteUrls: false,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      // A request that waits in the SDK's queue would run as another call; the bridge's pool bounds them already.
      maxRequestConcurrency: Number.POSITIVE_INFINITY,
      logger: { ...SILENT, getLevel: () => LogLevel.ERROR },
      fetch: (url, init) => this.#fetch(String(url), init as RequestInit),
    });
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const flight = this.#flights.getStore();
    if (flight === undefined) throw new Error('a request outside of a call');
    flight.method = url.slice(this.#settings.apiUrl.length);
    const pausedMs = Math.ceil((this.#pausedUntil.get(flight.method) ?? 0) - performance.now());
    if (pausedMs > 0) {
      flight.retryAfterMs = pausedMs;
      throw new Error('still limited');
    }
    flight.signal.throwIfAborted();
    flight.sent = true;
    const headers = new Headers(init.headers);
    if (flight.traceparent !== undefined) headers.set('traceparent', flight.traceparent);
    const response = await fetch(url, { ...init, headers, signal: flight.signal });
    flight.status = response.status;
    if (response.status === 429) {
      const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
      this.#pause(flight, seconds > 0 ? seconds * 1_000 : DEFAULT_RETRY_AFTER_MS);
    }
    return response;
  }

  #pause(flight: Flight, forMs: number): void {
    flight.retryAfterMs = forMs;
    this.#pausedUntil.set(flight.method, performance.now() + forMs);
  }
}

/** How long a 200 that says `ratelimited` wants it quiet; undefined for everything else. */
function limitOf(error: unknown): number | undefined {
  const { data } = error as { readonly data?: { error?: unknown; response_metadata?: { retryAfter?: unknown } } };
  if (data?.error !== 'ratelimited' && data?.error !== 'rate_limited') return undefined;
  const seconds = data.response_metadata?.retryAfter;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : DEFAULT_RETRY_AFTER_MS;
}
