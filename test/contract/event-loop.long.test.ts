/** Acceptance rows I2, C6 and C10: what one caller sends or one child writes does not hold up the others. */
import { describe, expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { LoopWatch } from '../support/loop-watch.ts';

const MEGABYTE = 1_048_576;
const MAX_BLOCK_MS = 50;

describe('I2 with MAX_BODY_BYTES raised to 16 MiB, no body holds the event loop for 50 ms', () => {
  const keys = (count: number, value: string): string =>
    `{${Array.from({ length: count }, (_, i) => `"k${i}":${value}`).join(',')}}`;
  it.each([
    ['a million keys', keys(1_000_000, '0'), 'json_too_large'],
    ['a million empty arrays', `{"a":[${'[],'.repeat(1_000_000)}[]]}`, 'json_too_large'],
    ['10 000 levels', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'json_too_deep'],
    ['five million levels', `{"a":${'['.repeat(5_000_000)}`, 'json_too_deep'],
  ])('%s', async (_, body, code) => {
    using ledger = new Ledger();
    using watch = new LoopWatch();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      {},
      { env: { ...watch.env, MAX_BODY_BYTES: String(16 * MEGABYTE) } },
    );
    await fleet.call('received', { warm: 1 });
    const { maxMs } = await watch.best(fleet, 5, async () => {
      const answer = await fleet.request('/fake/mcp/tools/received', body);
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ code, executed: 'no' });
    });
    expect(maxMs).toBeLessThan(MAX_BLOCK_MS);
    expect(ledger.executions()).toBe(1);
  });
});

it('C6 a flood on stderr costs less than 32 MB even at its peak', async () => {
  using watch = new LoopWatch();
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 1 } }, { env: watch.env });
  await fleet.call('stderr', { bytes: 10_000_000, ansi: true });
  const { peakBytes: before } = await watch.take(fleet);
  expect((await fleet.call('stderr', { bytes: 100_000_000, ansi: true })).status).toBe(200);
  const { peakBytes } = await watch.take(fleet);
  expect(peakBytes - before).toBeLessThan(32_000_000);
});

describe('C10 a line of 50 MB where 8 MiB is the cap', () => {
  it.each(['usual', 'reversed'])('holds neither the event loop nor memory (%s key order)', async (keyOrder) => {
    using watch = new LoopWatch();
    await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 1 } }, { env: watch.env });
    await fleet.call('blob', { bytes: 1_000_000 });
    const { peakBytes: before } = await watch.take(fleet);
    const { p99Ms, maxMs, peakBytes } = await watch.best(fleet, 3, async () => {
      expect((await fleet.call('blob', { bytes: 50_000_000, keyOrder })).json.code).toBe('child_response_too_large');
    });
    expect(p99Ms).toBeLessThan(MAX_BLOCK_MS);
    expect(maxMs).toBeLessThan(MAX_BLOCK_MS);
    expect(peakBytes - before).toBeLessThan(3 * 8 * MEGABYTE);
    expect((await fleet.status()).pool.spawned).toBe(1);
  });
});
