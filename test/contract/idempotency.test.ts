/** Contract section 5 and acceptance P1 to P8, D1, D4: keyed calls over several processes on one real Redis. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, Fleet, type RequestOptions } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const WRITE = { effect: 'write' };
/** Every tool is a write, except where a test says otherwise. */
const TOOLS = {
  '*': WRITE,
  chunks: { ...WRITE, idempotencyKey: 'never' },
  double: { ...WRITE, idempotencyKey: 'required' },
  meta: { ...WRITE, vendorKey: true },
  flaky: { ...WRITE, vendorKey: true },
  received: { effect: 'read' },
} as const;

const code = ({ status, json }: Answer): string => (status === 200 ? '200' : `${status} ${json.code} ${json.executed}`);
const replayed = ({ headers }: Answer): boolean => headers['idempotency-replayed'] === 'true';
const withKey = (key: string, more: Readonly<Record<string, string>> = {}): RequestOptions => ({
  headers: { 'idempotency-key': key, ...more },
});

/** All that a replay must share with the first answer. */
const essence = ({ status, headers, text }: Answer) => ({
  status,
  text,
  type: headers['content-type'],
  toolError: headers['x-tool-error'],
  retryAfter: headers['retry-after'],
});

function startFleet(
  redis: TestRedis,
  ledger: Ledger,
  settings: object = {},
  env: Readonly<Record<string, string>> = {},
) {
  return Fleet.fake(
    { FAKE_LEDGER: ledger.path, FAKE_LEDGER_ANSWERS: '1' },
    { tools: TOOLS, ...settings },
    { env: { REDIS_URL: redis.url, ...env } },
  );
}

/**
 * Starts a keyed call of `sleep` and waits until it runs; what it will be answered with. A Redis that this machine has kept
 * waiting counts as away for a moment, and such a call is refused: that is made again.
 */
async function underWay(
  fleet: Fleet,
  ledger: Ledger,
  args: { readonly ms: number; readonly tag: string },
  key: RequestOptions,
) {
  for (let tries = 0; tries < 20; tries++) {
    let refused = false;
    const answer = fleet.call('sleep', args, key);
    const look = answer.then(
      ({ status }) => {
        refused = status === 503;
      },
      () => undefined,
    );
    await until('it runs', () => refused || ledger.executions(args.tag) === 1);
    if (!refused) return { answer };
    await look;
  }
  throw new Error('the store was away 20 times');
}

