/** Holds what watches the fleet against what the fleet emits; nothing is started for it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '#core/http/problem.ts';
import { INSTRUMENTS, type Instrument, prometheusLabel, prometheusName } from '#core/telemetry/instruments.ts';
import { bridges } from '../../bridges/index.ts';
import { allQueries, OTEL, type Panel, readDashboards, readRules, readYaml } from '../support/monitoring.ts';
import { namesIn } from '../support/promql.ts';

const RULES = readRules();
const ALERTS = RULES.filter(({ alert }) => alert !== undefined);
const DASHBOARDS = readDashboards();

/** What prometheus.yaml gives every target. */
const OF_TARGETS = ['job', 'instance', 'component'];

/** Every series that there can be, with its labels. */
const SERIES: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ...Object.values<Instrument>(INSTRUMENTS).flatMap((instrument): [string, Set<string>][] => {
    const name = prometheusName(instrument);
    const labels = [...instrument.labels.map(prometheusLabel), ...OF_TARGETS];
    return instrument.kind === 'histogram'
      ? [
          [`${name}_bucket`, new Set([...labels, 'le'])],
          [`${name}_count`, new Set(labels)],
          [`${name}_sum`, new Set(labels)],
        ]
      : [[name, new Set(labels)]];
  }),
  ...RULES.flatMap(({ record, expr }): [string, Set<string>][] =>
    record === undefined
      ? []
      : [[record, new Set(record.split(':')[0] === 'bridge' ? ['bridge'] : namesIn(expr).groupings)]],
  ),
  // Prometheus's own.
  ['up', new Set(OF_TARGETS)],
  ['ALERTS', new Set(['alertname', 'alertstate'])],
]);

describe('every query', () => {
  it.each(allQueries())('of $where names metrics and labels that exist', ({ expr }) => {
    const { selectors, groupings } = namesIn(expr);
    expect(selectors.length + (expr.startsWith('vector(') ? 1 : 0)).toBeGreaterThan(0);
    const unknown = selectors.flatMap(({ metric, labels }) => {
      const known = SERIES.get(metric);
      return known === undefined ? [metric] : labels.filter((label) => !known.has(label)).map((l) => `${metric}{${l}}`);
    });
    const available = new Set(selectors.flatMap(({ metric }) => [...(SERIES.get(metric) ?? [])]));
    expect([...unknown, ...groupings.filter((label) => !available.has(label))]).toEqual([]);
  });

  it('is read as Prometheus reads it', () => {
    expect(
      namesIn(
        'sum by (bridge, le) (rate(a_bucket{x=~"by (y)",z!="b"}[5m] offset 1h)) / on (job) group_left () b:c > 1e3 and up',
      ),
    ).toEqual({
      selectors: [
        { metric: 'a_bucket', labels: ['x', 'z'] },
        { metric: 'b:c', labels: [] },
        { metric: 'up', labels: [] },
      ],
      groupings: ['bridge', 'le', 'job'],
    });
  });

  it('that a person would want to ask is asked: no metric is on no dashboard', () => {
    const asked = new Set(allQueries().flatMap(({ expr }) => namesIn(expr).selectors.map(({ metric }) => metric)));
    const forgotten = Object.values<Instrument>(INSTRUMENTS)
      .map((instrument) => prometheusName(instrument))
      .filter((name) => !asked.has(name) && !asked.has(`${name}_bucket`) && !asked.has(`${name}_count`));
    expect(forgotten).toEqual([]);
  });
});

