/**
 * Acceptance D7: the wall clock of a bridge process jumps by an hour, to and fro, while its monotonic clock goes on.
 * Needs libfaketime, and fails without it.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type FakeClock, fakeClock } from '../support/faketime.ts';
import { Fleet, type RequestOptions } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const HOUR = 3_600;
const OPEN_MS = 120_000;
/** More than there are calls that are to be late. */
const MIN_CALLS = 20;
const JUMPS = [HOUR, -HOUR, 0, 25 * HOUR];

let folder: string;
let clock: FakeClock;
let ledger: Ledger;
let fleet: Fleet;

const keyed = (id: string, headers: Readonly<Record<string, string>> = {}): RequestOptions => ({
  headers: { 'x-api-key': `secret-of-${id}`, ...headers },
});

beforeAll(async () => {
  clock = fakeClock();
  folder = mkdtempSync(join(tmpdir(), 'clock-jump-'));
  const keysFile = join(folder, 'keys.json');
  const sha256 = (id: string): string => createHash('sha256').update(`secret-of-${id}`).digest('hex');
  const inHalfAnHour = new Date(Date.now() + (HOUR * 1_000) / 2).toISOString();
  const entries = [
    { id: 'planner', sha256: sha256('planner'), allow: ['*:*'] },
    { id: 'guest', sha256: sha256('guest'), allow: ['*:*'], expires: inHalfAnHour },
  ];
  writeFileSync(keysFile, JSON.stringify(entries), { mode: 0o600 });
  ledger = new Ledger();
  fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    {
      breaker: { minCalls: MIN_CALLS, openMs: OPEN_MS },
      tools: { echo: { effect: 'read', ratePerMinute: 3 }, sleep: { effect: 'write', deadlineMs: 20_000 } },
    },
    { env: { ...clock.env, AUTH: 'keys', API_KEYS_FILE: keysFile } },
  );
});

afterEach(() => clock.jump(0));

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  ledger?.[Symbol.dispose]();
  clock?.[Symbol.dispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

it('D7 the wall clock decides when a key expires, and nothing else about it', async () => {
  expect((await fleet.call('meta', {}, keyed('guest'))).status).toBe(200);
  clock.jump(HOUR);
  expect((await fleet.call('meta', {}, keyed('guest'))).status).toBe(401);
  expect((await fleet.call('meta', {}, keyed('planner'))).status).toBe(200);
  clock.jump(-HOUR);
  expect((await fleet.call('meta', {}, keyed('guest'))).status).toBe(200);
});

it('D7 a deadline neither comes early nor late', async () => {
  for (const [n, jump] of JUMPS.entries()) {
    const lasting = fleet.call('sleep', { ms: 700, tag: `lasting-${n}` }, keyed('planner'));
    const startedAtMs = performance.now();
    const late = fleet.call(
      'sleep',
      { ms: 60_000, honourCancel: true, tag: `late-${n}` },
      keyed('planner', { 'x-request-timeout-ms': '1000' }),
    );
    await until('both run', () => ledger.executions(`lasting-${n}`) + ledger.executions(`late-${n}`) === 2);
    clock.jump(jump);
    expect((await lasting).status).toBe(200);
    expect((await late).json).toMatchObject({ code: 'deadline_exceeded', executed: 'maybe' });
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeGreaterThanOrEqual(999);
    expect(tookMs).toBeLessThan(5_000);
  }
});

it('D7 an open circuit stays open for as long as it said', async () => {
  for (let i = 0; i < MIN_CALLS; i++) await fleet.call('bad', { shape: 'neither' }, keyed('planner'));
  let leftMs = OPEN_MS;
  for (const jump of JUMPS) {
    clock.jump(jump);
    const { json } = await fleet.call('bad', { shape: 'neither' }, keyed('planner'));
    expect(json.code).toBe('circuit_open');
    expect(json.retryAfterMs).toBeLessThanOrEqual(leftMs);
    expect(json.retryAfterMs).toBeGreaterThan(leftMs - 30_000);
    leftMs = json.retryAfterMs;
  }
});

it('D7 a quota that is used up comes back when its minute is over, not before', async () => {
  for (let i = 0; i < 3; i++) expect((await fleet.call('echo', { text: 'x' }, keyed('planner'))).status).toBe(200);
  let leftMs = 60_000;
  for (const jump of JUMPS) {
    clock.jump(jump);
    const { json } = await fleet.call('echo', { text: 'x' }, keyed('planner'));
    expect(json.code).toBe('rate_limited');
    expect(json.retryAfterMs).toBeLessThanOrEqual(leftMs);
    expect(json.retryAfterMs).toBeGreaterThan(leftMs - 30_000);
    leftMs = json.retryAfterMs;
  }
});

it('D7 what was recorded for a key is told again', async () => {
  const key = keyed('planner', { 'idempotency-key': 'k-1' });
  const call = () => fleet.call('sleep', { ms: 1, tag: 'once' }, key);
  const first = await call();
  for (const jump of JUMPS) {
    clock.jump(jump);
    const later = await call();
    expect([later.headers['idempotency-replayed'], later.text]).toEqual(['true', first.text]);
  }
  expect(ledger.executions('once')).toBe(1);
});
