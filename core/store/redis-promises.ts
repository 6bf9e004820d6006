import type { RedisConnection } from '#core/store/redis.ts';

/** What must be set for a record never to be forgotten, in the order it is told. */
const WANTED = [
  ['appendonly', 'yes', 'what was written is lost with its process'],
  ['appendfsync', 'always', 'the last second of records may be lost with its host'],
  ['maxmemory-policy', 'noeviction', 'a full Redis throws records away'],
] as const;

/**
 * What this Redis is not set to keep, one sentence each; empty where everything is as wanted.
 * @throws StoreUnavailableError when Redis went away meanwhile
 */
export async function unkeptPromises(redis: RedisConnection): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [name, wanted, harm] of WANTED) {
    // One by one: several names in one CONFIG GET are understood since Redis 7 only.
    const answer = await redis.run((client) =>
      client.config('GET', name).catch((error: Error) => {
        if (error.name === 'ReplyError') return undefined;
        throw error;
      }),
    );
    const value = Array.isArray(answer) ? answer[1] : undefined;
    if (typeof value !== 'string') return [CANNOT_BE_CHECKED];
    if (value !== wanted) found.push(`Redis has ${name} ${value} instead of ${wanted}: ${harm}`);
    if (name === 'appendonly' && value !== wanted) break;
  }
  return found;
}

const CANNOT_BE_CHECKED =
  'Redis does not tell its configuration: whether it keeps records (appendonly yes, appendfsync always, maxmemory-policy noeviction) cannot be checked';