describe('three processes on one Redis', () => {
  let folder: string;
  let redis: TestRedis;
  let eye: Redis;
  let ledger: Ledger;
  let fleets: Fleet[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'idempotency-'));
    const keysFile = join(folder, 'keys.json');
    const entries = ['planner', 'other'].map((id) => ({
      id,
      sha256: createHash('sha256').update(`secret-of-${id}`).digest('hex'),
      allow: ['*:*'],
    }));
    writeFileSync(keysFile, JSON.stringify(entries), { mode: 0o600 });
    redis = await startTestRedis();
    eye = new Redis(redis.url);
    ledger = new Ledger();
    const env = { AUTH: 'keys', API_KEYS_FILE: keysFile };
    fleets = await Promise.all(Array.from({ length: 3 }, () => startFleet(redis, ledger, {}, env)));
  });

  afterAll(async () => {
    await Promise.all(fleets.map((fleet) => fleet[Symbol.asyncDispose]()));
    ledger?.[Symbol.dispose]();
    eye?.disconnect();
    await redis?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Calls one replica. */
  function call(
    replica: number,
    tool: string,
    args: Readonly<Record<string, unknown>>,
    { headers, ...more }: RequestOptions = {},
    principal = 'planner',
  ): Promise<Answer> {
    const fleet = fleets[replica % fleets.length];
    if (fleet === undefined) throw new Error('no replica');
    return fleet.call(tool, args, { ...more, headers: { 'x-api-key': `secret-of-${principal}`, ...headers } });
  }

  it.each<[string, string, Readonly<Record<string, unknown>>, Readonly<Record<string, string>>]>([
    ['a short result', 'echo', { text: 'é😀"\\' }, {}],
    ['a result with its members in another order', 'echo', { text: 'x', keyOrder: 'reversed' }, {}],
    ['a result of a megabyte in many pieces', 'blob', { bytes: 1_000_000, unicode: true }, {}],
    ['integers beyond 2^53', 'big-int', {}, {}],
    ['a failure of the tool', 'tool-error', { text: 'no' }, {}],
    ['a failure of the tool, to a strict caller', 'tool-error', { text: 'no' }, { prefer: 'handling=strict' }],
  ])('the same key later is told %s byte for byte by any replica, and runs once (P1)', async (_, tool, args, more) => {
    const tag = randomUUID();
    const first = await call(0, tool, { ...args, tag }, withKey(tag, more));
    expect(replayed(first)).toBe(false);
    for (const replica of [0, 1, 2]) {
      const later = await call(replica, tool, { ...args, tag }, withKey(tag, more));
      expect(replayed(later)).toBe(true);
      expect(essence(later)).toEqual(essence(first));
      expect(later.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    }
    expect(ledger.executions(tag)).toBe(1);
  });

  it('a key in another spelling of the same arguments is the same call (P1)', async () => {
    const tag = randomUUID();
    const one = `{ "ms" : 1.0, "tag":"${tag}" }`;
    const other = `{"tag":"\\u${tag.charCodeAt(0).toString(16).padStart(4, '0')}${tag.slice(1)}","ms":1e0}`;
    const headers = { 'x-api-key': 'secret-of-planner', 'idempotency-key': tag };
    expect(code(await (fleets[0] as Fleet).request('/fake/mcp/tools/sleep', one, { headers }))).toBe('200');
    const later = await (fleets[1] as Fleet).request('/fake/mcp/tools/sleep', other, { headers });
    expect([code(later), replayed(later)]).toEqual(['200', true]);
    expect(ledger.executions(tag)).toBe(1);
  });

  it('fifty calls at once with one key run once, and the others are told when to come back (P2)', async () => {
    const tag = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => call(i, 'sleep', { ms: 1_000, tag }, withKey(tag))),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status !== 200);
    expect([...new Set(refused.map(code))]).toEqual(['409 idempotency_in_progress no']);
    for (const { headers, json } of refused) {
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(3);
      expect(json.retryable).toBe(true);
    }
    const later = await Promise.all([0, 1, 2].map((i) => call(i, 'sleep', { ms: 1_000, tag }, withKey(tag))));
    expect(later.map((answer) => [code(answer), replayed(answer)])).toEqual(Array(3).fill(['200', true]));
    expect(ledger.executions(tag)).toBe(1);
  });

  it('the same key with other arguments is refused, and nothing runs (P3)', async () => {
    const tag = randomUUID();
    await call(0, 'echo', { text: 'one', tag }, withKey(tag));
    const other = await call(1, 'echo', { text: 'two', tag }, withKey(tag));
    expect(code(other)).toBe('422 idempotency_key_reused no');
    expect(replayed(other)).toBe(false);
    expect(ledger.executions(tag)).toBe(1);
  });

  it('a first try that was refused before anything ran leaves the key free (P4)', async () => {
    const tag = randomUUID();
    const headers = { 'x-api-key': 'secret-of-planner', 'idempotency-key': tag };
    const broken = await (fleets[0] as Fleet).request('/fake/mcp/tools/echo', '{', { headers });
    expect(code(broken)).toBe('400 invalid_json no');
    expect(code(await call(0, 'echo', { text: 7, tag }, withKey(tag)))).toBe('422 invalid_arguments no');
    expect(code(await call(1, 'echo', { text: 'x', tag }, withKey(tag)))).toBe('200');
    expect(ledger.executions(tag)).toBe(1);
  });

  it('arguments that the tool itself refuses leave the key free (P4)', async () => {
    const tag = randomUUID();
    const refused = await call(0, 'rpc-error', { code: -32_602, message: 'no', tag }, withKey(tag));
    expect(code(refused)).toBe('422 invalid_arguments no');
    const next = await call(1, 'rpc-error', { code: -32_000, message: 'no', tag }, withKey(tag));
    expect(code(next)).toBe('502 child_error maybe');
    expect(replayed(next)).toBe(false);
  });

  it.each<[string, string, Readonly<Record<string, unknown>>, Readonly<Record<string, string>>]>([
    ['502 child_crashed maybe', 'crash', {}, {}],
    ['502 child_error maybe', 'rpc-error', { code: -32_000, message: 'né 😀' }, {}],
    ['502 child_protocol_error maybe', 'bad', { shape: 'neither' }, {}],
    ['501 input_required_unsupported maybe', 'input-required', {}, {}],
    ['504 deadline_exceeded maybe', 'hang', {}, { 'x-request-timeout-ms': '300' }],
  ])('%s is told again by any replica, and never runs again (P5)', async (expected, tool, args, more) => {
    const tag = randomUUID();
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
    const first = await call(0, tool, { ...args, tag }, withKey(tag, { ...more, ...trace }));
    expect(code(first)).toBe(expected);
    expect(replayed(first)).toBe(false);
    for (const replica of [1, 2]) {
      const later = await call(replica, tool, { ...args, tag }, withKey(tag, more));
      expect(replayed(later)).toBe(true);
      expect(essence(later)).toEqual(essence(first));
    }
    expect(ledger.executions(tag)).toBe(1);
  });

  it("another principal's key is another key (P6)", async () => {
    const tag = randomUUID();
    const answers = [
      await call(0, 'echo', { text: 'x', tag }, withKey(tag), 'planner'),
      await call(1, 'echo', { text: 'x', tag }, withKey(tag), 'other'),
      await call(2, 'echo', { text: 'y', tag }, withKey(`${tag}-2`), 'other'),
      await call(2, 'sleep', { ms: 0, tag }, withKey(tag), 'other'),
    ];
    expect(answers.map((answer) => [code(answer), replayed(answer)])).toEqual(Array(4).fill(['200', false]));
    expect(ledger.executions(tag)).toBe(4);
  });

  it('a key has 1 to 255 visible ASCII characters (P7)', async () => {
    const tag = randomUUID();
    for (const key of ['', 'a b', 'x'.repeat(256), 'é']) {
      const answer = await call(0, 'echo', { text: 'x', tag }, withKey(key));
      expect(code(answer)).toBe('400 invalid_header no');
    }
    expect(ledger.executions(tag)).toBe(0);
    const longest = tag.padEnd(255, '~!');
    for (const again of [false, true]) {
      const answer = await call(0, 'echo', { text: 'x', tag }, withKey(longest));
      expect([code(answer), replayed(answer)]).toEqual(['200', again]);
    }
  });

  it('a record is kept for 24 h from its claim by the clock of Redis, and then the key is free (P7)', async () => {
    const tag = randomUUID();
    const before = new Set(await eye.keys('*'));
    const running = call(0, 'sleep', { ms: 200, tag }, withKey(tag));
    const record = await until('it is claimed', async () =>
      (await eye.keys('*idempotency*')).find((k) => !before.has(k)),
    );
    expect(await running).toMatchObject({ status: 200 });
    expect(record).not.toContain(tag);
    const leftMs = await eye.pttl(record);
    expect(leftMs).toBeLessThanOrEqual(86_400_000 - 200);
    expect(leftMs).toBeGreaterThan(86_400_000 - 30_000);
    expect(replayed(await call(1, 'sleep', { ms: 200, tag }, withKey(tag)))).toBe(true);
    await eye.pexpire(record, 1);
    await until('it has expired', async () => (await eye.exists(record)) === 0);
    const next = await call(2, 'sleep', { ms: 200, tag }, withKey(tag));
    expect([code(next), replayed(next)]).toEqual(['200', false]);
    expect(ledger.executions(tag)).toBe(2);
  });

  it('a tool that needs a key refuses a call without one (P8)', async () => {
    const tag = randomUUID();
    expect(code(await call(0, 'double', { tag }))).toBe('400 idempotency_key_required no');
    expect(ledger.executions(tag)).toBe(0);
    expect(code(await call(0, 'double', { tag }, withKey(tag)))).toBe('200');
  });

  it('a key sent to a tool that takes none is ignored', async () => {
    const tag = randomUUID();
    for (let i = 0; i < 2; i++) {
      const answer = await call(i, 'chunks', { text: 'x', tag }, withKey(tag));
      expect([code(answer), replayed(answer)]).toEqual(['200', false]);
    }
    expect(ledger.executions(tag)).toBe(2);
  });

  it('a caller that leaves finds the answer when it comes back', async () => {
    const tag = randomUUID();
    const gone = new AbortController();
    const left = call(0, 'sleep', { ms: 400, honourCancel: true, tag }, { ...withKey(tag), signal: gone.signal });
    await until('it runs', () => ledger.executions(tag) === 1);
    gone.abort();
    await expect(left).rejects.toThrow();
    const answer = await until('its record is complete', async () => {
      const later = await call(1, 'sleep', { ms: 400, honourCancel: true, tag }, withKey(tag));
      return later.status === 200 ? later : undefined;
    });
    expect([code(answer), replayed(answer)]).toEqual(['200', true]);
    expect(answer.json.content[0].text).toBe('slept 400 ms');
    expect(ledger.executions(tag)).toBe(1);
    expect(ledger.cancels(tag)).toBe(0);
  });

  it('a tool that hands keys to its vendor gets a digest of key and principal, the same for each attempt', async () => {
    const handed = async (key: string, principal: string): Promise<unknown> => {
      const { json } = await call(0, 'meta', { tag: key }, withKey(key), principal);
      return JSON.parse(json.content[0].text).meta['mcp-bridge-fleet/idempotencyKey'];
    };
    const [key, other] = [randomUUID(), randomUUID()];
    const digests = [await handed(key, 'planner'), await handed(key, 'other'), await handed(other, 'planner')];
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(digests).size).toBe(3);
    const { json } = await call(0, 'meta', { tag: 'unkeyed' });
    expect(JSON.parse(json.content[0].text).meta).not.toHaveProperty('mcp-bridge-fleet/idempotencyKey');
  });

  it('a keyed write whose key the vendor knows may have a second attempt, any other never', async () => {
    const [known, unknown] = [randomUUID(), randomUUID()];
    expect(code(await call(0, 'flaky', { times: 1, tag: known }, withKey(known)))).toBe('200');
    expect(ledger.executions(known)).toBe(2);
    expect(code(await call(0, 'flaky', { times: 1, tag: unknown }))).toBe('502 child_crashed maybe');
    expect(ledger.executions(unknown)).toBe(1);
  });
});

