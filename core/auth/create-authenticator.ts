import { ApiKeys } from './api-keys.ts';
import type { AuthEvent } from './authenticator.ts';
import { CredentialCheck } from './credential-check.ts';
import { FailedAttempts } from './failed-attempts.ts';
import { jwksUrlProblem } from './jwks-url.ts';
import type { Jwt, JwtSettings } from './jwt.ts';
import { type KeyFileProblem, readKeyFile } from './key-file.ts';

export interface AuthenticatorOptions {
  /** `AUTH=keys`: the path of the key file. */
  readonly keysFile?: string | undefined;
  /** `AUTH=jwt`. */
  readonly jwt?: JwtSettings | undefined;
  /** Calls a minute of principals whose key does not say, and of those with tokens; undefined: no quota. */
  readonly ratePerMinute?: number | undefined;
  /** Bad credentials that one address may show within a minute; default 20. */
  readonly maxFailedAttempts?: number | undefined;
  readonly on: (event: AuthEvent) => void;
}

/** Nobody can be told apart: `problems` has every mistake, as lines of a configuration. */
export class AuthenticatorError extends Error {
  override readonly name = 'AuthenticatorError';
  readonly problems: readonly KeyFileProblem[];

  constructor(problems: readonly KeyFileProblem[]) {
    super(problems.map(({ where, what }) => `${where}: ${what}`).join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads the keys and begins to fetch those of the issuer; it is not waited for them, so that a process starts while its
 * issuer is away. What tokens need is loaded for tokens alone.
 * @throws AuthenticatorError where the key file cannot be used, or the key set's address is none
 */
export async function createAuthenticator(options: AuthenticatorOptions): Promise<CredentialCheck> {
  const { keysFile, jwt, ratePerMinute, on } = options;
  const file = keysFile === undefined ? undefined : readKeyFile(keysFile);
  const problems = [...(file?.problems ?? [])];
  const urlProblem = jwt === undefined ? undefined : jwksUrlProblem(jwt.jwksUrl);
  if (urlProblem !== undefined) problems.push({ where: 'JWT_JWKS_URL', what: urlProblem });
  if (problems.length > 0) throw new AuthenticatorError(problems);
  const tokens = jwt === undefined ? undefined : await tokensOf({ ...jwt, ratePerMinute, on });
  return new CredentialCheck({
    keys:
      file === undefined || keysFile === undefined
        ? undefined
        : new ApiKeys(file, { path: keysFile, ratePerMinute, on }),
    jwt: tokens,
    failedAttempts: new FailedAttempts({
      ...(options.maxFailedAttempts === undefined ? {} : { max: options.maxFailedAttempts }),
      onLimited: (address, failures) => on({ event: 'auth:address_limited', address, failures }),
    }),
    on,
  });
}

async function tokensOf(options: ConstructorParameters<typeof Jwt>[0]): Promise<Jwt> {
  const module = await import('./jwt.ts');
  return new module.Jwt(options);
}
