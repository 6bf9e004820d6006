import type { Environment } from '#core/config/environment.ts';
import type { Problems } from '#core/config/problems.ts';

/** Where state lives that outlasts a call; both are secrets, as their addresses may hold a password. */
export interface StoreSettings {
  /** Records, quotas and cached answers that replicas share; undefined: this process's memory. */
  readonly redisUrl: string | undefined;
  /** Undefined: no audit. */
  readonly auditDatabaseUrl: string | undefined;
}

/** `REDIS_URL` and `AUDIT_DATABASE_URL`, or the files that `…_FILE` names. */
export function storeSettings(environment: Environment, problems: Problems): StoreSettings {
  return {
    redisUrl: address('REDIS_URL', ['redis:', 'rediss:'], environment, problems),
    auditDatabaseUrl: address('AUDIT_DATABASE_URL', ['postgres:', 'postgresql:'], environment, problems),
  };
}

/** What ioredis would read of a query are its own options, above ours. */
function fits(name: string, { search, hash, pathname }: URL): boolean {
  return name !== 'REDIS_URL' || (search === '' && hash === '' && /^\/?\d*$/.test(pathname));
}

function address(
  name: string,
  protocols: readonly string[],
  environment: Environment,
  problems: Problems,
): string | undefined {
  const said = environment.secret(name, problems);
  if (said === undefined) return undefined;
  const url = URL.parse(said);
  if (url !== null && protocols.includes(url.protocol) && fits(name, url)) return said;
  problems.add(name, `must be an address such as ${protocols[0]}//host:port/0`);
  return undefined;
}