it('a first try that found no room leaves the key free (P4)', async () => {
  await using redis = await startTestRedis();
  using ledger = new Ledger();
  await using fleet = await startFleet(redis, ledger, {
    pool: { min: 1, max: 1, concurrency: 1, queueMax: 1, maxShareOfTool: 1 },
  });
  const running = [fleet.call('sleep', { ms: 600, tag: 'a' }), fleet.call('sleep', { ms: 0, tag: 'b' })];
  await until('the queue is full', async () => (await fleet.status()).pool.waiting === 1);
  expect(code(await fleet.call('echo', { text: 'x', tag: 'c' }, withKey('k')))).toBe('503 queue_full no');
  await Promise.all(running);
  const answer = await fleet.call('echo', { text: 'x', tag: 'c' }, withKey('k'));
  expect([code(answer), replayed(answer)]).toEqual(['200', false]);
  expect(ledger.executions('c')).toBe(1);
});

it('a process that died before it recorded leaves an unknown outcome, never a second run (P5)', async () => {
  await using redis = await startTestRedis();
  using ledger = new Ledger();
  await using owner = await startFleet(redis, ledger);
  await using other = await startFleet(redis, ledger);
  const key = withKey('k', { 'x-request-timeout-ms': '1000' });
  const { answer: lost } = await underWay(owner, ledger, { ms: 900, tag: 'once' }, key);
  await owner.stop('SIGKILL');
  await lost.catch(() => undefined);
  expect(code(await other.call('sleep', { ms: 900, tag: 'once' }, key))).toBe('409 idempotency_in_progress no');
  const answer = await until('the lease has run out', async () => {
    const later = await other.call('sleep', { ms: 900, tag: 'once' }, key);
    return later.json.code === 'idempotency_in_progress' ? undefined : later;
  });
  expect(code(answer)).toBe('409 outcome_unknown maybe');
  expect(replayed(answer)).toBe(false);
  expect(answer.json.retryable).toBe(false);
  expect(code(await other.call('sleep', { ms: 900, tag: 'once' }, key))).toBe('409 outcome_unknown maybe');
  expect(ledger.executions('once')).toBe(1);
});

