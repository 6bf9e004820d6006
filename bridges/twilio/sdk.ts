import type { AsyncLocalStorage } from 'node:async_hooks';
import RequestClient from 'twilio/lib/base/RequestClient.js';
import Twilio from 'twilio/lib/rest/Twilio.js';
import type { Flight } from './flight.ts';
import type { Settings } from './settings.ts';

/** Twilio's own client. */
export type Sdk = Twilio;

type Options = Parameters<RequestClient['request']>[0];

/** A page of 200 messages with their longest texts is a fourth of it. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Retry-After as seconds or as a date. */
function retryAfterMsOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const seconds = Number(value);
  const waitMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(waitMs) ? Math.max(0, Math.ceil(waitMs)) : undefined;
}

/** The SDK's transport, with each request bound to its flight: its signal, and what came of it. Repeats nothing. */
class FlightClient extends RequestClient {
  readonly #flights: AsyncLocalStorage<Flight>;
  readonly #apiUrl: string | undefined;

  constructor(flights: AsyncLocalStorage<Flight>, apiUrl: string | undefined) {
    super({ autoRetry: false });
    this.#flights = flights;
    this.#apiUrl = apiUrl;
    this.axios.defaults.maxContentLength = MAX_ANSWER_BYTES;
    this.axios.interceptors.request.use((config) => {
      const flight = flights.getStore();
      if (flight !== undefined) config.signal = flight.signal;
      if (flight?.traceparent !== undefined) config.headers.set('traceparent', flight.traceparent);
      return config;
    });
  }

  override async request<T>(options: Options) {
    const flight = this.#flights.getStore();
    if (flight === undefined) throw new Error('a request outside of a call');
    const { pathname, search } = new URL(options.uri);
    flight.signal.throwIfAborted();
    flight.sent = true;
    const uri = this.#apiUrl === undefined ? options.uri : `${this.#apiUrl}${pathname}${search}`;
    const answer = await super.request<T>({ ...options, uri, logLevel: 'error' } as Parameters<
      typeof RequestClient.prototype.request<T>
    >[0]);
    flight.status = answer.statusCode;
    const { headers } = answer as { readonly headers?: Readonly<Record<string, unknown>> };
    flight.retryAfterMs = retryAfterMsOf(headers?.['retry-after']);
    return answer;
  }
}

/** The SDK with an API key. Of its many products only those that are asked for are loaded. */
export function createSdk(settings: Settings, flights: AsyncLocalStorage<Flight>): Sdk {
  const { accountSid, apiKeySid, apiKeySecret, edge, region, apiUrl } = settings;
  return new Twilio(apiKeySid, apiKeySecret, {
    accountSid,
    httpClient: new FlightClient(flights, apiUrl),
    logLevel: 'error',
    ...(edge === undefined ? {} : { edge }),
    ...(region === undefined ? {} : { region }),
  });
}
