import type { CacheStore } from '#core/store/cache-store.ts';
import type { IdempotencyStore } from '#core/store/idempotency-store.ts';
import { MemoryCacheStore } from '#core/store/memory-cache-store.ts';
import { MemoryIdempotencyStore } from '#core/store/memory-idempotency-store.ts';
import { MemoryRateLimitStore } from '#core/store/memory-rate-limit-store.ts';
import type { RateLimitStore } from '#core/store/rate-limit-store.ts';
import type { MeasureOperation, RedisStats, StoreEvent } from '#core/store/redis.ts';
import type { RedisRateLimitStats } from '#core/store/redis-rate-limit-store.ts';

/** What the policies keep, each kind in a store of its own. */
export interface PolicyStores {
  readonly idempotency: IdempotencyStore;
  readonly rateLimits: RateLimitStore;
  readonly cache: CacheStore;
}

/** The policies' stores of a process: what replicas share, or one process keeps for itself. */
export interface Stores extends PolicyStores, AsyncDisposable {
  readonly kind: 'memory' | 'redis';
  /** Known to be away just now: the policies do without. */
  readonly away: boolean;
  status(): StoresStatus;
  /** Ends the connection, where there is one. Idempotent, bounded. */
  close(): Promise<void>;
}

/** How the stores are, for `/status` and metrics. */
export type StoresStatus =
  | { readonly kind: 'memory'; readonly idempotencyRecords: number; readonly idempotencyBytes: number }
  | ({ readonly kind: 'redis'; readonly quotas: RedisRateLimitStats } & RedisStats);

/** Where the stores are, and who hears of their outages. */
export interface StoresOptions {
  /** Undefined: this process's memory. */
  readonly redisUrl?: string | undefined;
  readonly on?: (event: StoreEvent) => void;
  /** Hears how long each operation of a shared store took, failures included. */
  readonly measure?: MeasureOperation;
}

/**
 * Opens the stores of a process; it waits for no Redis. What Redis needs is loaded only where there is a URL of one.
 * @throws TypeError when the URL is none
 */
export async function openStores({ redisUrl, on, measure }: StoresOptions = {}): Promise<Stores> {
  return redisUrl === undefined ? memoryStores() : redisStores(redisUrl, on, measure);
}

/** Stores of one process, gone with it. */
export function memoryStores(): Stores {
  const idempotency = new MemoryIdempotencyStore();
  return {
    kind: 'memory',
    idempotency,
    rateLimits: new MemoryRateLimitStore(),
    cache: new MemoryCacheStore(),
    away: false,
    status: () => ({
      kind: 'memory',
      idempotencyRecords: idempotency.stats.records,
      idempotencyBytes: idempotency.stats.bytes,
    }),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

async function redisStores(url: string, on: StoresOptions['on'], measure: StoresOptions['measure']): Promise<Stores> {
  const [{ RedisConnection }, { RedisIdempotencyStore }, { RedisRateLimitStore }, { RedisCacheStore }] =
    await Promise.all([
      import('#core/store/redis.ts'),
      import('#core/store/redis-idempotency-store.ts'),
      import('#core/store/redis-rate-limit-store.ts'),
      import('#core/store/redis-cache-store.ts'),
    ]);
  const redis = new RedisConnection({ url, ...(on && { on }), ...(measure && { measure }) });
  const rateLimits = new RedisRateLimitStore(redis);
  return {
    kind: 'redis',
    idempotency: new RedisIdempotencyStore(redis),
    rateLimits,
    cache: new RedisCacheStore(redis),
    get away() {
      return redis.state === 'away';
    },
    status: () => ({ kind: 'redis', quotas: rateLimits.stats, ...redis.stats }),
    close: () => redis.close(),
    [Symbol.asyncDispose]: () => redis.close(),
  };
}
