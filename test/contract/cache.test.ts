/** Contract sections 2 and 9, the cache: the ledger of the fake child says what was executed. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_CHILD, Fleet, type FleetOptions } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const CACHED = { effect: 'read', cacheTtlMs: 60_000, deadlineMs: 10_000 } as const;
const TOOLS = { echo: CACHED, sleep: CACHED, blob: CACHED, 'tool-error': CACHED, received: CACHED, crash: CACHED };
const NO_CACHE = { headers: { 'cache-control': 'no-cache' } };

let ledger: Ledger;

beforeEach(() => {
  ledger = new Ledger();
});

afterEach(() => {
  ledger[Symbol.dispose]();
});

function start(options: FleetOptions = {}): Promise<Fleet> {
  return Fleet.fake({ FAKE_LEDGER: ledger.path }, { tools: TOOLS }, options);
}

describe('an answer that was kept', () => {
  it('is given again byte by byte with its age, and nothing is executed', async () => {
    await using fleet = await start();
    const first = await fleet.call('echo', { text: 'héllo', tag: 'a' });
    expect(first.headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(first.headers).not.toHaveProperty('x-cache');
    const second = await until('it is a second old', async () => {
      const answer = await fleet.request('/fake/mcp/tools/echo', '{ "tag": "a", "text": "h\\u00e9llo" }');
      return answer.headers.age === '0' ? undefined : answer;
    });
    expect(second.status).toBe(200);
    expect(second.headers).toMatchObject({
      age: '1',
      'x-cache': 'hit',
      'content-length': first.headers['content-length'],
    });
    expect(second.headers).not.toHaveProperty('cache-control');
    expect(second.text).toBe(first.text);
    expect(ledger.executions('a')).toBe(1);
    expect((await fleet.status()).cache).toMatchObject({ misses: 1, stored: 1 });
  });

  it('is not for other arguments, nor for tools that keep nothing', async () => {
    await using fleet = await start();
    for (const text of ['a', 'b']) expect((await fleet.call('echo', { text })).json.content[0].text).toBe(text);
    for (let n = 0; n < 2; n++)
      expect((await fleet.call('meta', { tag: 'meta' })).headers).not.toHaveProperty('x-cache');
    expect(ledger.executions('meta')).toBe(2);
  });

  it('is not given to whoever asks for a fresh one, and is replaced by that', async () => {
    await using fleet = await start();
    const lineOf = async (options = {}) => (await fleet.call('received', { tag: 'a' }, options)).text;
    const first = await lineOf();
    expect(await lineOf()).toBe(first);
    const fresh = await fleet.call('received', { tag: 'a' }, NO_CACHE);
    expect(fresh.headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(fresh.headers).not.toHaveProperty('x-cache');
    expect(fresh.text).not.toBe(first);
    expect(await lineOf()).toBe(fresh.text);
    expect(ledger.executions('a')).toBe(2);
  });

  it('is no failure: neither isError nor a problem is kept', async () => {
    await using fleet = await start();
    for (let n = 1; n <= 2; n++) {
      const failed = await fleet.call('tool-error', { tag: 'error' });
      expect(failed.headers).toMatchObject({ 'x-tool-error': 'true', 'cache-control': 'no-store' });
      expect(ledger.executions('error')).toBe(n);
    }
    const executions: number[] = [];
    for (let n = 0; n < 2; n++) {
      expect((await fleet.call('crash', { tag: 'crash' })).status).toBe(502);
      executions.push(ledger.executions('crash'));
    }
    expect(executions[1]).toBeGreaterThan(executions[0] ?? 0);
  });

  it('is no larger than 1 MiB', async () => {
    await using fleet = await start();
    for (let n = 0; n < 2; n++) {
      await fleet.call('blob', { bytes: 1_000_000, tag: 'fits' });
      await fleet.call('blob', { bytes: 1_100_000, tag: 'does not' });
    }
    expect(ledger.executions('fits')).toBe(1);
    expect(ledger.executions('does not')).toBe(2);
    expect((await fleet.status()).cache).toMatchObject({ hits: 1, misses: 3, stored: 1, tooLarge: 2 });
  });

  it('is found no more once the definition of its tool has changed', async () => {
    await using fleet = await start();
    for (let n = 0; n < 2; n++) await fleet.call('echo', { text: 'x', tag: 'a' });
    expect(ledger.executions('a')).toBe(1);
    await fleet.call('change-tools', { describe: 'Answers with another text.' });
    await until('the new definition is known', async () => {
      const { json } = await fleet.request('/fake/mcp/tools/echo', undefined, { method: 'GET' });
      return json.description === 'Answers with another text.';
    });
    expect((await fleet.call('echo', { text: 'x', tag: 'a' })).headers).not.toHaveProperty('x-cache');
    expect((await fleet.call('echo', { text: 'x', tag: 'a' })).headers).toMatchObject({ 'x-cache': 'hit' });
    expect(ledger.executions('a')).toBe(2);
  });
});

describe('whose it is', () => {
  it('an answer is never given to another principal', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-'));
    try {
      const keysFile = join(folder, 'keys.json');
      const secrets = { planner: 'secret-of-planner', guest: 'secret-of-guest', rotated: 'second-secret-of-planner' };
      const entry = (id: string, secret: string) => ({
        id,
        sha256: createHash('sha256').update(secret).digest('hex'),
        allow: ['*:*'],
      });
      const keys = [
        entry('planner', secrets.planner),
        entry('guest', secrets.guest),
        entry('planner', secrets.rotated),
      ];
      writeFileSync(keysFile, JSON.stringify(keys), { mode: 0o600 });
      await using fleet = await start({ env: { AUTH: 'keys', API_KEYS_FILE: keysFile } });
      const as = async (secret: string) => {
        const { status, headers } = await fleet.call(
          'echo',
          { text: 'x', tag: 'a' },
          { headers: { 'x-api-key': secret } },
        );
        return `${status} ${headers['x-cache'] ?? 'executed'}`;
      };
      expect(await as(secrets.planner)).toBe('200 executed');
      expect(await as(secrets.guest)).toBe('200 executed');
      expect(await as(secrets.planner)).toBe('200 hit');
      expect(await as(secrets.rotated)).toBe('200 hit');
      expect(await as(secrets.guest)).toBe('200 hit');
      expect(ledger.executions('a')).toBe(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('two bridges of one process keep their answers apart', async () => {
    const server = { command: process.execPath, args: [FAKE_CHILD], env: { FAKE_LEDGER: ledger.path }, tools: TOOLS };
    await using fleet = await Fleet.start({ config: { mcpServers: { one: server, two: server } } });
    for (const bridge of ['one', 'two', 'one', 'two']) {
      expect((await fleet.request(`/${bridge}/mcp/tools/echo`, { text: 'x', tag: 'a' })).status).toBe(200);
    }
    expect(ledger.executions('a')).toBe(2);
    expect(new Set(ledger.entries('executed').map(({ pid }) => pid)).size).toBe(2);
  });
});

describe('what is asked for at the same time', () => {
  it('is executed once, and everybody gets the answer', async () => {
    await using fleet = await start();
    const answers = await Promise.all(Array.from({ length: 100 }, () => fleet.call('sleep', { ms: 1_000, tag: 'a' })));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    expect(ledger.executions('a')).toBe(1);
  });

  it('goes on for the others when the first who asked has gone', async () => {
    await using fleet = await start();
    const leaving = new AbortController();
    const sleep = { ms: 1_500, honourCancel: true, tag: 'a' };
    const first = fleet.call('sleep', sleep, { signal: leaving.signal });
    await until('it is executed', () => ledger.executions('a') === 1);
    const second = fleet.call('sleep', sleep);
    await until('both wait', async () => (await fleet.status()).cache.joined === 1);
    leaving.abort();
    await expect(first).rejects.toThrow();
    expect((await second).json.content[0].text).toBe('slept 1500 ms');
    expect(ledger.executions('a')).toBe(1);
    expect(ledger.cancels('a')).toBe(0);
  });

  it('is cancelled in the child when everybody has gone', async () => {
    await using fleet = await start();
    const leaving = new AbortController();
    const calls = Array.from({ length: 3 }, () =>
      fleet.call('sleep', { ms: 8_000, honourCancel: true, tag: 'a' }, { signal: leaving.signal }),
    );
    await until('all wait', async () => (await fleet.status()).cache.joined === 2);
    await until('it is executed', () => ledger.executions('a') === 1);
    leaving.abort();
    for (const call of calls) await expect(call).rejects.toThrow();
    await until('it is cancelled', () => ledger.cancels('a') === 1);
    expect(ledger.executions('a')).toBe(1);
  });

  it("ends for each at its own deadline, and at nobody else's", async () => {
    await using fleet = await start();
    const sleep = { ms: 1_500, honourCancel: true, tag: 'a' };
    const hasty = fleet.call('sleep', sleep, { headers: { 'x-request-timeout-ms': '300' } });
    const patient = fleet.call('sleep', sleep);
    const [first, second] = await Promise.all([hasty, patient]);
    expect(first.status).toBe(504);
    expect(first.json).toMatchObject({ code: 'deadline_exceeded', executed: 'maybe', retryable: true });
    expect(first.json.detail).toContain('300 ms');
    expect(second.status).toBe(200);
    expect(ledger.executions('a')).toBe(1);
    expect(ledger.cancels('a')).toBe(0);
  });
});

describe('with Redis', () => {
  it('all replicas find what one of them kept', async () => {
    await using redis = await startTestRedis();
    await using here = await start({ env: { REDIS_URL: redis.url } });
    await using there = await start({ env: { REDIS_URL: redis.url } });
    const first = await here.call('echo', { text: 'x', tag: 'a' });
    const found = await until('the other one finds it', async () => {
      const answer = await there.call('echo', { text: 'x', tag: 'a' });
      return answer.headers['x-cache'] === 'hit' ? answer : undefined;
    });
    expect(found.text).toBe(first.text);
    expect(Number(found.headers.age)).toBeGreaterThanOrEqual(0);
    expect((await here.call('echo', { text: 'x', tag: 'a' })).headers).toMatchObject({ 'x-cache': 'hit' });
    expect(ledger.executions('a')).toBe(1);
  });

  it('calls go on without a cache while Redis is away or hangs, and find it again afterwards (D2, D3)', async () => {
    await using redis = await startTestRedis();
    await using fleet = await start({ env: { REDIS_URL: redis.url } });
    const cached = async () => {
      const { status, headers } = await fleet.call('echo', { text: 'x', tag: 'a' });
      expect(status).toBe(200);
      return headers['x-cache'] === 'hit';
    };
    await cached();
    expect(await cached()).toBe(true);
    for (const [stop, resume] of [
      [() => redis.kill(), () => redis.restart()],
      [() => redis.pause(), () => redis.resume()],
    ] as const) {
      await stop();
      const before = ledger.executions('a');
      for (let n = 0; n < 3; n++) expect(await cached()).toBe(false);
      expect(ledger.executions('a')).toBe(before + 3);
      await resume();
      await until('it is found again', cached);
    }
  });
});
