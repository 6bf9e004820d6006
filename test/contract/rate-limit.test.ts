/** Contract section 6, limits: three processes on one Redis, seen from outside only. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, Fleet, type RequestOptions } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const REPLICAS = 3;
/** What the key file gives: `planner` a quota of its own, `guest` none, so that the default holds. */
const KEYS = [
  { id: 'planner', secret: 'secret-of-planner', ratePerMinute: 40 },
  { id: 'other', secret: 'secret-of-other', ratePerMinute: 40 },
  { id: 'guest', secret: 'secret-of-guest' },
] as const;

type Id = (typeof KEYS)[number]['id'];

const TOOLS = {
  echo: { effect: 'read', ratePerMinute: 5 },
  late: { effect: 'write', idempotencyKey: 'required' },
} as const;

let folder: string;
let redis: TestRedis;
let eye: Redis;
let ledger: Ledger;
let fleets: Fleet[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rate-limit-'));
  const keysFile = join(folder, 'keys.json');
  const entries = KEYS.map(({ id, secret, ...rest }) => ({
    id,
    sha256: createHash('sha256').update(secret).digest('hex'),
    allow: ['*:*'],
    ...rest,
  }));
  writeFileSync(keysFile, JSON.stringify(entries), { mode: 0o600 });
  redis = await startTestRedis();
  eye = new Redis(redis.url);
  ledger = new Ledger();
  const env = { REDIS_URL: redis.url, AUTH: 'keys', API_KEYS_FILE: keysFile, RATE_PER_MINUTE: '25' };
  fleets = await Promise.all(
    Array.from({ length: REPLICAS }, () => Fleet.fake({ FAKE_LEDGER: ledger.path }, { tools: TOOLS }, { env })),
  );
});

afterAll(async () => {
  await Promise.all(fleets.map((fleet) => fleet[Symbol.asyncDispose]()));
  ledger?.[Symbol.dispose]();
  eye?.disconnect();
  await redis?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await eye.flushall();
  for (const fleet of fleets) await redisIsUsed(fleet);
});

function asCaller(id: Id): RequestOptions {
  const secret = KEYS.find((key) => key.id === id)?.secret;
  return { headers: { authorization: `Bearer ${secret}` } };
}

/** A process that has not reached Redis yet would keep the quota by itself. */
function redisIsUsed(fleet: Fleet): Promise<unknown> {
  return until('Redis is used', async () => (await fleet.ops('/status')).json.redis?.state === 'ready');
}

/** So many calls at once, spread over all replicas. */
function calls(count: number, id: Id, tool = 'meta'): Promise<Answer[]> {
  const options = asCaller(id);
  const args = tool === 'echo' ? { text: 'x' } : tool === 'late' ? { ms: 0 } : {};
  return Promise.all(
    Array.from({ length: count }, (_, index) => (fleets[index % REPLICAS] as Fleet).call(tool, args, options)),
  );
}

function withStatus(answers: readonly Answer[], status: number): Answer[] {
  return answers.filter((answer) => answer.status === status);
}

/** How long the window of a quota still runs, by Redis itself. */
async function windowMs(key: string): Promise<number> {
  return eye.pttl(`mcp-bridge:rate:${key}`);
}

async function endWindow(key: string): Promise<void> {
  await eye.pexpire(`mcp-bridge:rate:${key}`, 1);
  await until('the window has ended', async () => (await eye.exists(`mcp-bridge:rate:${key}`)) === 0);
}

