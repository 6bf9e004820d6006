import { setTimeout as delay } from 'node:timers/promises';
import type { OAuth2Client } from 'google-auth-library';
import type { Effect } from '../../core/call.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { type RequestOptions, requestOptions } from './client-options.ts';
import type { GoogleAccess } from './credentials.ts';
import { GoogleErrors, retryAfterMs, statusOf } from './errors.ts';
import { headerOf } from './headers.ts';
import { SignIn } from './sign-in.ts';

/** The part of the SDK's answer that is used. */
export interface GoogleAnswer<T> {
  readonly data: T;
  readonly headers: object;
}

/** How one API of Google is reached. */
export interface GoogleApiOptions<Api> {
  /** E.g. `Google Drive`, for messages. */
  readonly service: string;
  readonly access: GoogleAccess;
  readonly scopes: readonly string[];
  /** Of the API, with a slash at the end; default Google's own. */
  readonly rootUrl?: string;
  /** Loads the SDK and opens the API; called once, with the first request. */
  readonly open: (auth: OAuth2Client) => Promise<Api>;
}

/** Before a read is sent a second time, where Google does not say how long. */
const READ_RETRY_MS = 200;
const MAX_READ_RETRY_MS = 5_000;
/** However long Google asks to wait, it is asked again after this. */
const MAX_QUIET_MS = 60_000;

/**
 * Sends requests to one API. A `read` is sent at most twice, the second time only after what Google says and where the
 * call has the time; anything else is sent once. While Google asks to wait, nothing is sent at all. What Google refused for its access token alone was not carried out and is
 * sent once more with a new one.
 */
export class GoogleApi<Api> {
  readonly #options: GoogleApiOptions<Api>;
  readonly #signIn: SignIn;
  readonly #errors: GoogleErrors;
  #api: Promise<Api> | undefined;
  #quietUntilMs = 0;

  constructor(options: GoogleApiOptions<Api>) {
    this.#options = options;
    this.#signIn = new SignIn(options.access, options.scopes);
    this.#errors = new GoogleErrors(options.service, options.access.credentials);
  }

  /**
   * One request of a tool. `effect` is the request's own: what a write looks up first is a `read`.
   * @throws ToolError
   */
  async ask<T>(
    effect: Effect,
    context: ToolContext,
    send: (api: Api, options: RequestOptions) => Promise<GoogleAnswer<T>>,
  ): Promise<T> {
    context.signal.throwIfAborted();
    try {
      return await this.#send(effect, context, send);
    } catch (error) {
      const waitMs = effect === 'read' ? retryWaitMs(error, context) : undefined;
      if (waitMs === undefined) throw error;
      await delay(waitMs, undefined, { signal: context.signal }).catch(() => context.signal.throwIfAborted());
      return this.#send(effect, context, send);
    }
  }

  async #send<T>(
    effect: Effect,
    context: ToolContext,
    send: (api: Api, options: RequestOptions) => Promise<GoogleAnswer<T>>,
    again = true,
  ): Promise<T> {
    // Whole ones only: a timer may fire a part of a millisecond early.
    const quietMs = Math.floor(this.#quietUntilMs - performance.now());
    if (quietMs > 0) throw this.#errors.heldBack(quietMs);
    const { api, token } = await this.#ready(context);
    let answer: GoogleAnswer<T>;
    try {
      answer = await send(api, requestOptions(context, this.#options.rootUrl));
    } catch (error) {
      if (statusOf(error) === 401 && again) {
        await this.#signIn.forget(token);
        return this.#send(effect, context, send, false);
      }
      const told = this.#errors.ofRequest(error, effect, context);
      if (told.code === 'vendor_rate_limited') this.#beQuiet(retryAfterMs(told) ?? 0);
      throw told;
    }
    if (isMalformed(answer)) throw this.#errors.malformed(effect, context);
    return answer.data;
  }

  #beQuiet(forMs: number): void {
    const untilMs = performance.now() + Math.min(forMs, MAX_QUIET_MS);
    this.#quietUntilMs = Math.max(this.#quietUntilMs, untilMs);
  }

  /** The API and a token, before anything is sent: what fails here was certainly not carried out. */
  async #ready({ signal }: ToolContext): Promise<{ readonly api: Api; readonly token: string }> {
    this.#api ??= this.#signIn.client().then(this.#options.open);
    const api = await this.#api;
    try {
      return { api, token: await this.#signIn.token(signal) };
    } catch (error) {
      throw this.#errors.ofSignIn(error);
    }
  }
}

/** The SDK hands over the text of an answer that says it is JSON and is not. */
function isMalformed({ data, headers }: GoogleAnswer<unknown>): boolean {
  return typeof data === 'string' && data !== '' && (headerOf(headers, 'content-type') ?? '').includes('json');
}

function retryWaitMs(error: unknown, context: ToolContext): number | undefined {
  if (!(error instanceof ToolError) || !error.retryable || context.signal.aborted) return undefined;
  const saidMs = retryAfterMs(error);
  if (error.code === 'vendor_rate_limited' && saidMs === undefined) return undefined;
  const waitMs = saidMs ?? READ_RETRY_MS;
  return waitMs <= MAX_READ_RETRY_MS && waitMs < context.remainingMs() / 2 ? waitMs : undefined;
}
