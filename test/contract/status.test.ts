/** `fleet status`, asked of real processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleet } from '../core/cli/run.ts';
import { Fleet } from '../support/fleet.ts';
import { until } from '../support/until.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let replicas: Fleet[];
const hostOf = ({ opsUrl }: Fleet): string => new URL(opsUrl).host;

beforeAll(async () => {
  replicas = await Promise.all([Fleet.fake(), Fleet.fake()]);
  for (const replica of replicas) {
    for (let i = 0; i < 3; i++) await replica.call('echo', { text: 'x' });
    await replica.call('crash', {});
    await until('the worker that crashed is replaced', async () => {
      const { workers, ended } = (await replica.status()).pool;
      return ended.crashed === 1 && workers.length === 1 && workers[0].state === 'ready';
    });
  }
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
});

describe('fleet status', () => {
  it('shows every replica with its workers, calls, failures and restarts, as plain text where it is piped', async () => {
    const { code, stdout } = await fleet(['status', ...replicas.map(hostOf)]);
    expect(code).toBe(0);
    expect(stdout).not.toContain('\u001b');
    for (const replica of replicas) {
      const row = stdout.split('\n').find((line) => line.includes(hostOf(replica)));
      expect(row).toMatch(/^fake +\S+ +live +ready +1\/4 +0 +0\/256 +[\d.]+ +\S+( m?s)? +\S+( m?s)? +1 +0 +1 +\d+ MiB/);
    }
    expect(stdout).toMatch(/^total +2 replicas +2\/8/m);
    expect(stdout).toContain('stores: memory ×2');
  });

  it('says of a replica that does not answer why, and ends with 1', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      const { code, stdout } = await fleet(['status', ...replicas.map(hostOf), address, 'nowhere.invalid']);
      expect(code).toBe(1);
      expect(stdout).toContain(`${address}`);
      expect(stdout).toContain('no answer within 3000 ms');
      expect(stdout).toContain('its name is not known here');
      expect(stdout).toContain('2 of 4 replicas did not answer');
    } finally {
      const closed = once(silent, 'close');
      silent.closeAllConnections();
      silent.close();
      await closed;
    }
  });

  it('with --json is one object, with latencies of calls, about the interval where one is given', async () => {
    const whole = JSON.parse((await fleet(['status', '--json', ...replicas.map(hostOf)])).stdout);
    expect(whole).toMatchObject({
      windowMs: 'since_start',
      lost: [],
      totals: { replicas: 2, errors: 2, restarts: 2, p50: { is: expect.stringMatching(/about|below/) } },
      rows: [{ bridge: 'fake', workers: { max: 4 } }, { bridge: 'fake' }],
    });
    const { stdout } = await fleet(['status', '--json', '--interval', '0.2', ...replicas.map(hostOf)]);
    const moment = JSON.parse(stdout);
    expect(moment.windowMs).toBeGreaterThanOrEqual(190);
    expect(moment.totals).toMatchObject({ errors: 0, callsPerSecond: 0, p50: null });
  });

  it('with --watch looks again and again until it is interrupted, and then ends well', async () => {
    const watch = spawn(
      process.execPath,
      [
        join(ROOT, 'core/cli/fleet.ts'),
        'status',
        '--watch',
        '--json',
        '--interval',
        '0.2',
        hostOf(replicas[0] as Fleet),
      ],
      { cwd: ROOT, env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ended = once(watch, 'close');
    let said = '';
    watch.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until('three looks', () => said.split('\n').length > 3, { timeoutMs: 20_000 });
    watch.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    const looks = said
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).windowMs);
    expect(looks[0]).toBe('since_start');
    expect(looks[1]).toBeGreaterThan(0);
  });

  it('refuses what is no address and no interval, before it asks anybody', async () => {
    const { code, stdout, stderr } = await fleet(['status', 'https://x', '--interval', '0']);
    expect(code).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/--interval.*must be a number of seconds/);
    expect(stderr).toContain('https://x');
  });
});
