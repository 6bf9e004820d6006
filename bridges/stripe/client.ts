import { setTimeout as delay } from 'node:timers/promises';
import type { Stripe } from 'stripe';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { Settings } from './settings.ts';
import { SingleTryHttp } from './single-try-http.ts';
import { isPassing, quiet, quietMs, retryAfterMs, toToolError } from './stripe-errors.ts';

/** One request of the SDK, with the options to hand to it. */
export type Send<T> = (stripe: Stripe, options: Stripe.RequestOptions) => Promise<T>;

/** The answer must still reach the caller within the deadline. */
const ANSWER_MARGIN_MS = 200;
/** With less than this left a write is not begun: it would end without an answer. */
const SHORTEST_WRITE_MS = 100;
const SECOND_TRY_MS = 150;

/** Metadata that bears the Stripe key an object was made with, so that it can be found by it. */
export const KEY_METADATA = 'mcp_bridge_key';

/** The Stripe key of one step of a keyed call; a call that is one request uses its key as it is. */
export function stepKey(context: ToolContext, step?: string): string | undefined {
  const { idempotencyKey } = context;
  return idempotencyKey === undefined || step === undefined ? idempotencyKey : `${idempotencyKey}:${step}`;
}

/** The metadata of an object that one step makes. */
export function keyMetadata(context: ToolContext, step?: string): Readonly<Record<string, string>> {
  const key = stepKey(context, step);
  return key === undefined ? {} : { [KEY_METADATA]: key };
}

/**
 * Stripe through its SDK. Every request is sent once by the SDK, under the signal and within the deadline of its call.
 * The SDK is loaded with the first call: it takes some 150 ms and 20 MB that a waiting worker does not need.
 */
export class StripeClient {
  readonly #settings: Settings;
  readonly #http = new SingleTryHttp();
  #stripe: Promise<Stripe> | undefined;
  /** Stripe said 429: until then (`performance.now()`) it is left alone. */
  #quietUntil = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * Asks. A broken connection and a 5xx are tried once more where the deadline leaves time for it and for the wait that
   * Stripe asks for. A 429 is told at once, and Stripe is left alone for as long as it asked, so that load is never
   * multiplied.
   * @throws ToolError
   */
  async read<T>(context: ToolContext, send: Send<T>): Promise<T> {
    try {
      return await this.#once(context, false, undefined, send);
    } catch (thrown) {
      const waitMs = retryAfterMs(thrown) ?? SECOND_TRY_MS;
      if (!isPassing(thrown) || context.signal.aborted || waitMs + ANSWER_MARGIN_MS > context.remainingMs() / 2) {
        throw toToolError(thrown, { context, writes: false });
      }
      await delay(waitMs, undefined, { signal: context.signal }).catch(() => context.signal.throwIfAborted());
    }
    try {
      return await this.#once(context, false, undefined, send);
    } catch (thrown) {
      throw toToolError(thrown, { context, writes: false });
    }
  }

  /**
   * Changes something, once. With a key Stripe carries the step out at most once whoever repeats it.
   * @param step names one request of a call that makes several; each has a Stripe key of its own
   * @throws ToolError `outcome_unknown` where Stripe may have done it without our knowing
   */
  async write<T>(context: ToolContext, send: Send<T>, step?: string): Promise<T> {
    if (context.remainingMs() < SHORTEST_WRITE_MS + ANSWER_MARGIN_MS) {
      throw new ToolError('deadline_exceeded', 'too little of the deadline is left for a write; nothing was sent', {
        retryable: true,
        hint: 'Repeat it with a longer deadline',
        details: { executed: 'no' },
      });
    }
    try {
      return await this.#once(context, true, stepKey(context, step), send);
    } catch (thrown) {
      throw toToolError(thrown, { context, writes: true });
    }
  }

  close(): void {
    this.#http.close();
  }

  async #once<T>(context: ToolContext, writes: boolean, idempotencyKey: string | undefined, send: Send<T>): Promise<T> {
    const quietMsLeft = Math.ceil(this.#quietUntil - performance.now());
    if (quietMsLeft > 0) throw quiet(quietMsLeft, writes);
    this.#stripe ??= this.#load();
    const stripe = await this.#stripe;
    context.signal.throwIfAborted();
    const leftMs = Math.floor(context.remainingMs() - ANSWER_MARGIN_MS);
    const timeout = Math.max(1, Math.min(this.#settings.requestTimeoutMs, leftMs));
    const options = { timeout, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
    try {
      return await this.#http.under(context.signal, () => send(stripe, options), context.traceparent);
    } catch (thrown) {
      this.#quietUntil = Math.max(this.#quietUntil, performance.now() + quietMs(thrown));
      throw thrown;
    }
  }

  async #load(): Promise<Stripe> {
    const { secretKey, url } = this.#settings;
    const { default: Sdk } = await import('stripe');
    const secure = url.protocol === 'https:';
    return new Sdk(secretKey, {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (secure ? 443 : 80) : url.port,
      protocol: secure ? 'https' : 'http',
      maxNetworkRetries: 0,
      telemetry: false,
      httpClient: this.#http.client,
      appInfo: { name: 'mcp-bridge-fleet' },
    });
  }
}
