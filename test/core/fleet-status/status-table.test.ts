import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { clipped, StatusScreen } from '#core/cli/status-screen.ts';
import { type Answer, fleetReport } from '#core/fleet-status/fleet-report.ts';
import { type BridgeLook, type Look, lookFrom } from '#core/fleet-status/look.ts';
import { durationText, latencyText, statusLines } from '#core/fleet-status/status-table.ts';

const INF = Number.POSITIVE_INFINITY;
const isFailure = (outcome: string): boolean => outcome === 'child_crashed';

function bridge(overrides: Partial<BridgeLook> = {}): BridgeLook {
  return {
    name: 'slack',
    mode: 'live',
    ready: true,
    state: 'ready',
    workers: { ready: 2, starting: 0, max: 4 },
    inFlight: 3,
    waiting: 0,
    queueMax: 256,
    calls: { ok: 90, child_crashed: 10 },
    latency: new Map([
      [0.005, 90],
      [0.1, 10],
      [INF, 0],
    ]),
    breakersOpen: [],
    restarts: 0,
    rssBytes: 50 * 1024 ** 2,
    ...overrides,
  };
}

function look(overrides: Partial<Look> = {}, ...bridges: readonly BridgeLook[]): Look {
  return {
    atMs: 100_000,
    version: '1.0.0',
    uptimeMs: 50_000,
    draining: false,
    store: 'redis ready',
    audit: 'ok',
    degraded: [],
    processRssBytes: undefined,
    bridges: bridges.length === 0 ? [bridge()] : bridges,
    ...overrides,
  };
}

const at = (replica: string, seen: Look): Answer => ({ replica, look: seen });

describe('the report', () => {
  it('without an earlier look is about the time since each start', () => {
    const { rows, windowMs } = fleetReport([at('a:1', look())], isFailure);
    expect(windowMs).toBe('since_start');
    expect(rows[0]).toMatchObject({ callsPerSecond: 2, errors: 10, state: 'ready' });
    expect(rows[0]?.p50).toEqual({ seconds: 0.005, is: 'below' });
  });

  it('with an earlier look is about the time between', () => {
    const before = new Map([
      ['a:1', look({ atMs: 90_000, uptimeMs: 40_000 }, bridge({ calls: { ok: 50 }, latency: new Map([[0.005, 90]]) }))],
    ]);
    const { rows, windowMs } = fleetReport([at('a:1', look())], isFailure, before);
    expect(windowMs).toBe(10_000);
    expect(rows[0]).toMatchObject({ callsPerSecond: 5, errors: 10 });
    expect(rows[0]?.p50).toMatchObject({ is: 'about' });
  });

  it('starts anew with a process that was started anew', () => {
    const before = new Map([
      ['a:1', look({ atMs: 90_000, uptimeMs: 4_000_000 }, bridge({ calls: { ok: 1_000_000 } }))],
    ]);
    const { rows, windowMs } = fleetReport([at('a:1', look())], isFailure, before);
    expect(windowMs).toBe('since_start');
    expect(rows[0]?.callsPerSecond).toBe(2);
  });

  it('adds replicas up, quantiles from all buckets together, and counts versions and stores', () => {
    const slow = bridge({
      latency: new Map([
        [0.005, 0],
        [0.1, 0],
        [INF, 100],
      ]),
      breakersOpen: ['post'],
    });
    const report = fleetReport(
      [at('a:1', look()), at('b:1', look({ version: '1.1.0', store: 'redis away' }, slow))],
      isFailure,
    );
    expect(report.totals).toMatchObject({
      replicas: 2,
      workers: { ready: 4, starting: 0, max: 8 },
      callsPerSecond: 4,
      errors: 20,
      breakersOpen: ['slack/post'],
      p99: { seconds: 0.1, is: 'above' },
    });
    expect(report.versions).toEqual({ '1.0.0': 1, '1.1.0': 1 });
    expect(report.stores).toEqual({ 'redis ready': 1, 'redis away': 1 });
  });

  it('orders rows by bridge, then by replica as a person would', () => {
    const answers = ['10.0.0.10:1', '10.0.0.9:1'].map((replica) =>
      at(replica, look({}, bridge(), bridge({ name: 'gdrive' }))),
    );
    expect(fleetReport(answers, isFailure).rows.map((row) => [row.bridge, row.replica])).toEqual([
      ['gdrive', '10.0.0.9:1'],
      ['gdrive', '10.0.0.10:1'],
      ['slack', '10.0.0.9:1'],
      ['slack', '10.0.0.10:1'],
    ]);
  });
});

