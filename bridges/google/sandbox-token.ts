import type { Route, SandboxAnswer, SandboxRequest } from '../../core/sandbox-kit/sandbox-request.ts';
import { GOOGLE_TOKEN_URL } from './credentials.ts';

const CLIENT = {
  clientId: 'sandbox.apps.googleusercontent.com',
  clientSecret: 'sandbox-client-secret',
  refreshToken: '1//sandbox-refresh-token',
} as const;
const TOKEN_PATH = '/token';
const LIFETIME_SECONDS = 3_599;
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** An error as Google's APIs write it. */
export function googleErrorAnswer(
  status: number,
  reason: string,
  message: string,
  domain: 'global' | 'usageLimits' | 'calendar' = 'global',
): SandboxAnswer {
  return { status, body: { error: { errors: [{ domain, reason, message }], code: status, message } } };
}

const ORDERED: Readonly<Record<number, readonly [reason: string, message: string]>> = {
  400: ['badRequest', 'Bad Request'],
  401: ['authError', 'Invalid Credentials'],
  403: ['forbidden', 'The user does not have sufficient permissions for this file.'],
  404: ['notFound', 'Not Found'],
  409: ['conflict', 'Conflict'],
  412: ['conditionNotMet', 'Precondition Failed'],
  429: ['rateLimitExceeded', 'Rate Limit Exceeded'],
  500: ['internalError', 'Internal Error'],
  503: ['backendError', 'Backend Error'],
};

/** A status that was ordered, or an address that is not there, in Google's own shape. */
export function googleStatusAnswer(status: number, request: SandboxRequest): SandboxAnswer {
  if (request.path === TOKEN_PATH) return tokenError(status, status < 500 ? 'invalid_grant' : 'internal_failure');
  const [reason, message] = ORDERED[status] ?? ['backendError', 'Error'];
  return googleErrorAnswer(status, reason, message, status === 429 ? 'usageLimits' : 'global');
}

function tokenError(status: number, error: string): SandboxAnswer {
  return { status, body: { error, error_description: 'Bad Request' } };
}

/**
 * The token endpoint of a stand-in. It knows one OAuth client with one refresh token, and takes the assertion of any
 * service account whose claims are in order; the signature is not checked, since no key is known.
 */
export class SandboxTokens {
  readonly #issued = new Map<string, number>();
  #count = 0;

  readonly routes: readonly Route[] = [
    { method: 'POST', path: TOKEN_PATH, answer: (request) => this.#exchange(request.form()) },
  ];

  /** For `SandboxSpec.authorize`: undefined where the request carries a token that was given out here. */
  readonly authorize = (request: SandboxRequest): SandboxAnswer | undefined => {
    if (request.path === TOKEN_PATH) return undefined;
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const endsAtMs = this.#issued.get(token);
    if (endsAtMs !== undefined && endsAtMs > Date.now()) return undefined;
    return {
      ...googleErrorAnswer(401, 'authError', 'Invalid Credentials'),
      headers: { 'WWW-Authenticate': 'Bearer realm="https://accounts.google.com/"' },
    };
  };

  /** The variables by which a server signs in here; a subject of the operator's is taken away. */
  env(url: string): Readonly<Record<string, string>> {
    return {
      GOOGLE_CLIENT_ID: CLIENT.clientId,
      GOOGLE_CLIENT_SECRET: CLIENT.clientSecret,
      GOOGLE_REFRESH_TOKEN: CLIENT.refreshToken,
      GOOGLE_SUBJECT: '',
      GOOGLE_TOKEN_URL: `${url}${TOKEN_PATH}`,
    };
  }

  #exchange(form: URLSearchParams): SandboxAnswer {
    switch (form.get('grant_type')) {
      case 'refresh_token':
        if (form.get('client_id') !== CLIENT.clientId || form.get('client_secret') !== CLIENT.clientSecret) {
          return tokenError(401, 'invalid_client');
        }
        return form.get('refresh_token') === CLIENT.refreshToken ? this.#issue() : tokenError(400, 'invalid_grant');
      case JWT_BEARER:
        return claimsAreInOrder(form.get('assertion') ?? '') ? this.#issue() : tokenError(400, 'invalid_grant');
      default:
        return tokenError(400, 'unsupported_grant_type');
    }
  }

  #issue(): SandboxAnswer {
    this.#count += 1;
    const token = `ya29.sandbox-${this.#count}`;
    this.#issued.set(token, Date.now() + LIFETIME_SECONDS * 1_000);
    return { status: 200, body: { access_token: token, expires_in: LIFETIME_SECONDS, token_type: 'Bearer' } };
  }
}

function claimsAreInOrder(assertion: string): boolean {
  try {
    const claims = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const now = Date.now() / 1_000;
    return (
      typeof claims.iss === 'string' &&
      typeof claims.scope === 'string' &&
      claims.scope !== '' &&
      claims.aud === GOOGLE_TOKEN_URL &&
      claims.exp > now &&
      claims.iat <= now + 60
    );
  } catch {
    return false;
  }
}
