/**
 * What calls feel of a Redis that dies or hangs, and of its return (acceptance D2, D3). The figures are printed; the
 * bounds are those of the contract with room for a machine that has other things to do.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Answer, Fleet } from '../support/fleet.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

/** The first calls of an outage may wait so long for Redis. */
const FIRST_MS = 200;
/** Later ones should add 5 ms; the rest is for the machine. */
const LATER_MS = 50;
const RECOVERY_MS = 5_000;
const SLACK_MS = 150;
const MIB = 1_048_576;

const OUTAGES: readonly (readonly [how: string, (redis: TestRedis) => unknown, (redis: TestRedis) => unknown])[] = [
  ['is killed (D2)', (redis) => redis.kill(), (redis) => redis.restart()],
  ['hangs (D3)', (redis) => redis.pause(), (redis) => redis.resume()],
];

function percentile(values: readonly number[], percent: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil((values.length * percent) / 100) - 1] ?? Number.NaN;
}

const rssOf = (pid: number | undefined): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

it.each(OUTAGES)(
  'Redis %s: the first calls wait at most 200 ms for it, later ones nothing, memory is flat, and it is back within 5 s',
  async (_how, away, back) => {
    await using redis = await startTestRedis();
    await using fleet = await Fleet.fake(
      {},
      { tools: { echo: { effect: 'read', ratePerMinute: 1_000_000 } } },
      { env: { REDIS_URL: redis.url } },
    );
    let calls = 0;
    const timed = async (answer: Promise<Answer>): Promise<number> => {
      const sinceMs = performance.now();
      expect((await answer).status).toBe(200);
      return performance.now() - sinceMs;
    };
    /** Counted against a quota and with a key: both ask Redis. */
    const call = () => timed(fleet.call('echo', { text: 'x' }, { headers: { 'idempotency-key': `k-${calls++}` } }));
    /** Asks nobody: what the machine costs just then. */
    const plain = () => timed(fleet.call('received', { text: 'x' }));
    const sixteenAtOnce = async (count: number): Promise<void> => {
      const some = async () => {
        for (let i = 0; i < count / 16; i++) await call();
      };
      await Promise.all(Array.from({ length: 16 }, some));
    };
    const redisState = async (): Promise<string> => (await fleet.ops('/status')).json.redis.state;

    await until('Redis is used', async () => (await redisState()) === 'ready');
    await sixteenAtOnce(1_600);

    await away(redis);
    const first = await Promise.all(Array.from({ length: 16 }, call));
    await until('it is known to be away', async () => (await redisState()) === 'away');
    const usual: number[] = [];
    const later: number[] = [];
    for (let i = 0; i < 500; i++) {
      usual.push(await plain());
      later.push(await call());
    }

    // The heap finds its size before it is looked at.
    await sixteenAtOnce(8_000);
    const { pending: pendingBefore } = (await fleet.status()).idempotency;
    const rssBefore = rssOf(fleet.process.pid);
    await sixteenAtOnce(20_000);
    const grown = rssOf(fleet.process.pid) - rssBefore;
    const { pending, pendingBytes } = (await fleet.status()).idempotency;

    const returned = performance.now();
    await back(redis);
    const headers = { 'idempotency-key': 'kept-again' };
    await until(
      'keys are kept again',
      async () =>
        (await fleet.call('echo', { text: 'x' }, { headers })).headers['idempotency-replayed'] === 'true' &&
        (await fleet.status()).idempotency.pending === 0,
    );
    const recoveryMs = performance.now() - returned;

    const addedMs = {
      first: Math.max(...first) - percentile(usual, 50),
      laterMedian: percentile(later, 50) - percentile(usual, 50),
      laterP99: percentile(later, 99) - percentile(usual, 99),
    };
    const rounded = Object.entries(addedMs).map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`);
    process.stdout.write(
      `Redis away: a call that does not ask it takes p50 ${percentile(usual, 50).toFixed(1)} ms, p99 ${percentile(usual, 99).toFixed(1)} ms; added: ${rounded.join(', ')}; ` +
        `back after ${recoveryMs.toFixed(0)} ms; RSS ${(grown / MIB).toFixed(1)} MiB more after 20000 calls; ${pending} pending\n`,
    );
    expect(addedMs.first).toBeLessThanOrEqual(FIRST_MS + SLACK_MS);
    expect(addedMs.laterMedian).toBeLessThanOrEqual(5);
    expect(addedMs.laterP99).toBeLessThanOrEqual(LATER_MS);
    expect(grown).toBeLessThan(24 * MIB);
    // Doubtful claims, bounded and without a byte of an outcome.
    expect(pending).toBeLessThanOrEqual(pendingBefore);
    expect(pendingBytes).toBe(0);
    expect(recoveryMs).toBeLessThanOrEqual(RECOVERY_MS);
  },
  120_000,
);
