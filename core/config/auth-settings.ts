import { jwksUrlProblem } from '#core/auth/jwks-url.ts';
import { readKeyFile } from '#core/auth/key-file.ts';
import type { Environment } from '#core/config/environment.ts';
import type { Problems } from '#core/config/problems.ts';

/** How callers prove who they are; at least one of the two is set. */
export interface AuthSettings {
  /** `API_KEYS_FILE`: the path of keys that could be used when the configuration was compiled. */
  readonly keysFile: string | undefined;
  readonly jwt: { readonly issuer: string; readonly audience: string; readonly jwksUrl: string } | undefined;
}

/** Where the process will listen, as far as it matters for who can call. */
export interface Reach {
  /** Undefined where it is no host at all, which is told elsewhere. */
  readonly host: string | undefined;
  readonly loopback: boolean;
  /** Where the host was said. */
  readonly hostWhere: string;
}

const KINDS = ['keys', 'jwt'] as const;

/** `AUTH` and what its kinds need. Beyond this machine nothing is assumed: `none` has to be said aloud. */
export function authSettings(environment: Environment, reach: Reach, problems: Problems): AuthSettings | 'none' {
  const said = environment.get('AUTH');
  const kinds = new Set(said?.split(',').map((kind) => kind.trim()));
  const unknown = [...kinds].some((kind) => kind !== 'none' && !KINDS.some((known) => known === kind));
  if (unknown || (kinds.has('none') && kinds.size > 1)) {
    problems.add('AUTH', 'must be none, keys, jwt, or keys,jwt');
    return 'none';
  }
  const keysFile = kinds.has('keys') ? required('API_KEYS_FILE', 'keys', environment, problems) : undefined;
  if (keysFile !== undefined) for (const { where, what } of readKeyFile(keysFile).problems) problems.add(where, what);
  if (!kinds.has('keys')) unused(['API_KEYS_FILE'], 'keys', environment, problems);
  const jwt = kinds.has('jwt') ? jwtSettings(environment, problems) : undefined;
  if (!kinds.has('jwt')) unused(['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'], 'jwt', environment, problems);
  if (kinds.has('keys') || kinds.has('jwt')) return { keysFile, jwt };
  if (reach.loopback || reach.host === undefined) return 'none';
  if (said === 'none') {
    problems.warn('AUTH', `is none on ${reach.host}: whoever reaches this address may call every tool`);
  } else {
    problems.add(
      reach.hostWhere,
      `${reach.host} can be reached from other machines and AUTH is not set; set AUTH=keys or AUTH=jwt, AUTH=none to say that anyone may call, or listen on 127.0.0.1`,
    );
  }
  return 'none';
}

function jwtSettings(environment: Environment, problems: Problems): AuthSettings['jwt'] {
  const issuer = required('JWT_ISSUER', 'jwt', environment, problems);
  const audience = required('JWT_AUDIENCE', 'jwt', environment, problems);
  const jwksUrl = required('JWT_JWKS_URL', 'jwt', environment, problems);
  const flaw = jwksUrl === undefined ? undefined : jwksUrlProblem(jwksUrl);
  if (flaw !== undefined) problems.add('JWT_JWKS_URL', flaw);
  return issuer === undefined || audience === undefined || jwksUrl === undefined
    ? undefined
    : { issuer, audience, jwksUrl };
}

function required(name: string, kind: string, environment: Environment, problems: Problems): string | undefined {
  const value = environment.get(name);
  if (value === undefined) problems.add(name, `is not set, and AUTH=${kind} needs it`);
  return value;
}

function unused(names: readonly string[], kind: string, environment: Environment, problems: Problems): void {
  for (const name of names) {
    if (environment.get(name) !== undefined) {
      problems.warn(name, `has no effect without AUTH=${kind}`);
    }
  }
}
