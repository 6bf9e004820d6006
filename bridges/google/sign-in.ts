import type { OAuth2Client } from 'google-auth-library';
import { GOOGLE_TOKEN_URL, type GoogleAccess } from './credentials.ts';

/** Longest wait for the token endpoint. */
const TOKEN_TIMEOUT_MS = 10_000;

/**
 * This process's access token: got when it is first needed, kept in memory, renewed before it ends. The library is loaded
 * with the first use, not with the start.
 */
export class SignIn {
  readonly #access: GoogleAccess;
  readonly #scopes: readonly string[];
  #client: Promise<OAuth2Client> | undefined;

  constructor(access: GoogleAccess, scopes: readonly string[]) {
    this.#access = access;
    this.#scopes = scopes;
  }

  /** The client that an API of the SDK is opened with. */
  client(): Promise<OAuth2Client> {
    this.#client ??= openClient(this.#access, this.#scopes);
    return this.#client;
  }

  /** A token that is good for a while. @throws what the library throws, and the signal's reason */
  async token(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const client = await this.client();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      // The request for a token is shared by all calls, so the one that gives up must not end it.
      const { token } = await Promise.race([client.getAccessToken(), aborted]);
      if (typeof token !== 'string' || token === '') throw new Error('the token endpoint gave no token');
      return token;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Google no longer takes `token`: the next one is asked for anew, unless another call has done so already. */
  async forget(token: string): Promise<void> {
    const client = await this.client();
    const { access_token: current, refresh_token: refreshToken = null } = client.credentials;
    if (current === token) client.setCredentials({ refresh_token: refreshToken, expiry_date: 1 });
  }
}

async function openClient({ credentials, tokenUrl }: GoogleAccess, scopes: readonly string[]): Promise<OAuth2Client> {
  const { JWT, UserRefreshClient } = await import('google-auth-library');
  const transporterOptions = { timeout: TOKEN_TIMEOUT_MS };
  const client =
    credentials.kind === 'service_account'
      ? new JWT({
          email: credentials.email,
          key: credentials.privateKey,
          scopes: [...scopes],
          transporterOptions,
          ...(credentials.subject === undefined ? {} : { subject: credentials.subject }),
        })
      : new UserRefreshClient({
          clientId: credentials.clientId,
          clientSecret: credentials.clientSecret,
          refreshToken: credentials.refreshToken,
          transporterOptions,
        });
  // The library repeats failed requests for a token up to three times, and knows one address for service accounts.
  client.transporter.interceptors.request.add({
    resolved: async (request) => {
      request.retry = false;
      request.retryConfig = { retry: 0 };
      if (String(request.url) === GOOGLE_TOKEN_URL) request.url = new URL(tokenUrl);
      return request;
    },
  });
  return client;
}
