import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RedisConnection, type StoreEvent } from '#core/store/redis.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

/** Acceptance D2: back in use so long after it came back. */
const RECOVERY = { timeoutMs: 5_000 };
const PASSWORD = 'canary-5f3a';

let stack: AsyncDisposableStack;
let events: StoreEvent[];

beforeEach(() => {
  stack = new AsyncDisposableStack();
  events = [];
});

afterEach(() => stack.disposeAsync());

async function server(options?: Parameters<typeof startTestRedis>[0]): Promise<TestRedis> {
  return stack.use(await startTestRedis(options));
}

/** As patient as a test needs that is not about time: on a busy machine Redis may get no turn for a while. */
function connection(url: string, commandTimeoutMs = 3_000): RedisConnection {
  return stack.use(new RedisConnection({ url, commandTimeoutMs, on: (event) => events.push(event) }));
}

function ready(redis: RedisConnection, options = RECOVERY): Promise<unknown> {
  return until('Redis is ready', () => redis.state === 'ready', options);
}

function away(redis: RedisConnection): Promise<unknown> {
  return until('Redis is away', () => redis.state === 'away');
}

/** What a call is told, and whether it was told before anything could have come from the network. */
async function refusal(redis: RedisConnection): Promise<{ readonly error: unknown; readonly atOnce: boolean }> {
  let looked = false;
  const turn = setImmediate(() => {
    looked = true;
  });
  const error = await redis.run((client) => client.ping()).catch((reason: unknown) => reason);
  clearImmediate(turn);
  return { error, atOnce: !looked };
}

const named = (name: StoreEvent['event']) => events.filter(({ event }) => event === name);

async function queued(client: Redis): Promise<number> {
  const { commandQueue, offlineQueue } = client as unknown as Record<string, { readonly length: number }>;
  return (commandQueue?.length ?? Number.NaN) + (offlineQueue?.length ?? Number.NaN);
}

describe('a Redis that is there', () => {
  it('is waited for by the first calls of a process', async () => {
    const redis = connection((await server()).url);
    expect(redis.state).toBe('connecting');
    expect(
      await Promise.all([redis.run((client) => client.set('a', '1')), redis.run((client) => client.ping())]),
    ).toEqual(['OK', 'PONG']);
    expect(redis.stats).toMatchObject({ state: 'ready', outages: 0, refused: 0 });
    expect(named('store:away')).toEqual([]);
  });

  it('answers with an error: the operation fails by name, and the connection stays', async () => {
    const redis = connection((await server()).url);
    await expect(redis.run((client) => client.call('NO', 'canary'))).rejects.toThrow(
      new StoreUnavailableError('Redis: ERR'),
    );
    expect(await redis.run((client) => client.ping())).toBe('PONG');
    expect(redis.stats.outages).toBe(0);
  });

  it('is full: writing fails by name', async () => {
    const redis = connection((await server({ args: ['--maxmemory', '1'] })).url);
    await expect(redis.run((client) => client.set('a', '1'))).rejects.toThrow(new StoreUnavailableError('Redis: OOM'));
  });

  it('an error of the operation itself is passed on as it is', async () => {
    const redis = connection((await server()).url);
    const bug = new TypeError('a bug');
    await expect(redis.run(() => Promise.reject(bug))).rejects.toBe(bug);
    const verdict = { remaining: 0 };
    await expect(redis.run(() => Promise.reject(verdict))).rejects.toBe(verdict);
  });

  it('a process that was busy itself does not take Redis for hanging', async () => {
    const redis = connection((await server()).url, 200);
    await ready(redis);
    const { timeouts, outages } = redis.stats;
    const answer = redis.run((client) => client.ping());
    const until = performance.now() + 400;
    while (performance.now() < until);
    expect(await answer).toBe('PONG');
    expect(redis.stats).toMatchObject({ timeouts, outages });
  });

  it('became a replica: its address is looked up again', async () => {
    const redis = connection((await server()).url);
    await redis.run((client) => client.replicaof('127.0.0.1', 1));
    await expect(redis.run((client) => client.set('a', '1'))).rejects.toThrow(
      new StoreUnavailableError('Redis: READONLY'),
    );
    await until('the connection is made anew', () => redis.stats.outages === 1);
    await ready(redis);
    await redis.run((client) => client.replicaof('NO', 'ONE'));
    expect(await redis.run((client) => client.set('a', '1'))).toBe('OK');
  });
});