describe('the rules', () => {
  it('count as failed exactly the outcomes that callers see as 5xx, but for two that are the operator’s own choice', () => {
    const { expr = '' } = RULES.find(({ record }) => record === 'bridge:call_failures:rate5m') ?? {};
    const counted = /outcome=~"([^"]*)"/.exec(expr)?.[1]?.split('|') ?? [];
    const failures = Object.entries(PROBLEMS).filter(([, { status }]) => status >= 500);
    expect([...counted, 'not_configured', 'input_required_unsupported'].sort()).toEqual(
      failures.map(([code]) => code).sort(),
    );
  });

  it('name only reasons of refused calls that are codes of problems', () => {
    const reasons = allQueries().flatMap(({ expr }) =>
      Array.from(expr.matchAll(/bridge_calls_shed_total\{[^}]*reason=~"([^"]*)"/g), ([, list = '']) =>
        list.split('|'),
      ).flat(),
    );
    expect(reasons.length).toBeGreaterThan(0);
    expect(reasons.filter((reason) => !Object.hasOwn(PROBLEMS, reason))).toEqual([]);
  });

  it.each(ALERTS)('say of $alert ($expr) how bad it is, with numbers, and where its runbook is', (rule) => {
    const { severity } = rule.labels ?? {};
    const { summary = '', description = '', runbook = '' } = rule.annotations ?? {};
    expect(['page', 'ticket']).toContain(severity);
    expect(summary).toContain('{{ $');
    expect(description).toMatch(/\.$/);
    expect(runbook).toBe(`otel/README.md#${rule.alert?.toLowerCase()}`);
    const headings = readFileSync(join(OTEL, 'README.md'), 'utf8').match(/^### .*$/gm) ?? [];
    expect(headings).toContain(`### ${rule.alert}`);
  });

  it('leave no runbook behind of an alert that there is not', () => {
    const names = new Set(ALERTS.map(({ alert }) => alert));
    const headings = readFileSync(join(OTEL, 'README.md'), 'utf8').match(/^### Fleet\w+$/gm) ?? [];
    expect(headings.map((heading) => heading.slice(4)).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('Prometheus', () => {
  const config = readYaml('prometheus/prometheus.yaml');

  it('scrapes all replicas of all bridges that come with the fleet, found by DNS', () => {
    const [{ dns_sd_configs: found, relabel_configs: labels }] = config.scrape_configs;
    expect(found).toEqual([
      {
        names: Object.keys(bridges)
          .map((name) => `mcp-${name}`)
          .sort(),
        type: 'A',
        port: 9464,
        refresh_interval: '5s',
      },
    ]);
    expect(labels).toContainEqual({ source_labels: ['__meta_dns_name'], regex: 'mcp-(.+)', target_label: 'job' });
  });

  it('is asked by Grafana for rates over the interval at which it scrapes', () => {
    const { datasources } = readYaml('grafana/provisioning/datasources/datasources.yaml');
    expect(datasources[0].jsonData.timeInterval).toBe(config.global.scrape_interval);
  });
});

describe('Alertmanager', () => {
  const config = readYaml('alertmanager/alertmanager.yaml');

  it('has every receiver that it sends to, and inhibits alerts that exist', () => {
    const receivers = config.receivers.map(({ name }: { name: string }) => name);
    const used = [config.route.receiver, ...config.route.routes.map(({ receiver }: { receiver: string }) => receiver)];
    expect(new Set(used)).toEqual(new Set(receivers));
    const names = config.inhibit_rules.flatMap((rule: { source_matchers: string[]; target_matchers: string[] }) =>
      [...rule.source_matchers, ...rule.target_matchers].flatMap(
        (matcher) => /^alertname=~?"(.*)"$/.exec(matcher)?.[1]?.split('|') ?? [],
      ),
    );
    expect(names.length).toBeGreaterThan(0);
    const known = ALERTS.map(({ alert }) => alert);
    expect(names.filter((name: string) => !known.includes(name))).toEqual([]);
  });
});

describe('the collector', () => {
  const config = readYaml('collector/config.yaml');
  const { traces } = config.service.pipelines;

  it('defines everything that a pipeline names, and nothing that none names', () => {
    for (const kind of ['receivers', 'processors', 'exporters'] as const) {
      expect(Object.keys(config[kind]).sort(), kind).toEqual([...traces[kind]].sort());
    }
    expect(Object.keys(config.extensions)).toEqual(config.service.extensions);
  });

  it('refuses before it runs out of memory, samples whole traces, and batches last', () => {
    expect(traces.processors).toEqual(['memory_limiter', 'tail_sampling', 'batch']);
  });

  it('keeps errors, slow calls and a share of the rest', () => {
    const { policies, decision_wait: wait } = config.processors.tail_sampling;
    expect(policies).toMatchObject([
      { type: 'status_code', status_code: { status_codes: ['ERROR'] } },
      { type: 'latency', latency: { threshold_ms: 1000 } },
      { type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
    ]);
    expect(wait).toBe('30s');
  });

  it('takes OTLP over gRPC and HTTP, hands on to where Tempo listens, and shows its own figures where they are scraped', () => {
    expect(config.receivers.otlp.protocols).toEqual({
      grpc: { endpoint: '0.0.0.0:4317' },
      http: { endpoint: '0.0.0.0:4318' },
    });
    const tempo = readYaml('tempo/tempo.yaml');
    const port = tempo.distributor.receivers.otlp.protocols.grpc.endpoint.split(':')[1];
    expect(config.exporters['otlp/tempo'].endpoint).toBe(`tempo:${port}`);
    const own = config.service.telemetry.metrics.readers[0].pull.exporter.prometheus.port;
    const scraped = readYaml('prometheus/prometheus.yaml').scrape_configs[1].static_configs[0].targets;
    expect(scraped).toContain(`collector:${own}`);
    expect(scraped).toContain(`tempo:${tempo.server.http_listen_port}`);
  });
});

describe('Grafana', () => {
  const { datasources } = readYaml('grafana/provisioning/datasources/datasources.yaml');
  const uids: string[] = datasources.map(({ uid }: { uid: string }) => uid);

  it('leads from a span to the metrics of its bridge, in a data source that exists', () => {
    const tempo = datasources.find(({ type }: { type: string }) => type === 'tempo');
    expect(uids).toContain(tempo.jsonData.tracesToMetrics.datasourceUid);
    expect(new Set(uids).size).toBe(uids.length);
  });

  it('has a dashboard of the fleet, of a bridge and of a pool, each with its own uid', () => {
    expect(DASHBOARDS.map(({ file }) => file).sort()).toEqual(
      ['bridge', 'fleet', 'pool'].map((name) => `grafana/dashboards/${name}.json`),
    );
    expect(new Set(DASHBOARDS.map(({ uid }) => uid)).size).toBe(3);
  });

  describe.each(DASHBOARDS)('$title', ({ panels, templating, annotations, file }) => {
    const shown = panels.filter(({ type }) => type !== 'row');

    it('asks data sources that exist, with a query in every panel and a refId of its own for each', () => {
      const asked = [
        ...shown.flatMap(({ datasource, targets = [] }) => [datasource?.uid, ...targets.map((t) => t.datasource.uid)]),
        ...templating.list.map(({ datasource }) => datasource.uid),
        ...annotations.list.map(({ datasource }) => datasource.uid),
      ];
      expect(asked.filter((uid) => uid === undefined || !uids.includes(uid))).toEqual([]);
      for (const { title, targets = [] } of shown) {
        expect(targets.length, title).toBeGreaterThan(0);
        expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      }
    });

    it('has panels of kinds that Grafana has, each with an id, a title and a unit', () => {
      const kinds = ['row', 'timeseries', 'stat', 'table', 'heatmap', 'bargauge', 'state-timeline'];
      expect(panels.filter(({ type }) => !kinds.includes(type))).toEqual([]);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      expect(panels.filter(({ title }) => title === '')).toEqual([]);
      expect(shown.filter(({ fieldConfig }) => fieldConfig?.defaults.unit === undefined)).toEqual([]);
    });

    it('lays its panels beside each other, not over each other', () => {
      for (const [i, panel] of panels.entries()) {
        expect(panel.gridPos.x + panel.gridPos.w, panel.title).toBeLessThanOrEqual(24);
        expect(
          panels
            .slice(i + 1)
            .filter((other) => overlap(panel, other))
            .map(({ title }) => title),
          panel.title,
        ).toEqual([]);
      }
    });

    it('uses variables that it has, and has none that it does not use', () => {
      const text = readFileSync(join(OTEL, file), 'utf8');
      const used = new Set(Array.from(text.matchAll(/\$(?!_)\{?(\w+)/g), ([, name]) => name));
      expect(used).toEqual(new Set(templating.list.map(({ name }) => name)));
    });
  });
});

describe('the tests of the alerts', () => {
  const tests: { alert_rule_test?: { alertname: string; exp_alerts?: unknown[] }[] }[] = [
    'calls',
    'bridges',
    'stores',
  ].flatMap((name) => readYaml(`prometheus/tests/${name}.yaml`).tests);
  const asked = tests.flatMap(({ alert_rule_test = [] }) => alert_rule_test);

  it.each([...new Set(ALERTS.map(({ alert }) => alert))])('see %s fire, and see it not fire', (name) => {
    const looks = asked.filter(({ alertname }) => alertname === name);
    expect(looks.some(({ exp_alerts: expected = [] }) => expected.length > 0)).toBe(true);
    expect(looks.some(({ exp_alerts: expected = [] }) => expected.length === 0)).toBe(true);
  });
});

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
