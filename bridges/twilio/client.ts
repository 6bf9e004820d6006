import { AsyncLocalStorage } from 'node:async_hooks';
import type { Effect } from '../../core/call.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { rateLimited, toToolError } from './errors.ts';
import { type Flight, newFlight } from './flight.ts';
import type { Sdk } from './sdk.ts';
import type { Settings } from './settings.ts';

/** Longest wait for one answer; a shorter rest of the call's deadline wins. */
const MAX_REQUEST_MS = 20_000;
/** Kept of the deadline so that the tool's own answer still arrives. */
const ANSWER_MARGIN_MS = 150;
/** Twilio is left alone for no longer than this, whatever it says. */
const MAX_PAUSE_MS = 60_000;

/**
 * Twilio through its SDK, which is loaded with the first request. Each request ends with the call's signal or its own
 * time-out. Nothing is repeated but a read whose connection broke, once. A product of Twilio's that says 429 with a time
 * is not asked again by this process before then: such calls are refused here.
 */
export class TwilioClient {
  readonly #settings: Settings;
  readonly #flights = new AsyncLocalStorage<Flight>();
  /** By product: `performance.now()` from which on it may be asked again. */
  readonly #pausedUntil = new Map<string, number>();
  #sdk: Promise<Sdk> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * @param product first label of the host that is asked
   * @param effect what repeating this request does: says what a broken connection means
   * @throws ToolError
   */
  async ask<T>(
    context: ToolContext,
    product: 'api' | 'lookups' | 'verify' | 'messaging' | 'content',
    effect: Effect,
    request: (sdk: Sdk) => Promise<T>,
  ): Promise<T> {
    this.#sdk ??= import('./sdk.ts').then(({ createSdk }) => createSdk(this.#settings, this.#flights));
    const sdk = await this.#sdk;
    for (let attempt = 1; ; attempt++) {
      context.signal.throwIfAborted();
      this.#requireNoPause(product, effect);
      const flight = newFlight(this.#signal(context), context.traceparent);
      try {
        return await this.#flights.run(flight, () => request(sdk));
      } catch (thrown) {
        if (flight.status === 429 && flight.retryAfterMs !== undefined) {
          this.#pausedUntil.set(product, performance.now() + Math.min(flight.retryAfterMs, MAX_PAUSE_MS));
        }
        const broke = flight.sent && flight.status === undefined && !flight.signal.aborted;
        if (broke && effect === 'read' && attempt === 1) continue;
        throw toToolError(thrown, flight, { effect, cancelled: context.signal, accountSid: this.#settings.accountSid });
      }
    }
  }

  #requireNoPause(product: string, effect: Effect): void {
    const leftMs = (this.#pausedUntil.get(product) ?? 0) - performance.now();
    if (leftMs > 0) throw rateLimited(Math.ceil(leftMs), effect);
  }

  #signal(context: ToolContext): AbortSignal {
    const leftMs = Math.max(1, Math.min(MAX_REQUEST_MS, context.remainingMs() - ANSWER_MARGIN_MS));
    return AbortSignal.any([context.signal, AbortSignal.timeout(Math.floor(leftMs))]);
  }
}
