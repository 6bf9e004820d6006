import type { Redis } from 'ioredis';
import type { Quota } from '#core/call.ts';
import { limitKey } from './limit-key.ts';
import { MemoryRateLimitStore } from './memory-rate-limit-store.ts';
import { type Limit, type RateLimitStore, type Taken, WINDOW_MS } from './rate-limit-store.ts';
import type { RedisConnection } from './redis.ts';
import { StoreUnavailableError } from './store-unavailable.ts';
import { tighterQuota } from './tighter-quota.ts';

/** Calls by where they were counted, since the process started. */
export interface RedisRateLimitStats {
  readonly shared: number;
  /** By this process for itself, because Redis was away. */
  readonly local: number;
}

const PREFIX = 'mcp-bridge:rate:';

/**
 * KEYS: one or two. ARGV: the length of a window, then each key's limit. Answers 1 or 0 for allowed, then for each key
 * what is used of it and when its window ends, by the clock of Redis. A key without an end cannot come from here; where
 * somebody made one it is given one, since it would refuse for ever.
 */
const TAKE = `
local answer = {1}
for i, key in ipairs(KEYS) do
  local used = tonumber(redis.call('GET', key)) or 0
  if used >= tonumber(ARGV[i + 1]) then answer[1] = 0 end
  answer[2 * i] = used
  answer[2 * i + 1] = redis.call('PTTL', key)
end
for i, key in ipairs(KEYS) do
  if answer[1] == 1 then answer[2 * i] = redis.call('INCR', key) end
  if answer[2 * i + 1] < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    answer[2 * i + 1] = tonumber(ARGV[1])
  end
end
return answer
`;

type WithTake = Redis & {
  takeQuota(keys: number, ...keysAndArguments: (string | number)[]): Promise<readonly number[]>;
};

/**
 * Quotas that all replicas on one Redis keep together, exactly: one script counts a call in one round trip, and Redis
 * alone says what time it is. While Redis is away each process grants the whole quota by itself, so that a caller is
 * held to at most the quota times the replicas; once it is back the count goes on there, without what was counted
 * meanwhile.
 */
export class RedisRateLimitStore implements RateLimitStore {
  readonly #redis: RedisConnection;
  readonly #local: MemoryRateLimitStore;
  #scripted: Redis | undefined;
  #sharedCalls = 0;
  #localCalls = 0;

  /** @param local counts while Redis is away */
  constructor(redis: RedisConnection, local: MemoryRateLimitStore = new MemoryRateLimitStore()) {
    this.#redis = redis;
    this.#local = local;
  }

  get stats(): RedisRateLimitStats {
    return { shared: this.#sharedCalls, local: this.#localCalls };
  }

  take(limit: Limit, other?: Limit): Taken | Promise<Taken> {
    const { state } = this.#redis;
    return state === 'away' || state === 'closed' ? this.#takeHere(limit, other) : this.#takeThere(limit, other);
  }

  #takeHere(limit: Limit, other: Limit | undefined): Taken {
    this.#localCalls++;
    return this.#local.take(limit, other);
  }

  async #takeThere(limit: Limit, other: Limit | undefined): Promise<Taken> {
    try {
      const answer = await this.#redis.run((client) => this.#script(client, limit, other), 0, 'quota.take');
      this.#sharedCalls++;
      const quota = quotaOf(limit, answer[1], answer[2]);
      return {
        allowed: answer[0] === 1,
        quota: other === undefined ? quota : tighterQuota(quota, quotaOf(other, answer[3], answer[4])),
      };
    } catch (error) {
      if (error instanceof StoreUnavailableError) return this.#takeHere(limit, other);
      throw error;
    }
  }

  #script(client: Redis, limit: Limit, other: Limit | undefined): Promise<readonly number[]> {
    if (this.#scripted !== client) {
      client.defineCommand('takeQuota', { lua: TAKE });
      this.#scripted = client;
    }
    const { takeQuota } = client as WithTake;
    return other === undefined
      ? takeQuota.call(client, 1, keyOf(limit), WINDOW_MS, limit.perMinute)
      : takeQuota.call(client, 2, keyOf(limit), keyOf(other), WINDOW_MS, limit.perMinute, other.perMinute);
  }
}

function keyOf({ name, key }: Limit): string {
  return `${PREFIX}${name}:${limitKey(key)}`;
}

function quotaOf({ name, perMinute }: Limit, used = 0, resetMs = 0): Quota {
  // Within its last millisecond Redis says 0.
  return { name, perMinute, remaining: Math.max(0, perMinute - used), resetMs: Math.max(1, resetMs) };
}
