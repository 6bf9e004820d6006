import type { CachedAnswer, CacheStore } from './cache-store.ts';
import type { RedisConnection } from './redis.ts';

/** Bounds of a {@link RedisCacheStore}. */
export interface RedisCacheOptions {
  /** Of all answers of all replicas together; default 64 MiB. */
  readonly maxBytes?: number;
  /** Of one answer; default 128 KiB. */
  readonly maxAnswerBytes?: number;
}

const PREFIX = 'mcp-bridge:cache:';
/** No answer's key: those are hashes. */
const BOOK = `${PREFIX}book`;

/** Before the bytes of an answer: how long it was to live, as an unsigned 32-bit number. */
const HEAD_BYTES = 4;

/**
 * Keeps an answer if there is room for it. The book is a hash: by the ten seconds in which answers end their bytes,
 * `total` of them, and `at`, when those that had ended were last struck out. What an answer costs Redis beside its
 * bytes counts as 200.
 */
const SET = `
local STEP = 10000
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local now = math.floor(nowMs / STEP)
local key, book = KEYS[1], KEYS[2]
local value, ttlMs, max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

if tonumber(redis.call('HGET', book, 'at')) ~= now then
  local total = 0
  local entries = redis.call('HGETALL', book)
  for i = 1, #entries, 2 do
    local ends = tonumber(entries[i])
    if ends and ends < now then redis.call('HDEL', book, entries[i])
    elseif ends then total = total + entries[i + 1] end
  end
  redis.call('HSET', book, 'at', now, 'total', total)
end

local function enter(ends, bytes)
  redis.call('HINCRBY', book, ends, bytes)
  redis.call('HINCRBY', book, 'total', bytes)
end

local leftMs = redis.call('PTTL', key)
if leftMs > 0 then enter(math.floor((nowMs + leftMs) / STEP), -(redis.call('STRLEN', key) + 200)) end
local kept = redis.call('HGET', book, 'total') + #value + 200 <= max
if kept then
  redis.call('SET', key, value, 'PX', ttlMs)
  enter(math.floor((nowMs + ttlMs) / STEP), #value + 200)
else redis.call('DEL', key) end
if redis.call('PTTL', book) < ttlMs + STEP then redis.call('PEXPIRE', book, ttlMs + STEP) end
return kept and 1 or 0`;

/**
 * Answers shared by all replicas, by the time of Redis. Without a limit of its own the cache would fill a Redis that
 * never throws anything away, and idempotency records would find no room; without one for a single answer it would
 * hold up everything else on the connection.
 */
export class RedisCacheStore implements CacheStore {
  readonly maxAnswerBytes: number;
  readonly #redis: RedisConnection;
  readonly #maxBytes: number;

  constructor(redis: RedisConnection, options: RedisCacheOptions = {}) {
    this.#redis = redis;
    this.maxAnswerBytes = options.maxAnswerBytes ?? 131_072;
    this.#maxBytes = options.maxBytes ?? 67_108_864;
  }

  async get(key: string): Promise<CachedAnswer | undefined> {
    const name = PREFIX + key;
    try {
      const replies = await this.#redis.run(
        (client) => client.pipeline().getBuffer(name).pttl(name).exec(),
        0,
        'cache.get',
      );
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
    try {
      await this.#redis.run(
        (client) => client.eval(SET, 2, PREFIX + key, BOOK, value, ttlMs, this.#maxBytes),
        0,
        'cache.set',
      );
    } catch {
      // A cache that is away is an empty one.
    }
  }
}
