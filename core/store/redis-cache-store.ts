import type { CachedAnswer, CacheStore } from './cache-store.ts';
import type { RedisConnection } from './redis.ts';

/** Bounds of a {@link RedisCacheStore}. */
export interface RedisCacheOptions {
  /** Of all answers of all replicas together, held to within a factor of two; default 64 MiB. */
  readonly maxBytes?: number;
  /** Of one answer; default 128 KiB. */
  readonly maxAnswerBytes?: number;
}

const PREFIX = 'mcp-bridge:cache:';
/** No answer's key: those are hashes. */
const SPENT = `${PREFIX}spent`;

/** An answer that lives shorter counts as if it lived so long; also how long what was spent is remembered. */
const WINDOW_MS = 60_000;

/** Before the bytes of an answer: how long it was to live, as an unsigned 32-bit number. */
const HEAD_BYTES = 4;

/**
 * Each answer costs its bytes times its life, and only so much may be spent a minute: in the long run no more bytes
 * stand in Redis than were granted, without a list of them that somebody would have to keep.
 */
const SET = `
local cost = tonumber(ARGV[3])
local spent = tonumber(redis.call('GET', KEYS[2]) or '0')
if spent + cost > tonumber(ARGV[4]) then return 0 end
if redis.call('INCRBY', KEYS[2], ARGV[3]) == cost then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/**
 * Answers shared by all replicas, by the time of Redis. Without a limit of its own the cache would fill a Redis that
 * never throws anything away, and idempotency records would find no room; without one for a single answer it would
 * hold up everything else on the connection.
 */
export class RedisCacheStore implements CacheStore {
  readonly maxAnswerBytes: number;
  readonly #redis: RedisConnection;
  readonly #maxSpent: number;

  constructor(redis: RedisConnection, options: RedisCacheOptions = {}) {
    this.#redis = redis;
    this.maxAnswerBytes = options.maxAnswerBytes ?? 131_072;
    this.#maxSpent = (options.maxBytes ?? 67_108_864) * WINDOW_MS;
  }

  async get(key: string): Promise<CachedAnswer | undefined> {
    const name = PREFIX + key;
    try {
      const replies = await this.#redis.run((client) => client.pipeline().getBuffer(name).pttl(name).exec());
      const kept = replies?.[0]?.[1];
      const leftMs = replies?.[1]?.[1];
      // It may have ended between the two.
      if (!Buffer.isBuffer(kept) || kept.length < HEAD_BYTES || typeof leftMs !== 'number' || leftMs < 0)
        return undefined;
      return { body: kept.subarray(HEAD_BYTES), ageMs: Math.max(0, kept.readUInt32BE() - leftMs) };
    } catch {
      return undefined;
    }
  }

  async set(key: string, body: readonly Uint8Array[], ttlMs: number): Promise<void> {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(ttlMs);
    const value = Buffer.concat([head, ...body]);
    const cost = value.length * Math.max(ttlMs, WINDOW_MS);
    try {
      await this.#redis.run((client) =>
        client.eval(SET, 2, PREFIX + key, SPENT, value, ttlMs, cost, this.#maxSpent, WINDOW_MS),
      );
    } catch {
      // A cache that is away is an empty one.
    }
  }
}
