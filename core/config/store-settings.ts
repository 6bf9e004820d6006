import type { Environment } from '#core/config/environment.ts';
import type { Problems } from '#core/config/problems.ts';
import { redisUrlProblem } from '#core/store/redis-address.ts';

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
    redisUrl: address('REDIS_URL', redisUrlProblem, environment, problems),
    auditDatabaseUrl: address('AUDIT_DATABASE_URL', postgresUrlProblem, environment, problems),
  };
}

function postgresUrlProblem(url: string): string | undefined {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === 'postgres:' || protocol === 'postgresql:') return undefined;
  return 'must be an address such as postgres://user:password@host/database';
}

function address(
  name: string,
  problemOf: (url: string) => string | undefined,
  environment: Environment,
  problems: Problems,
): string | undefined {
  const said = environment.secret(name, problems);
  const problem = said === undefined ? undefined : problemOf(said);
  if (problem === undefined) return said;
  problems.add(name, problem);
  return undefined;
}