describe('the table', () => {
  const report = fleetReport(
    [
      at('10.0.0.1:9464', look()),
      at(
        '10.0.0.2:9464',
        look({ version: '1.1.0', uptimeMs: 5_000, draining: true }, bridge({ breakersOpen: ['post'], restarts: 2 })),
      ),
      { replica: '10.0.0.3:9464', problem: 'no answer within 3000 ms' },
    ],
    isFailure,
  );

  it('has a row for each bridge and replica, what they add up to, and why one did not answer', () => {
    expect(statusLines(report, false)).toEqual([
      'BRIDGE  REPLICA        MODE  STATE     WORKERS  BUSY  QUEUE  CALLS/S    P50    P99  ERRORS  BREAKERS  RESTARTS      RSS  UPTIME  VERSION',
      'slack   10.0.0.1:9464  live  ready         2/4     3  0/256      2.0  <5 ms  91 ms      10         0         0   50 MiB     50s  1.0.0',
      'slack   10.0.0.2:9464  live  draining      2/4     3  0/256     20.0  <5 ms  91 ms      10         1         2   50 MiB      5s  1.1.0',
      '?       10.0.0.3:9464  -     no answer within 3000 ms',
      'total   3 replicas                         4/8     6  0/512     22.0  <5 ms  91 ms      20         1         2  100 MiB',
      '',
      'calls/s, p50, p99 and errors are since the start of each process',
      'stores: redis ready ×2 · audit: ok ×2',
      'versions: 1.0.0 ×1, 1.1.0 ×1 (a deploy is under way)',
      'breakers open: slack/post',
      '1 of 3 replicas did not answer',
    ]);
  });

  it('with colours says the same', () => {
    const coloured = statusLines(report, true);
    expect(coloured.join('\n')).toContain('\u001b[31m');
    expect(coloured.map((line) => stripVTControlCharacters(line).trimEnd())).toEqual(statusLines(report, false));
  });

  it('writes latencies and times for people', () => {
    expect(latencyText({ seconds: 0.00341, is: 'about' })).toBe('3.4 ms');
    expect(latencyText({ seconds: 1.234, is: 'about' })).toBe('1.2 s');
    expect(latencyText({ seconds: 10, is: 'above' })).toBe('>10 s');
    expect(latencyText(null)).toBe('-');
    expect([5_000, 65_000, 3_700_000, 200_000_000].map(durationText)).toEqual(['5s', '1m 5s', '1h 1m', '2d 7h']);
  });
});

describe('what a replica says', () => {
  it('of another kind than expected counts as nothing, and cannot move the terminal', () => {
    const seen = lookFrom(
      JSON.stringify({
        version: '\u001b[2J1.0',
        stores: 7,
        bridges: { a: { pool: { workers: 'none', ended: [1] }, calls: null } },
      }),
      'not metrics at all',
      0,
    );
    expect(seen).toMatchObject({
      version: '[2J1.0',
      store: '',
      bridges: [{ name: 'a', state: 'not_configured', restarts: 0 }],
    });
  });

  it('that is no status of a fleet is told as that', () => {
    expect(() => lookFrom('<html>', '', 0)).toThrow('this is not the ops port of a fleet');
    expect(() => lookFrom('{}', '', 0)).toThrow('this is not the ops port of a fleet');
  });

  it('counts as restarts only ends that nobody planned', () => {
    const ended = { crashed: 2, rss: 1, idle: 10, age: 10, uses: 10, reload: 10, shutdown: 10 };
    const seen = lookFrom(JSON.stringify({ version: '1', bridges: { a: { pool: { ended } } } }), '', 0);
    expect(seen.bridges[0]?.restarts).toBe(3);
  });
});

describe('the screen', () => {
  it('is drawn over itself in one write, cut to the terminal, and given back at the end', () => {
    const written: string[] = [];
    const terminal = { columns: 5, rows: 2, write: (text: string) => written.push(text) };
    {
      using screen = new StatusScreen(terminal);
      screen.draw(['\u001b[31m1234567\u001b[0m', 'ab', 'cut off']);
    }
    expect(written).toHaveLength(3);
    expect(written[1]).not.toContain('\u001b[2J');
    expect(stripVTControlCharacters(written[1] ?? '')).toBe('12345\r\nab');
    expect(written[2]).toContain('\u001b[?1049l');
  });

  it('counts no colours as width', () => {
    expect(clipped('\u001b[31mabc\u001b[0m', 3)).toBe('\u001b[31mabc\u001b[0m');
    expect(stripVTControlCharacters(clipped('\u001b[31mabcd\u001b[0m', 3))).toBe('abc');
  });
});
