import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';

/** A key pair of an issuer, by the name that its tokens call it. */
export interface IssuerKey extends GenerateKeyPairResult {
  readonly kid: string;
  readonly alg: string;
  readonly jwk: JWK;
  /** The public key as PEM: what an attacker would use as a shared secret. */
  readonly pem: string;
}

export interface TokenOptions {
  readonly key?: IssuerKey;
  /** Seconds from now; null: the claim is left out. */
  readonly expiresIn?: number | null;
  /** Instead of, or beside, what a token says by itself; undefined leaves a claim out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** An identity provider on loopback: it signs tokens and serves its keys over HTTP, well or badly. */
export class Issuer implements AsyncDisposable {
  readonly issuer = 'https://issuer.test/';
  readonly audience = 'fleet';
  jwksUrl = '';
  /** Requests for the keys so far. */
  requests = 0;
  /** What is answered; the default is the key set. */
  answer: (response: ServerResponse) => void = (response) => this.serveKeys(response);
  readonly #keys: IssuerKey[] = [];
  readonly #server: Server;
  #made = 0;

  private constructor() {
    this.#server = createServer((_request, response) => {
      this.requests += 1;
      this.answer(response);
    });
  }

  /** One with a key of its own already. */
  static async start(): Promise<Issuer> {
    const issuer = new Issuer();
    await issuer.addKey();
    issuer.#server.listen(0, '127.0.0.1');
    await once(issuer.#server, 'listening');
    issuer.jwksUrl = `http://127.0.0.1:${(issuer.#server.address() as AddressInfo).port}/jwks.json`;
    return issuer;
  }

  /** The settings of who takes its tokens. */
  get settings(): { readonly issuer: string; readonly audience: string; readonly jwksUrl: string } {
    return { issuer: this.issuer, audience: this.audience, jwksUrl: this.jwksUrl };
  }

  /** The same as environment variables of a `fleet` process. */
  get env(): Readonly<Record<string, string>> {
    return { JWT_ISSUER: this.issuer, JWT_AUDIENCE: this.audience, JWT_JWKS_URL: this.jwksUrl };
  }

  get key(): IssuerKey {
    return this.#keys[0] as IssuerKey;
  }

  /** Makes a key and publishes it. */
  async addKey(alg = 'ES256'): Promise<IssuerKey> {
    const key = await this.makeKey(alg);
    this.#keys.push(key);
    return key;
  }

  /** Makes a key that is not published. */
  async makeKey(alg = 'ES256', kid = `key-${++this.#made}`): Promise<IssuerKey> {
    const pair = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' };
    return { ...pair, kid, alg, jwk, pem: await exportSPKI(pair.publicKey) };
  }

  withdrawKey(kid: string): void {
    const at = this.#keys.findIndex((key) => key.kid === kid);
    if (at !== -1) this.#keys.splice(at, 1);
  }

  serveKeys(response: ServerResponse): void {
    response.setHeader('content-type', 'application/jwk-set+json');
    response.end(JSON.stringify({ keys: this.#keys.map(({ jwk }) => jwk) }));
  }

  /** A token as it should be, but for what a test wants different; a claim that is undefined is left out. */
  token(
    scope: string,
    { key = this.key, expiresIn = 300, claims = {}, header = {} }: TokenOptions = {},
  ): Promise<string> {
    const payload = {
      iss: this.issuer,
      aud: this.audience,
      sub: 'agent',
      scope,
      ...(expiresIn === null ? {} : { exp: nowSeconds() + expiresIn }),
      ...claims,
    };
    return sign(payload, key.privateKey, { alg: key.alg, kid: key.kid, ...header });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** A token with exactly this payload and header. */
export function sign(
  payload: JWTPayload,
  key: CryptoKey | Uint8Array,
  header: { readonly alg: string; readonly [name: string]: unknown },
): Promise<string> {
  return new SignJWT(payload).setProtectedHeader(header).sign(key);
}
