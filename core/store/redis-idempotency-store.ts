import type { Redis } from 'ioredis';
import { type Claim, type IdempotencyStore, MAX_OUTCOME_BYTES, RECORD_TTL_MS } from '#core/store/idempotency-store.ts';
import type { RedisConnection, StoreOperation } from '#core/store/redis.ts';
import { RedisScript } from '#core/store/redis-script.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

const PREFIX = 'mcp-bridge:idempotency:';

/** The time is Redis' own, so that replicas whose clocks differ agree on every lease. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/**
 * Longer outcomes travel one at a time: Redis answers nobody before it has worked through all that came together, and
 * would count as hanging. Nor are they read by the script, which copies a long value several times.
 */
const LONG_BYTES = 65_536;
/** A record can change between the claim and the reading of its outcome; more often than that it does not. */
const MAX_READS = 3;

/** A record with `takenOver` has the outcome of an owner before this one: it counts once the lease has ended. */
const CLAIM = new RedisScript(`${NOW}
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'leaseEnd', 'takenOver')
if not record[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2],
    'leaseEnd', string.format('%.0f', now + tonumber(ARGV[3])))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {'claimed'}
end
if record[1] ~= ARGV[1] then return {'reused'} end
local left = tonumber(record[2]) - now
if record[3] and left > 0 then return {'in_flight', left} end
if redis.call('HSTRLEN', KEYS[1], 'outcome') > ${LONG_BYTES} then return {'long'} end
local outcome = redis.call('HGET', KEYS[1], 'outcome')
if outcome then return {'done', outcome} end
if left > 0 then return {'in_flight', left} end
return {'lost'}`);

const COMPLETE = new RedisScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
local set = redis.call('HDEL', KEYS[1], 'takenOver') == 1 and 'HSET' or 'HSETNX'
redis.call(set, KEYS[1], 'outcome', ARGV[2])
return 1`);

const RELEASE = new RedisScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
local record = redis.call('HMGET', KEYS[1], 'outcome', 'takenOver')
if record[1] and not record[2] then return 0 end
return redis.call('DEL', KEYS[1])`);

/** Without ARGV[4] the record must have no outcome. */
const TAKE_OVER = new RedisScript(`${NOW}
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'leaseEnd', 'takenOver', 'outcome')
if record[1] ~= ARGV[1] then return 0 end
local settled = record[4] and not record[3]
if not settled and tonumber(record[2]) > now then return 0 end
if record[4] ~= (ARGV[4] or false) then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'takenOver', 1,
  'leaseEnd', string.format('%.0f', now + tonumber(ARGV[3])))
return 1`);

const GIVE_BACK = new RedisScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'leaseEnd', 0)
return 1`);

/** Records in Redis, shared by all replicas: one hash a record. */
export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #redis: RedisConnection;
  readonly #ttlMs: number;
  /** Settles when no long outcome is on its way. */
  #traffic: Promise<unknown> = Promise.resolve();

  constructor(redis: RedisConnection, { ttlMs = RECORD_TTL_MS }: { readonly ttlMs?: number } = {}) {
    this.#redis = redis;
    this.#ttlMs = ttlMs;
  }

  async claim(key: string, fingerprint: string, leaseMs: number, token: string): Promise<Claim> {
    const args = [fingerprint, token, Math.ceil(leaseMs), this.#ttlMs];
    for (let reads = 0; reads < MAX_READS; reads++) {
      const claim = asClaim(await this.#redis.run((client) => CLAIM.run(client, PREFIX + key, args), 0, 'key.claim'));
      if (claim !== undefined) return claim;
      const outcome = await this.#readLong(key, fingerprint);
      if (outcome !== undefined) return { state: 'done', outcome };
    }
    throw new StoreUnavailableError('Redis: a record changes faster than it can be read');
  }

  async complete(key: string, token: string, outcome: Uint8Array): Promise<boolean> {
    if (outcome.byteLength > MAX_OUTCOME_BYTES)
      throw new RangeError(`an outcome of ${outcome.byteLength} bytes: at most ${MAX_OUTCOME_BYTES} are recorded`);
    const done = await this.#send('key.complete', outcome, (client) =>
      COMPLETE.run(client, PREFIX + key, [token, bufferOf(outcome)]),
    );
    return done === 1;
  }

  async release(key: string, token: string): Promise<void> {
    await this.#redis.run((client) => RELEASE.run(client, PREFIX + key, [token]), 0, 'key.release');
  }

  async takeOver(
    key: string,
    fingerprint: string,
    leaseMs: number,
    token: string,
    expected: Uint8Array | undefined,
  ): Promise<boolean> {
    const args = [fingerprint, token, Math.ceil(leaseMs), ...(expected === undefined ? [] : [bufferOf(expected)])];
    const taken = await this.#send('key.take_over', expected, (client) => TAKE_OVER.run(client, PREFIX + key, args));
    return taken === 1;
  }

  async giveBack(key: string, token: string): Promise<void> {
    await this.#redis.run((client) => GIVE_BACK.run(client, PREFIX + key, [token]), 0, 'key.give_back');
  }

  /** @returns undefined where the record is gone or another one by now */
  async #readLong(key: string, fingerprint: string): Promise<Uint8Array | undefined> {
    const [found, outcome] = await this.#inTurn(() =>
      this.#redis.run((client) => client.hmgetBuffer(PREFIX + key, 'fingerprint', 'outcome'), 0, 'key.read'),
    );
    return found?.toString() === fingerprint ? (outcome ?? undefined) : undefined;
  }

  #send(
    name: StoreOperation,
    outcome: Uint8Array | undefined,
    operation: (client: Redis) => Promise<unknown>,
  ): Promise<unknown> {
    const bytes = outcome?.byteLength ?? 0;
    return bytes > LONG_BYTES
      ? this.#inTurn(() => this.#redis.run(operation, bytes, name))
      : this.#redis.run(operation, bytes, name);
  }

  #inTurn<T>(operation: () => Promise<T>): Promise<T> {
    const turn = this.#traffic.then(operation);
    this.#traffic = turn.catch(() => {});
    return turn;
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @returns undefined where there is an outcome that is still to be read */
function asClaim(answer: unknown): Claim | undefined {
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
    case 'long':
      return undefined;
    default:
      return { state: 'lost' };
  }
}
