/**
 * The figures of the contract that a caller can feel. Each is judged by the middle one of several tries, so that a
 * busy machine does not decide; the tails belong to the benchmark.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Answer, Fleet } from '../support/fleet.ts';
import { Ledger, type LedgerEntry } from '../support/ledger.ts';
import { until } from '../support/until.ts';

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The least value that all but one percent do not exceed. */
function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN;
}

/** The middle of how long `tries` runs took, one after the other. */
async function medianMs(tries: number, run: (n: number) => Promise<number>): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < tries; n++) took.push(await run(n));
  return median(took);
}

async function timed(call: Promise<Answer>, code: string): Promise<number> {
  const sinceMs = performance.now();
  expect((await call).json.code).toBe(code);
  return performance.now() - sinceMs;
}

/** When a child wrote this, by the wall clock that both processes share. */
async function noted(ledger: Ledger, event: LedgerEntry['event'], tag: string): Promise<number> {
  const entry = await until(`${tag} ${event}`, () => ledger.entries(event).find((each) => each.tag === tag));
  return entry.at;
}

it('C1 the answer for a child that dies comes within 100 ms of its death', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
  const afterDeathMs = await medianMs(5, async (n) => {
    // It dies at once: what it notes before that is the time of its death.
    const { json } = await fleet.call('crash', { signal: 'SIGKILL', tag: `dead-${n}` });
    const answeredAt = Date.now();
    expect(json.code).toBe('child_crashed');
    await until('another is ready', async () => (await fleet.call('echo', { text: 'x' })).status === 200);
    return answeredAt - (await noted(ledger, 'executed', `dead-${n}`));
  });
  expect(afterDeathMs).toBeLessThanOrEqual(100);
});

it('C3 the answer for a child that hangs comes at most 100 ms after the deadline, and not before it', async () => {
  await using fleet = await Fleet.fake({}, { tools: { hang: { deadlineMs: 200 } } });
  const tookMs = await medianMs(7, () => timed(fleet.call('hang'), 'deadline_exceeded'));
  expect(tookMs).toBeGreaterThanOrEqual(199);
  expect(tookMs).toBeLessThanOrEqual(300);
});

it('C5 once a bridge has failed, calls are refused within 50 ms', async () => {
  await using fleet = await Fleet.fake({ FAKE_EXIT_AT_START: '1' });
  await until('the verdict is given', async () => (await fleet.status()).pool.state === 'failed');
  const tookMs = await medianMs(15, () => timed(fleet.call('echo', { text: 'x' }), 'bridge_unavailable'));
  expect(tookMs).toBeLessThanOrEqual(50);
});

it('Q1 a full queue refuses within 50 ms', async () => {
  await using fleet = await Fleet.fake(
    {},
    { pool: { min: 1, max: 1, concurrency: 1, queueMax: 1, maxShareOfTool: 1 } },
  );
  const gone = new AbortController();
  const busy = [1, 2].map(() =>
    fleet.call('sleep', { ms: 20_000, honourCancel: true }, { signal: gone.signal }).catch(() => undefined),
  );
  await until('the queue is full', async () => (await fleet.status()).pool.waiting === 1);
  const tookMs = await medianMs(15, () => timed(fleet.call('echo', { text: 'x' }), 'queue_full'));
  expect(tookMs).toBeLessThanOrEqual(50);
  gone.abort();
  await Promise.all(busy);
});

describe('a cancel reaches the child within 100 ms', () => {
  it('Q4 when the client leaves', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
    const tookMs = await medianMs(7, async (n) => {
      const gone = new AbortController();
      const tag = `left-${n}`;
      const call = fleet.call('sleep', { ms: 20_000, honourCancel: true, tag }, { signal: gone.signal });
      await noted(ledger, 'executed', tag);
      const leftAt = Date.now();
      gone.abort();
      await expect(call).rejects.toThrow();
      return (await noted(ledger, 'cancelled', tag)) - leftAt;
    });
    expect(tookMs).toBeLessThanOrEqual(100);
  });

  it('C3 when the deadline is over', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { tools: { sleep: { deadlineMs: 200 } } });
    const tookMs = await medianMs(7, async (n) => {
      const tag = `late-${n}`;
      const sentAt = Date.now();
      const { json } = await fleet.call('sleep', { ms: 20_000, honourCancel: true, tag });
      expect(json.code).toBe('deadline_exceeded');
      return (await noted(ledger, 'cancelled', tag)) - sentAt - 200;
    });
    expect(tookMs).toBeLessThanOrEqual(100);
  });
});

it('Q3 at five times the capacity nearly as many calls are answered as at the capacity, and soon', async () => {
  const slots = 8;
  await using fleet = await Fleet.fake(
    {},
    { pool: { min: 2, max: 2, concurrency: slots / 2, queueMax: slots / 2, maxShareOfTool: 1 } },
  );
  const call = async (): Promise<number | undefined> => {
    const sinceMs = performance.now();
    const { status, json } = await fleet.call('sleep', { ms: 100 });
    if (status === 200) return performance.now() - sinceMs;
    expect([status, json.code, json.executed]).toEqual([503, expect.stringMatching(/^queue_(full|timeout)$/), 'no']);
    return undefined;
  };
  const windowMs = 3_000;
  // At the capacity: as many callers as slots, each calling again when it has its answer.
  const usual: number[] = [];
  const endAtMs = performance.now() + windowMs;
  await Promise.all(
    Array.from({ length: slots }, async () => {
      while (performance.now() < endAtMs) usual.push((await call()) ?? Number.NaN);
    }),
  );
  // Five times as many calls in the same time, whoever answers or not.
  const offered = usual.length * 5;
  const overload: Promise<number | undefined>[] = [];
  const startedAtMs = performance.now();
  while (overload.length < offered) {
    const due = Math.min(offered, Math.ceil(((performance.now() - startedAtMs) / windowMs) * offered));
    while (overload.length < due) overload.push(call());
    await delay(1);
  }
  const accepted = (await Promise.all(overload)).filter((tookMs) => tookMs !== undefined);
  expect(accepted.length).toBeGreaterThanOrEqual(usual.length * 0.9);
  expect(accepted.length).toBeLessThan(offered / 2);
  expect(median(accepted)).toBeLessThanOrEqual(median(usual) * 2);
  expect(p99(accepted)).toBeLessThanOrEqual(p99(usual) * 2);
  // And as usual again at once.
  const after = await Promise.all(Array.from({ length: slots }, call));
  expect(median(after.map((tookMs) => tookMs ?? Number.NaN))).toBeLessThanOrEqual(median(usual) * 2);
}, 30_000);

it('C5 the first good start after a repair is soon: at most the back-off and a start', async () => {
  using ledger = new Ledger();
  const broken = `${ledger.path}.broken`;
  writeFileSync(broken, '');
  await using fleet = await Fleet.fake({ FAKE_EXIT_WHILE_FILE: broken });
  await until('the verdict is given', async () => (await fleet.status()).pool.state === 'failed');
  const retryAfterMs = (await fleet.call('echo', { text: 'x' })).json.retryAfterMs as number;
  rmSync(broken);
  const sinceMs = performance.now();
  await until('it serves', async () => (await fleet.call('echo', { text: 'x' })).status === 200);
  expect(performance.now() - sinceMs).toBeLessThan(retryAfterMs + 5_000);
});
