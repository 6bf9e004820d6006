/** A real Prometheus looks at a real fleet that is under load and in trouble; what nobody emits would be seen here. */
import { createHash } from 'node:crypto';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { allQueries, OTEL } from '../support/monitoring.ts';
import { runBinary } from '../support/monitoring-binary.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { TestPrometheus } from '../support/prometheus.ts';
import { namesIn, withoutVariables } from '../support/promql.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const KEY = 'a-key-of-a-caller';

describe('with the programs themselves', () => {
  it('promtool finds nothing wrong with the configuration and its rules', async () => {
    const said = await runBinary('promtool', ['check', 'config', 'prometheus/prometheus.yaml'], OTEL);
    expect(said).not.toContain('FAILED');
    expect(said).toMatch(/4 rule files found/);
  });

  it('promtool sees every alert fire when it should and not otherwise', async () => {
    const files = globSync('prometheus/tests/*.yaml', { cwd: OTEL });
    const said = await runBinary('promtool', ['test', 'rules', ...files], OTEL);
    expect(said.match(/SUCCESS/g)).toHaveLength(files.length);
  });

  it('amtool reads the Alertmanager’s configuration, and pages go to the pager, the rest to tickets', async () => {
    await runBinary('amtool', ['check-config', 'alertmanager/alertmanager.yaml'], OTEL);
    const routed = (labels: string) =>
      runBinary(
        'amtool',
        [
          'config',
          'routes',
          'test',
          `--config.file=${join(OTEL, 'alertmanager/alertmanager.yaml')}`,
          ...labels.split(' '),
        ],
        OTEL,
      ).then((said) => said.split('\n')[0]);
    expect(await routed('alertname=FleetBridgeDown severity=page bridge=slack')).toBe('pager');
    expect(await routed('alertname=FleetBreakerOpen severity=ticket bridge=slack')).toBe('tickets');
  });
});

describe('a fleet under load, scraped by Prometheus', () => {
  let redis: TestRedis;
  let postgres: TestPostgres;
  let fleets: Fleet[];
  let prometheus: TestPrometheus;
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  const keyFile = join(folder, 'keys.json');
  const ended = new AbortController();
  let load: Promise<void>;

  beforeAll(async () => {
    const sha256 = createHash('sha256').update(KEY).digest('hex');
    writeFileSync(keyFile, JSON.stringify([{ id: 'planner', sha256, allow: ['*:*'], ratePerMinute: 1_000_000 }]));
    [redis, postgres] = await Promise.all([startTestRedis(), startTestPostgres()]);
    fleets = await Promise.all([startFleet(), startFleet()]);
    prometheus = await TestPrometheus.start({ fake: fleets.map(({ opsUrl }) => new URL(opsUrl).host) });
    load = keepBusy();
  });

  afterAll(async () => {
    ended.abort();
    await load;
    await prometheus[Symbol.asyncDispose]();
    await Promise.all(fleets.map((fleet) => fleet[Symbol.asyncDispose]()));
    await redis[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  function startFleet(): Promise<Fleet> {
    return Fleet.fake(
      {},
      {
        pool: { min: 1, max: 1, concurrency: 2, queueMax: 2 },
        breaker: { minCalls: 3, openMs: 60_000 },
        tools: {
          echo: { effect: 'read', cacheTtlMs: 200 },
          'tool-error': { effect: 'write' },
          sleep: { effect: 'read', deadlineMs: 1_000 },
          crash: { effect: 'read' },
        },
      },
      {
        env: { REDIS_URL: redis.url, AUDIT_DATABASE_URL: postgres.url, AUTH: 'keys', API_KEYS_FILE: keyFile },
      },
    );
  }

  /** Every kind of ending again and again: answered, cached, keyed, refused, crashed, timed out, shed. */
  async function keepBusy(): Promise<void> {
    for (let turn = 0; !ended.signal.aborted; turn++) {
      const calls = fleets.flatMap((fleet) => {
        const call = (tool: string, args: Readonly<Record<string, unknown>>, key?: string) =>
          fleet.call(tool, args, {
            headers: { authorization: `Bearer ${KEY}`, ...(key === undefined ? {} : { 'idempotency-key': key }) },
          });
        return [
          fleet.call('echo', { text: 'without a key' }),
          call('echo', { text: 'the same' }),
          call('received', {}, `key-${turn % 5}`),
          call('tool-error', { text: 'no' }),
          call('noise', { lines: 1 }),
          call('bad', { shape: 'both' }),
          ...Array.from({ length: 6 }, () => call('sleep', { ms: 20 })),
          ...(turn % 20 === 0 ? [call('crash', {}), call('stderr', { bytes: 1_000 })] : []),
        ];
      });
      await Promise.allSettled(calls);
    }
  }

  it('has every replica as a target, by bridge and address', async () => {
    const targets = await until(
      'both replicas are up',
      async () => {
        const up = await prometheus.query('up{component="bridge"} == 1');
        return up.length === 2 ? up : undefined;
      },
      { timeoutMs: 60_000, everyMs: 200 },
    );
    expect(targets.map(({ metric }) => [metric.job, metric.instance]).sort()).toEqual(
      fleets.map(({ opsUrl }) => ['fake', new URL(opsUrl).host]).sort(),
    );
  });

  it('emits every metric that a dashboard, rule or alert names, with the labels that they go by', async () => {
    const selectors = allQueries().flatMap(({ expr }) => namesIn(expr).selectors);
    const labelsOf = new Map<string, Set<string>>();
    for (const { metric, labels } of selectors) {
      // ALERTS is there only while one is pending.
      if (metric !== 'ALERTS') labelsOf.set(metric, new Set([...(labelsOf.get(metric) ?? []), ...labels]));
    }
    let missing: string[] = [];
    await until(
      'every metric is there',
      async () => {
        missing = [];
        for (const [metric, labels] of labelsOf) {
          const series = await prometheus.query(metric);
          const has = (label: string) => series.some((one) => one.metric[label] !== undefined);
          if (series.length === 0) missing.push(metric);
          else missing.push(...[...labels].filter((label) => !has(label)).map((label) => `${metric}{${label}}`));
        }
        return missing.length === 0;
      },
      { timeoutMs: 100_000, everyMs: 1_000 },
    ).catch((error: Error) => {
      throw new Error(`${error.message}; missing: ${missing.join(', ')}`);
    });
  });

  it('can be asked every query of every dashboard, rule and alert', async () => {
    const values = { $bridge: 'fake', $instance: '.*' };
    for (const { where, expr } of allQueries()) {
      const answer = prometheus.query(withoutVariables(expr, values));
      await expect(answer, where).resolves.toBeInstanceOf(Array);
    }
  });

  it('is judged by rules that all evaluate, and that see its failures and its open breaker', async () => {
    const rules = await until(
      'all rules were evaluated, and what is wrong was seen',
      async () => {
        const all = await prometheus.rules();
        const seen = (name: string) => all.some((rule) => rule.name === name && rule.state !== 'inactive');
        const done = all.every(({ health }) => health !== 'unknown');
        return done && seen('FleetErrorBudgetBurn') && seen('FleetBreakerOpen') ? all : undefined;
      },
      { timeoutMs: 90_000, everyMs: 500 },
    );
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  });
});