describe('three replicas on one Redis', () => {
  it('together keep the quota of a caller, and what they refuse does not run (S8)', async () => {
    const before = ledger.executions();
    const answers = await calls(150, 'planner');
    const allowed = withStatus(answers, 200).length;
    expect(allowed).toBeGreaterThanOrEqual(40);
    expect(allowed).toBeLessThanOrEqual(40 * 1.05);
    expect(withStatus(answers, 429)).toHaveLength(150 - allowed);
    expect(ledger.executions() - before).toBe(allowed);
  });

  it('keep every caller that the key file says nothing of to RATE_PER_MINUTE (S8)', async () => {
    const allowed = withStatus(await calls(60, 'guest'), 200).length;
    expect(allowed).toBeGreaterThanOrEqual(25);
    expect(allowed).toBeLessThanOrEqual(25 * 1.05);
  });

  it('say what the quota is, that nothing ran, and when to come back to 1 s (S8)', async () => {
    await calls(45, 'planner');
    // Somewhere in the middle of a window, without waiting for it.
    await eye.pexpire('mcp-bridge:rate:principal:planner', 17_000);
    for (const fleet of fleets) {
      const before = await windowMs('principal:planner');
      const { status, headers, json } = await fleet.call('meta', {}, asCaller('planner'));
      const after = await windowMs('principal:planner');
      expect(status).toBe(429);
      expect(headers['content-type']).toBe('application/problem+json');
      expect(json).toMatchObject({ code: 'rate_limited', executed: 'no', retryable: true, tool: 'meta' });
      expect(json.detail).toMatch(/^this caller's quota of calls is used up \(40 in 60 s\)/);
      expect(json.retryAfterMs).toBeLessThanOrEqual(before);
      expect(json.retryAfterMs).toBeGreaterThanOrEqual(after);
      expect(headers['retry-after']).toBe(String(Math.ceil(json.retryAfterMs / 1000)));
      expect(headers['ratelimit-policy']).toBe('"principal";q=40;w=60');
      expect(headers.ratelimit).toBe(`"principal";r=0;t=${headers['retry-after']}`);
    }
  });

  it('say of a call that its arguments are wrong, then that the quota is used up, then that it lacks its key', async () => {
    const answers = await calls(30, 'guest', 'late');
    expect(withStatus(answers, 400)).toHaveLength(25);
    expect(withStatus(answers, 429)).toHaveLength(5);
    for (const { headers, json } of withStatus(answers, 400)) {
      expect(json.code).toBe('idempotency_key_required');
      expect(headers['ratelimit-policy']).toBe('"principal";q=25;w=60');
    }
    const wrong = await fleets[0]?.call('late', { ms: 'soon' }, asCaller('guest'));
    expect(wrong?.json.code).toBe('invalid_arguments');
  });

  it('take the caller again as soon as the window is over, with the whole quota (S8)', async () => {
    expect(withStatus(await calls(50, 'planner'), 200)).toHaveLength(40);
    await endWindow('principal:planner');
    const again = await calls(50, 'planner');
    expect(withStatus(again, 200)).toHaveLength(40);
    expect(await windowMs('principal:planner')).toBeGreaterThan(50_000);
  });

  it('do not let one caller take anything of another', async () => {
    const [greedy, modest] = await Promise.all([calls(90, 'planner'), calls(30, 'other')]);
    expect(withStatus(greedy, 429).length).toBeGreaterThan(0);
    expect(withStatus(modest, 200)).toHaveLength(30);
  });

  it('tell with each answer what is left', async () => {
    const first = await calls(1, 'planner');
    expect(first[0]?.headers.ratelimit).toBe('"principal";r=39;t=60');
    expect(first[0]?.headers['ratelimit-policy']).toBe('"principal";q=40;w=60');
    const more = await calls(10, 'planner');
    const left = more.map(({ headers }) => Number(/r=(\d+)/.exec(String(headers.ratelimit))?.[1]));
    expect(left.toSorted((a, b) => b - a)).toEqual([38, 37, 36, 35, 34, 33, 32, 31, 30, 29]);
  });

  it("hold each caller to a tool's own quota, and count what that refuses against nothing else (S8)", async () => {
    const echoes = await calls(30, 'planner', 'echo');
    expect(withStatus(echoes, 200)).toHaveLength(5);
    const [refused] = withStatus(echoes, 429);
    expect(refused?.json.detail).toMatch(/^this caller's quota of calls of this tool is used up \(5 in 60 s\)/);
    expect(refused?.headers['ratelimit-policy']).toBe('"tool";q=5;w=60');
    expect(withStatus(await calls(30, 'other', 'echo'), 200)).toHaveLength(5);
    expect(withStatus(await calls(60, 'planner'), 200)).toHaveLength(35);
  });

  it('refuse wrong arguments and unknown tools before anything is counted', async () => {
    const [fleet] = fleets as [Fleet];
    expect((await fleet.request('/fake/mcp/tools/meta', '{', asCaller('planner'))).status).toBe(400);
    expect((await fleet.call('no-such-tool', {}, asCaller('planner'))).status).toBe(404);
    expect((await fleet.call('meta', {})).status).toBe(401);
    expect(await eye.keys('mcp-bridge:rate:*')).toEqual([]);
  });
});

describe('without Redis', () => {
  it('each process keeps the quota by itself; nobody is turned away and nobody is let run (D1, D2)', async () => {
    await using own = await startTestRedis();
    const env = { REDIS_URL: own.url, RATE_PER_MINUTE: '20' };
    await using fleet = await Fleet.fake({}, {}, { env });
    const burst = async () => withStatus(await Promise.all(Array.from({ length: 50 }, () => fleet.call('meta'))), 200);
    await redisIsUsed(fleet);
    expect(await burst()).toHaveLength(20);
    await own.kill();
    expect(await burst()).toHaveLength(20);
    expect((await fleet.call('meta')).status).toBe(429);
    await own.restart();
    // Redis kept nothing here, so that the caller has its quota again as soon as it counts.
    await until('Redis counts again', async () => (await fleet.call('meta')).status === 200, { timeoutMs: 5_000 });
  });

  it('a process that starts while Redis is down, or was told of none, keeps the quota in memory (D1)', async () => {
    for (const env of [{ REDIS_URL: 'redis://127.0.0.1:1' }, {}]) {
      await using fleet = await Fleet.fake({}, {}, { env: { ...env, RATE_PER_MINUTE: '10' } });
      const answers = await Promise.all(Array.from({ length: 30 }, () => fleet.call('meta')));
      expect(withStatus(answers, 200)).toHaveLength(10);
      expect(withStatus(answers, 429)[0]?.headers.ratelimit).toMatch(/^"principal";r=0;t=(60|59)$/);
    }
  });

  it('a caller without a quota is counted nowhere and told of none', async () => {
    await using fleet = await Fleet.fake();
    const { status, headers } = await fleet.call('meta');
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('ratelimit');
    expect(headers).not.toHaveProperty('ratelimit-policy');
  });
});
