import {
  EnvironmentError,
  flag,
  integer,
  readEnvironment,
  serviceUrl,
  type Variable,
} from '../../core/server-kit/environment.ts';

/** Where Stripe is. */
export const STRIPE_URL = 'https://api.stripe.com';

/** What the server was told, checked. */
export interface Settings {
  readonly secretKey: string;
  /** Whether calls move real money. */
  readonly live: boolean;
  readonly url: URL;
  /** Longest wait for one answer of Stripe; a shorter deadline of the call wins. */
  readonly requestTimeoutMs: number;
  /**
   * How long Stripe may still carry out a request whose answer was lost; nothing is called certain before. Its own SDK
   * waits 80 s for an answer.
   */
  readonly inFlightMs: number;
}

const SECRET_KEY: Variable<string> = {
  help: 'a secret or restricted key, from https://dashboard.stripe.com/test/apikeys (sk_test_… or rk_test_…)',
  required: true,
  fallback: '',
  parse: (text) => {
    if (text.startsWith('pk_')) throw new Error('is a publishable key (pk_…); a secret or restricted key is needed');
    if (!/^(?:sk|rk)_(?:test|live)_[A-Za-z0-9_]{8,500}$/.test(text)) {
      throw new Error('must look like sk_test_… or rk_test_…, as https://dashboard.stripe.com/test/apikeys shows it');
    }
    return text;
  },
};

/** Reads the settings. @throws EnvironmentError with every problem */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(
    {
      STRIPE_SECRET_KEY: SECRET_KEY,
      STRIPE_ALLOW_LIVE: flag('true takes a live key too: calls then move real money', false),
      STRIPE_API_URL: serviceUrl('where Stripe is; another than the real one is a stand-in', STRIPE_URL),
      STRIPE_REQUEST_TIMEOUT_MS: integer('longest wait for one answer', { fallback: 20_000, min: 100, max: 80_000 }),
      STRIPE_IN_FLIGHT_MS: integer('how long a request whose answer was lost may still be carried out', {
        fallback: 120_000,
        min: 0,
        max: 3_600_000,
      }),
    },
    source,
  );
  const live = /^.._live_/.test(values.STRIPE_SECRET_KEY);
  const problems: string[] = [];
  if (live && !values.STRIPE_ALLOW_LIVE) {
    problems.push(
      'STRIPE_SECRET_KEY is a live key, with which calls move real money: set STRIPE_ALLOW_LIVE=true where that is meant, or use a test key',
    );
  }
  if (live && values.STRIPE_API_URL !== STRIPE_URL) {
    problems.push('STRIPE_API_URL is for a stand-in, and a live key is sent to Stripe alone: unset one of them');
  }
  if (problems.length > 0) throw new EnvironmentError(problems);
  return {
    secretKey: values.STRIPE_SECRET_KEY,
    live,
    url: new URL(values.STRIPE_API_URL),
    requestTimeoutMs: values.STRIPE_REQUEST_TIMEOUT_MS,
    inFlightMs: values.STRIPE_IN_FLIGHT_MS,
  };
}
