import { createPrivateKey } from 'node:crypto';
import type { EnvironmentVariable } from '../../core/manifest.ts';
import { EnvironmentError, optionalText, serviceUrl, type Variable } from '../../core/server-kit/environment.ts';

/** Signs its own requests for tokens, for itself or in the name of `subject`. */
export interface ServiceAccount {
  readonly kind: 'service_account';
  readonly email: string;
  /** PEM */
  readonly privateKey: string;
  readonly subject: string | undefined;
}

/** What a person once consented to. */
export interface RefreshToken {
  readonly kind: 'refresh_token';
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
}

/** Who the server is at Google, and where it asks for tokens. */
export interface GoogleAccess {
  readonly credentials: ServiceAccount | RefreshToken;
  readonly tokenUrl: string;
}

/** Google's own token endpoint. */
export const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';

const HELP = {
  GOOGLE_SERVICE_ACCOUNT_JSON:
    'the JSON key of a service account (Google Cloud console, IAM & Admin, Service accounts, Keys, Add key)',
  GOOGLE_SUBJECT:
    'address of the person a service account works for; needs domain-wide delegation (admin console, Security, API controls)',
  GOOGLE_CLIENT_ID: 'id of an OAuth client (Google Cloud console, APIs & Services, Credentials)',
  GOOGLE_CLIENT_SECRET: 'secret of the same OAuth client',
  GOOGLE_REFRESH_TOKEN:
    'refresh token of a person who consented to that client, with offline access (e.g. by the OAuth playground)',
  GOOGLE_TOKEN_URL: 'token endpoint of a stand-in; leave it unset for Google itself',
} as const;

/** The variables as both manifests name them; `googleSignIn` says which belong together. */
export const googleEnvironment: readonly EnvironmentVariable[] = [
  { name: 'GOOGLE_SERVICE_ACCOUNT_JSON', required: false, secret: true, help: HELP.GOOGLE_SERVICE_ACCOUNT_JSON },
  { name: 'GOOGLE_SUBJECT', required: false, secret: false, help: HELP.GOOGLE_SUBJECT },
  { name: 'GOOGLE_CLIENT_ID', required: false, secret: true, help: HELP.GOOGLE_CLIENT_ID },
  { name: 'GOOGLE_CLIENT_SECRET', required: false, secret: true, help: HELP.GOOGLE_CLIENT_SECRET },
  { name: 'GOOGLE_REFRESH_TOKEN', required: false, secret: true, help: HELP.GOOGLE_REFRESH_TOKEN },
  { name: 'GOOGLE_TOKEN_URL', required: false, secret: false, help: HELP.GOOGLE_TOKEN_URL },
];

/** The ways to sign in, for the manifest. */
export const googleSignIn = [
  ['GOOGLE_SERVICE_ACCOUNT_JSON'],
  ['GOOGLE_CLIENT_ID', 'GOOGLE_CLIENT_SECRET', 'GOOGLE_REFRESH_TOKEN'],
] as const;

type Key = Pick<ServiceAccount, 'email' | 'privateKey'>;

const serviceAccountKey: Variable<Key | undefined> = {
  help: HELP.GOOGLE_SERVICE_ACCOUNT_JSON,
  required: false,
  fallback: undefined,
  parse: (text) => {
    let key: { type?: unknown; client_email?: unknown; private_key?: unknown } | null;
    try {
      key = JSON.parse(text);
    } catch {
      throw new Error('must be the JSON text of a service account key, not a path; a path goes into …_FILE');
    }
    const { type, client_email: email, private_key: privateKey } = key ?? {};
    if (type !== 'service_account' || typeof email !== 'string' || typeof privateKey !== 'string') {
      throw new Error('must be the key of a service account, with type, client_email and private_key');
    }
    try {
      createPrivateKey(privateKey);
    } catch {
      throw new Error('its private_key is no private key; download the key anew');
    }
    return { email, privateKey };
  },
};

/** The variables as a server reads them, to be spread among its own. */
export const googleVariables = {
  GOOGLE_SERVICE_ACCOUNT_JSON: serviceAccountKey,
  GOOGLE_SUBJECT: optionalText(HELP.GOOGLE_SUBJECT),
  GOOGLE_CLIENT_ID: optionalText(HELP.GOOGLE_CLIENT_ID),
  GOOGLE_CLIENT_SECRET: optionalText(HELP.GOOGLE_CLIENT_SECRET),
  GOOGLE_REFRESH_TOKEN: optionalText(HELP.GOOGLE_REFRESH_TOKEN),
  GOOGLE_TOKEN_URL: serviceUrl(HELP.GOOGLE_TOKEN_URL, GOOGLE_TOKEN_URL),
} as const;

/** What `readEnvironment` makes of `googleVariables`. */
export type GoogleValues = {
  readonly [K in keyof typeof googleVariables]: (typeof googleVariables)[K]['fallback'];
};

/**
 * The one complete way to sign in.
 * @throws EnvironmentError where none is complete, or two are begun
 */
export function googleAccess(values: GoogleValues): GoogleAccess {
  const { GOOGLE_SERVICE_ACCOUNT_JSON: key, GOOGLE_SUBJECT: subject, GOOGLE_TOKEN_URL: tokenUrl } = values;
  const { GOOGLE_CLIENT_ID: clientId, GOOGLE_CLIENT_SECRET: clientSecret, GOOGLE_REFRESH_TOKEN: refreshToken } = values;
  const trio = googleSignIn[1];
  const given = trio.filter((name) => values[name] !== undefined);
  if (key !== undefined) {
    if (given.length > 0) {
      throw new EnvironmentError([
        `GOOGLE_SERVICE_ACCOUNT_JSON is set together with ${given.join(', ')}; unset one or the other`,
      ]);
    }
    return { credentials: { kind: 'service_account', ...key, subject }, tokenUrl };
  }
  if (clientId !== undefined && clientSecret !== undefined && refreshToken !== undefined) {
    if (subject !== undefined) {
      throw new EnvironmentError([
        'GOOGLE_SUBJECT goes with GOOGLE_SERVICE_ACCOUNT_JSON only; a refresh token is a person already',
      ]);
    }
    return { credentials: { kind: 'refresh_token', clientId, clientSecret, refreshToken }, tokenUrl };
  }
  if (given.length === 0) {
    throw new EnvironmentError([
      `GOOGLE_SERVICE_ACCOUNT_JSON is missing: ${HELP.GOOGLE_SERVICE_ACCOUNT_JSON}. Set it, or GOOGLE_SERVICE_ACCOUNT_JSON_FILE to a path; or set ${trio.join(', ')} instead`,
    ]);
  }
  throw new EnvironmentError(
    trio
      .filter((name) => values[name] === undefined)
      .map((name) => `${name} is missing: ${HELP[name]}. Set it, or ${name}_FILE to a path`),
  );
}
