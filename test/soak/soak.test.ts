/**
 * Acceptance L11: a process that is kept busy with everything that calls can meet neither grows nor loses anything. Runs for
 * SOAK_MINUTES (5; in less than 3 the process still finds its size).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { processTree } from '../bench/procfs.ts';
import { COLLECTABLE, collectGarbage } from '../support/collect-garbage.ts';
import { Fleet } from '../support/fleet.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const MINUTES = Number(process.env.SOAK_MINUTES ?? 5);
const LOOK_EVERY_MS = 1_000;
const CALLERS = 12;
/** A call to each caller in this time, so that the machine is busy and not drowned. */
const PAUSE_MS = 4;
/** From the second minute to the end, by what is left when the garbage is gone; a leak of 64 bytes a call is five times as much. */
const MAX_GROWTH_KIB = 4 * 1024;

interface Look {
  readonly fds: number;
  readonly processes: number;
}

let redis: TestRedis;
let fleet: Fleet;

beforeAll(async () => {
  redis = await startTestRedis();
  fleet = await Fleet.fake(
    {},
    {
      pool: { min: 2, max: 2, concurrency: 16, maxUses: 20_000, minLifeMs: 10_000 },
      tools: {
        echo: { effect: 'read' },
        meta: { effect: 'read', cacheTtlMs: 50 },
        structured: { effect: 'write' },
        blob: { effect: 'read' },
        crash: { effect: 'write' },
        sleep: { effect: 'read', deadlineMs: 2_000 },
      },
    },
    // Lines of every call would be kept by this test, which would grow with them.
    { env: { REDIS_URL: redis.url, ACCESS_LOG: 'off', ...COLLECTABLE } },
  );
});

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

function look(): Look {
  const pid = fleet.process.pid as number;
  return { fds: readdirSync(`/proc/${pid}/fd`).length, processes: processTree(pid).length };
}

/** What the process keeps: how much garbage lies about besides depends on how busy it is. */
async function keptKiB(): Promise<number> {
  await collectGarbage(fleet);
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${fleet.process.pid}/status`, 'utf8'))?.[1]);
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

/** One call out of all that there are, by its number; the statuses that it may have. */
async function call(n: number): Promise<string> {
  const kind = n % 50;
  const expectStatus = async (wanted: readonly number[], asked: ReturnType<Fleet['call']>): Promise<string> => {
    const { status, text } = await asked;
    return wanted.includes(status) ? 'expected' : `${status} ${text.slice(0, 200)}`;
  };
  // The breaker, a crash of the worker beside it and a Redis that gets no processor for a moment refuse or end calls.
  const passing = [200, 502, 503];
  if (kind === 1)
    return expectStatus(
      passing,
      fleet.call('structured', { value: { n } }, { headers: { 'idempotency-key': `k${n}` } }),
    );
  if (kind === 2) return expectStatus([404], fleet.call(`no-such-tool-${n}`));
  if (kind === 3) return expectStatus([400], fleet.call('echo', '{"text":' as never));
  if (kind === 4) return expectStatus(passing, fleet.call('meta', {}));
  if (kind === 5) return expectStatus(passing, fleet.call('blob', { bytes: 200_000 }));
  if (kind === 6)
    return expectStatus(
      [504, 502, 503],
      fleet.call('sleep', { ms: 500, honourCancel: true }, { headers: { 'x-request-timeout-ms': '20' } }),
    );
  if (kind === 7) {
    const gone = new AbortController();
    setTimeout(() => gone.abort(), 10);
    return fleet.call('sleep', { ms: 300, honourCancel: true }, { signal: gone.signal }).then(
      () => 'answered a caller who had left',
      () => 'expected',
    );
  }
  if (n % 5_000 === 4_999) return expectStatus([502, 503], fleet.call('crash', { code: 1 }));
  return expectStatus(
    passing,
    fleet.call('echo', { text: `call ${n}` }, n % 10 === 0 ? { headers: { connection: 'close' } } : {}),
  );
}

it(
  `${MINUTES} minutes of everything leave memory, files and processes as they were, and lose nothing (L11)`,
  async () => {
    const unexpected = new Map<string, number>();
    const looks: Look[] = [];
    const endAt = performance.now() + MINUTES * 60_000;
    let calls = 0;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (performance.now() < endAt) {
        const what = await call(calls++).catch((error: Error) => `no answer: ${error.message}`);
        if (what !== 'expected') unexpected.set(what, (unexpected.get(what) ?? 0) + 1);
        await delay(PAUSE_MS);
      }
    });
    const settledAt = endAt - MINUTES * 60_000 * 0.7;
    let settledKiB = 0;
    while (performance.now() < endAt) {
      looks.push(look());
      if (settledKiB === 0 && performance.now() > settledAt) settledKiB = await keptKiB();
      await delay(LOOK_EVERY_MS);
    }
    const endKiB = await keptKiB();
    await Promise.all(callers);

    const part = looks.length / 5;
    const early = looks.slice(part, 2 * part);
    const late = looks.slice(-part);
    process.stderr.write(
      `soak: ${calls} calls in ${MINUTES} min; RSS without garbage ${[settledKiB, endKiB].map((kib) => (kib / 1024).toFixed(1)).join(' → ')} MiB, ` +
        `files ${middle(early.map(({ fds }) => fds))} → ${middle(late.map(({ fds }) => fds))}\n`,
    );
    expect([...unexpected]).toEqual([]);
    expect(endKiB - settledKiB).toBeLessThan(MAX_GROWTH_KIB);
    expect(middle(late.map(({ processes }) => processes))).toBe(middle(early.map(({ processes }) => processes)));
    // The connections of callers come and go; what is kept of a call for good would be there hundreds of times.
    expect(middle(late.map(({ fds }) => fds))).toBeLessThan(middle(early.map(({ fds }) => fds)) + CALLERS);
    await until('nothing is in flight', async () => {
      const { pool } = await fleet.status();
      return pool.waiting === 0 && pool.workers.every(({ inFlight }: { inFlight: number }) => inFlight === 0);
    });
    expect(fleet.log.filter(({ msg }) => msg === 'an error that nobody caught')).toEqual([]);
    expect(await fleet.stop()).toEqual({ code: 0, signal: null });
  },
  (MINUTES + 1) * 60_000,
);