it('Redis down at start: reads and calls without a key go on, keyed writes are refused until it is there (D1)', async () => {
  await using redis = await startTestRedis();
  await redis.kill();
  using ledger = new Ledger();
  await using fleet = await startFleet(redis, ledger);
  expect(code(await fleet.call('echo', { text: 'x' }))).toBe('200');
  expect(code(await fleet.call('received', { tag: 'read' }, withKey('k')))).toBe('200');
  const refused = await fleet.call('echo', { text: 'x', tag: 'write' }, withKey('k'));
  expect(code(refused)).toBe('503 idempotency_store_unavailable no');
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  expect(refused.json.detail).toContain('same key');
  expect(ledger.executions('write')).toBe(0);
  const ready = await fleet.ops('/readyz');
  expect(ready.status).toBe(200);
  expect(ready.text).toContain('degraded');
  await redis.restart();
  const answer = await until('keys are kept again', async () => {
    const later = await fleet.call('echo', { text: 'x', tag: 'write' }, withKey('k'));
    return later.status === 503 ? undefined : later;
  });
  expect([code(answer), replayed(answer)]).toEqual(['200', false]);
  expect(replayed(await fleet.call('echo', { text: 'x', tag: 'write' }, withKey('k')))).toBe(true);
  expect(ledger.executions('write')).toBe(1);
});

