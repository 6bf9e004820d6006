/** Acceptance rows C13, C14 and C19: a worker is replaced while calls go on, and nothing of it is left. */
import { expect, it } from 'vitest';
import { isRunning } from '../support/fake-child.ts';
import { Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

/** Keeps `callers` calls going until `enough`; what was answered other than 200. */
async function load(fleet: Fleet, callers: number, enough: () => Promise<boolean>): Promise<string[]> {
  const refused: string[] = [];
  let done = false;
  const running = Array.from({ length: callers }, async () => {
    while (!done) {
      const { status, json } = await fleet.call('sleep', { ms: 20 });
      if (status !== 200) refused.push(`${status} ${json.code}`);
    }
  });
  try {
    await until('enough workers were replaced', enough, { timeoutMs: 60_000, everyMs: 50 });
  } finally {
    done = true;
    await Promise.all(running);
  }
  return refused;
}

// Nobody may wait: a moment without a ready worker would be a refusal.
const NO_QUEUE = { concurrency: 64, queueMax: 0, maxShareOfTool: 1 };

it('C13 while a heavy worker is replaced there is no moment without one, and its calls are answered', async () => {
  await using fleet = await Fleet.fake(
    { FAKE_START_MS: '300' },
    { pool: { ...NO_QUEUE, min: 1, max: 1, maxRssMb: 150 } },
  );
  expect((await fleet.call('leak', { mb: 200 })).status).toBe(200);
  const refused = await load(fleet, 8, async () => (await fleet.status()).pool.ended.rss === 1);
  expect(refused).toEqual([]);
}, 70_000);

it('C19 twenty recycles by age under load fail no call, though none may wait', async () => {
  await using fleet = await Fleet.fake({}, { pool: { ...NO_QUEUE, min: 2, max: 2, maxAgeMs: 500 } });
  const refused = await load(fleet, 16, async () => ((await fleet.status()).pool.ended.age ?? 0) >= 20);
  expect(refused).toEqual([]);
  expect(Object.keys((await fleet.status()).pool.ended)).toEqual(['age']);
}, 70_000);

it('C14 a recycled worker takes its grandchildren along, those that ignore SIGTERM included', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    { pool: { min: 1, max: 1, maxUses: 2, minLifeMs: 0 } },
  );
  const grandchildren: number[] = JSON.parse(
    (await fleet.call('fork', { n: 3, ignoreTerm: true })).json.content[0].text,
  );
  expect(grandchildren.filter(isRunning)).toHaveLength(3);
  const [pid = 0] = ledger.starts();
  await fleet.call('echo', { text: 'the second use' });
  await until('the worker was recycled', async () => (await fleet.status()).pool.ended.uses === 1);
  await until('nothing of its group is left', () => [pid, ...grandchildren].filter(isRunning).length === 0);
});