describe('a Redis that is away', () => {
  it('does not hinder the start, refuses calls at once, and is used when it comes (D1)', async () => {
    const gone = await server();
    await gone.kill();
    const redis = connection(gone.url);
    await expect(redis.run((client) => client.ping())).rejects.toThrow(
      new StoreUnavailableError('Redis is away: ECONNREFUSED'),
    );
    expect(await refusal(redis)).toMatchObject({ error: expect.any(StoreUnavailableError), atOnce: true });
    expect(events).toEqual([{ event: 'store:away', reason: 'ECONNREFUSED' }]);
    await gone.restart();
    await ready(redis);
    expect(await redis.run((client) => client.ping())).toBe('PONG');
    expect(named('store:back')).toHaveLength(1);
  });

  it('has been killed: what waits fails, what follows is refused at once, and it is back by itself (D2)', async () => {
    const killed = await server();
    const redis = connection(killed.url);
    await redis.run((client) => client.ping());
    killed.pause(); // so that something waits
    const waiting = Promise.allSettled(Array.from({ length: 20 }, () => redis.run((client) => client.ping())));
    await killed.kill();
    expect((await waiting).map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
    await away(redis);
    for (let turn = 0; turn < 3; turn++) {
      expect(await refusal(redis)).toEqual({ error: expect.any(StoreUnavailableError), atOnce: true });
    }
    await killed.restart();
    await ready(redis);
    expect(await redis.run((client) => client.ping())).toBe('PONG');
    expect(redis.stats).toMatchObject({
      state: 'ready',
      outages: 1,
      timeouts: 0,
      refused: 3,
      awayMs: 0,
      reason: undefined,
    });
  });

  it('queues nothing, however many calls come (D2, D3)', async () => {
    const killed = await server();
    const redis = connection(killed.url);
    let client: Redis | undefined;
    await redis.run(async (its) => {
      client = its;
    });
    await killed.kill();
    await away(redis);
    const calls = await Promise.allSettled(Array.from({ length: 10_000 }, () => redis.run((its) => its.set('a', '1'))));
    expect(calls.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    expect(client && (await queued(client))).toBe(0);
    expect(redis.stats.refused).toBe(10_000);
    await killed.restart();
    await ready(redis);
    expect(await redis.run((its) => its.exists('a'))).toBe(0);
  });

  it('comes and goes, each time noticed', async () => {
    const fickle = await server();
    const redis = connection(fickle.url);
    await ready(redis);
    for (let turn = 1; turn <= 3; turn++) {
      await fickle.kill();
      await away(redis);
      await fickle.restart();
      await ready(redis);
    }
    expect(events.map(({ event }) => event).filter((name) => name !== 'store:warning')).toEqual(
      Array(3).fill(['store:away', 'store:back']).flat(),
    );
  });

  it('has a name that leads nowhere (D11)', async () => {
    // Too long a label: refused by the resolver of this machine, nobody else is asked.
    const redis = connection(`redis://${'x'.repeat(64)}.invalid`);
    await until('the reason is known', () => /^(ENOTFOUND|EAI_\w+|ENODATA)$/.test(redis.stats.reason ?? ''));
    expect(await refusal(redis)).toMatchObject({ error: expect.any(StoreUnavailableError), atOnce: true });
    expect(redis.stats.outages).toBe(1);
  });
});

describe('a Redis that hangs', () => {
  it('fails all that waits together, then refuses at once, and is back by itself (D3)', async () => {
    const hung = await server();
    const redis = stack.use(new RedisConnection({ url: hung.url, on: (event) => events.push(event) }));
    await ready(redis);
    events = [];
    const before = redis.stats;
    hung.pause();
    const waiting = await Promise.allSettled(
      Array.from({ length: 50 }, () => redis.run((client) => client.incr('counter'))),
    );
    expect(waiting.map((end) => end.status === 'rejected' && end.reason)).toEqual(
      Array(50).fill(new StoreUnavailableError('Redis is away: no answer within 180 ms')),
    );
    expect(redis.stats).toMatchObject({ state: 'away', outages: before.outages + 1, timeouts: before.timeouts + 1 });
    expect(await refusal(redis)).toEqual({ error: expect.any(StoreUnavailableError), atOnce: true });
    hung.resume();
    await ready(redis);
    expect(named('store:away')).toEqual([{ event: 'store:away', reason: 'no answer within 180 ms' }]);
  });

  it('answers late to nobody: every later call gets its own answer (D3)', async () => {
    const hung = await server();
    const redis = connection(hung.url, 1_000);
    await redis.run((client) => client.ping());
    hung.pause();
    await Promise.allSettled(Array.from({ length: 50 }, (_, i) => redis.run((client) => client.echo(`late ${i}`))));
    hung.resume();
    await ready(redis);
    const words = Array.from({ length: 200 }, (_, i) => `own ${i}`);
    expect(await Promise.all(words.map((word) => redis.run((client) => client.echo(word))))).toEqual(words);
  });

  it('hangs already when the process starts', async () => {
    const hung = await server();
    hung.pause();
    const redis = connection(hung.url, 200);
    await expect(redis.run((client) => client.ping())).rejects.toThrow(
      new StoreUnavailableError('Redis is away: no connection yet'),
    );
    expect(await refusal(redis)).toEqual({ error: expect.any(StoreUnavailableError), atOnce: true });
    hung.resume();
    await ready(redis);
  });

  it('is found out without a call', async () => {
    const hung = await server();
    const redis = connection(hung.url, 500);
    await ready(redis);
    hung.pause();
    await away(redis);
    hung.resume();
    await ready(redis);
    expect(redis.stats.timeouts).toBeGreaterThan(0);
  });
});

describe('what a Redis promises to keep', () => {
  const warnings = () => named('store:warning').map((event) => ('message' in event ? event.message : ''));

  it('is as the contract wants it: nothing is said', async () => {
    const redis = connection((await server({ appendfsync: 'always' })).url);
    await redis.run((client) => client.ping());
    // Three questions of the check, and one of ours behind them.
    await until('the check is through', async () =>
      /cmdstat_config\S*:calls=3/.test(await redis.run((client) => client.info('commandstats'))),
    );
    await redis.run((client) => client.ping());
    expect(redis.stats.warnings).toEqual([]);
    expect(events).toEqual([]);
  });

  it.each([
    ['appendonly no', []],
    ['appendfsync everysec', ['--appendonly', 'yes']],
    ['maxmemory-policy allkeys-lru', ['--appendonly', 'yes', '--maxmemory-policy', 'allkeys-lru']],
  ])('is less, %s: said once, and kept for the status', async (setting, args) => {
    const weak = await server({ args });
    const redis = connection(weak.url);
    await until('it is said', () => redis.stats.warnings.some((message) => message.includes(setting)));
    const said = warnings();
    expect(said).toEqual(redis.stats.warnings);
    await weak.kill();
    await away(redis);
    await weak.restart();
    await ready(redis);
    await until('it was asked again', async () =>
      /cmdstat_config/.test(await redis.run((client) => client.info('commandstats'))),
    );
    expect(warnings()).toEqual(said);
  });

  it('is not told by a managed Redis: that is said', async () => {
    connection((await server({ args: ['--rename-command', 'CONFIG', ''] })).url);
    await until('it is said', () => warnings().length === 1);
    expect(warnings()[0]).toMatch(/cannot be checked/);
  });
});

describe('the address and its password', () => {
  it('are shown nowhere: no event, no error, no status, no inspection', async () => {
    const guarded = await server({ password: PASSWORD });
    const redis = connection(guarded.url);
    expect(await redis.run((client) => client.ping())).toBe('PONG');
    const failures: unknown[] = [
      await redis.run((client) => client.call('NO', PASSWORD)).catch((error: unknown) => error),
    ];
    await guarded.kill();
    await away(redis);
    failures.push((await refusal(redis)).error);
    const wrong = connection(guarded.url.replace(PASSWORD, `${PASSWORD}-wrong`));
    failures.push((await refusal(wrong)).error);
    await guarded.restart();
    await until('the wrong password is told by its code', () => wrong.stats.reason === 'WRONGPASS');
    failures.push((await refusal(wrong)).error);
    const shown = inspect([failures, events, redis, redis.stats, wrong, wrong.stats], { depth: 20, showHidden: true });
    expect(shown).not.toContain('canary');
    expect(shown).not.toContain(String(guarded.port));
    expect(shown).toContain('WRONGPASS');
  });

  it('are refused where they are none, without being repeated', () => {
    expect(() => new RedisConnection({ url: `http://${PASSWORD}@localhost` })).toThrow(TypeError);
  });
});

describe('closing', () => {
  it('refuses what comes later, and twice is once', async () => {
    const redis = connection((await server()).url);
    await redis.run((client) => client.ping());
    await Promise.all([redis.close(), redis.close()]);
    await redis.close();
    expect(await refusal(redis)).toEqual({ error: expect.any(StoreUnavailableError), atOnce: true });
    expect(named('store:away')).toEqual([]);
  });

  it.each(['while it connects', 'while Redis hangs', 'while Redis is away'])('ends %s', async (when) => {
    const end = await server();
    if (when === 'while Redis is away') await end.kill();
    const redis = connection(end.url);
    if (when !== 'while it connects') await until('it is settled', () => redis.state !== 'connecting');
    if (when === 'while Redis hangs') end.pause();
    const waiting = redis.run((client) => client.ping()).catch((error: unknown) => error);
    await redis.close();
    expect(await waiting).toBeInstanceOf(StoreUnavailableError);
    expect(redis.state).toBe('closed');
    if (when === 'while Redis hangs') end.resume();
    if (when === 'while Redis is away') await end.restart();
    expect(await refusal(redis)).toMatchObject({ atOnce: true });
  });
});