describe('Redis dies between run and record', () => {
  it('the caller gets its 200, no later call runs, and a living owner records late (D4)', async () => {
    await using redis = await startTestRedis({ appendfsync: 'always' });
    using ledger = new Ledger();
    await using owner = await startFleet(redis, ledger);
    await using other = await startFleet(redis, ledger);
    const args = { ms: 500, tag: 'once' };
    const running = await underWay(owner, ledger, args, withKey('k'));
    await redis.kill();
    const first = await running.answer;
    expect([code(first), replayed(first)]).toEqual(['200', false]);
    for (const fleet of [owner, other]) {
      expect(code(await fleet.call('sleep', args, withKey('k')))).toBe('503 idempotency_store_unavailable no');
    }
    expect((await owner.status()).idempotency.pending).toBeGreaterThan(0);
    await redis.restart();
    const seen = new Set<string>();
    const answer = await until('the record has arrived', async () => {
      const later = await other.call('sleep', args, withKey('k'));
      seen.add(code(later));
      return replayed(later) ? later : undefined;
    });
    expect(essence(answer)).toEqual(essence(first));
    seen.delete('200');
    seen.delete('503 idempotency_store_unavailable no');
    seen.delete('409 idempotency_in_progress no');
    expect([...seen]).toEqual([]);
    expect(ledger.executions('once')).toBe(1);
    expect((await owner.status()).idempotency).toMatchObject({ recordedLate: 1, dropped: 0 });
  });

  it('where the owner is gone too the key answers outcome_unknown, never a second run (D4)', async () => {
    await using redis = await startTestRedis({ appendfsync: 'always' });
    using ledger = new Ledger();
    await using owner = await startFleet(redis, ledger);
    await using other = await startFleet(redis, ledger);
    const key = withKey('k', { 'x-request-timeout-ms': '1000' });
    const running = await underWay(owner, ledger, { ms: 500, tag: 'once' }, key);
    await redis.kill();
    expect(code(await running.answer)).toBe('200');
    await owner.stop('SIGKILL');
    await redis.restart();
    const answer = await until('the lease has run out', async () => {
      const later = await other.call('sleep', { ms: 500, tag: 'once' }, key);
      return later.status === 503 || later.json.code === 'idempotency_in_progress' ? undefined : later;
    });
    expect(code(answer)).toBe('409 outcome_unknown maybe');
    expect(ledger.executions('once')).toBe(1);
  });
});

it('a Redis that hangs while a key is claimed leaves the key free once it goes on (P4)', async () => {
  await using redis = await startTestRedis();
  using ledger = new Ledger();
  await using fleet = await startFleet(redis, ledger);
  expect(code(await fleet.call('echo', { text: 'x' }, withKey('before')))).toBe('200');
  redis.pause();
  const refused = await fleet.call('echo', { text: 'x', tag: 'once' }, withKey('k'));
  expect(code(refused)).toBe('503 idempotency_store_unavailable no');
  redis.resume();
  // The claim lay in its socket and is taken now, by nobody who would run.
  const answer = await until('the key is free', async () => {
    const later = await fleet.call('echo', { text: 'x', tag: 'once' }, withKey('k'));
    return later.status === 200 ? later : undefined;
  });
  expect(replayed(answer)).toBe(false);
  expect(ledger.executions('once')).toBe(1);
});

it('a process without Redis keeps keys in its memory', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { tools: TOOLS });
  const first = await fleet.call('echo', { text: 'x', tag: 'once' }, withKey('k'));
  const later = await fleet.call('echo', { text: 'x', tag: 'once' }, withKey('k'));
  expect([replayed(first), replayed(later), later.text === first.text]).toEqual([false, true, true]);
  expect(code(await fleet.call('echo', { text: 'y', tag: 'once' }, withKey('k')))).toBe(
    '422 idempotency_key_reused no',
  );
  expect(ledger.executions('once')).toBe(1);
});
