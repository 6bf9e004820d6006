import { type Claim, type IdempotencyStore, MAX_OUTCOME_BYTES, RECORD_TTL_MS } from '#core/store/idempotency-store.ts';
import type { RedisConnection } from '#core/store/redis.ts';
import { RedisScript } from '#core/store/redis-script.ts';

const PREFIX = 'mcp-bridge:idempotency:';

/** The time is Redis' own, so that replicas whose clocks differ agree on every lease. */
const CLAIM = new RedisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'leaseEnd')
if not record[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2],
    'leaseEnd', string.format('%.0f', now + tonumber(ARGV[3])))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {'claimed'}
end
if record[1] ~= ARGV[1] then return {'reused'} end
local outcome = redis.call('HGET', KEYS[1], 'outcome')
if outcome then return {'done', outcome} end
local left = tonumber(record[2]) - now
if left > 0 then return {'in_flight', left} end
return {'lost'}`);

const COMPLETE = new RedisScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSETNX', KEYS[1], 'outcome', ARGV[2])
return 1`);

const RELEASE = new RedisScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[1], 'outcome') == 1 then return 0 end
return redis.call('DEL', KEYS[1])`);

/** Records in Redis, shared by all replicas: one hash a record. */
export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #redis: RedisConnection;
  readonly #ttlMs: number;

  constructor(redis: RedisConnection, { ttlMs = RECORD_TTL_MS }: { readonly ttlMs?: number } = {}) {
    this.#redis = redis;
    this.#ttlMs = ttlMs;
  }

  async claim(key: string, fingerprint: string, leaseMs: number, token: string): Promise<Claim> {
    const args = [fingerprint, token, Math.ceil(leaseMs), this.#ttlMs];
    return asClaim(await this.#redis.run((client) => CLAIM.run(client, PREFIX + key, args)));
  }

  async complete(key: string, token: string, outcome: Uint8Array): Promise<boolean> {
    if (outcome.byteLength > MAX_OUTCOME_BYTES)
      throw new RangeError(`an outcome of ${outcome.byteLength} bytes: at most ${MAX_OUTCOME_BYTES} are recorded`);
    const bytes = Buffer.from(outcome.buffer, outcome.byteOffset, outcome.byteLength);
    const done = await this.#redis.run(
      (client) => COMPLETE.run(client, PREFIX + key, [token, bytes]),
      outcome.byteLength,
    );
    return done === 1;
  }

  async release(key: string, token: string): Promise<void> {
    await this.#redis.run((client) => RELEASE.run(client, PREFIX + key, [token]));
  }
}

function asClaim(answer: unknown): Claim {
  const [state, value] = answer as readonly [Buffer, unknown];
  switch (String(state)) {
    case 'claimed':
      return { state: 'claimed' };
    case 'in_flight':
      return { state: 'in_flight', leaseLeftMs: value as number };
    case 'done':
      return { state: 'done', outcome: value as Buffer };
    case 'reused':
      return { state: 'reused' };
    default:
      return { state: 'lost' };
  }
}
