import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from './free-port.ts';
import { OTEL, readYaml } from './monitoring.ts';
import { runBinary } from './monitoring-binary.ts';
import { until } from './until.ts';

/** One series of an instant query. */
export interface QueryResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A rule as it was last evaluated; `state` of an alert is `inactive`, `pending` or `firing`. */
export interface EvaluatedRule {
  readonly name: string;
  readonly health: string;
  readonly state?: string;
  readonly lastError?: string;
}

/** A real Prometheus with our configuration, but for where its targets are and how often it looks. */
export class TestPrometheus implements AsyncDisposable {
  readonly url: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, stop: () => Promise<void>) {
    this.url = url;
    this.#stop = stop;
  }

  /**
   * `targets`: `host:port` of ops ports by the bridge that each stands for, in place of what DNS would say.
   * @throws Error saying what to install where there is none on this machine
   */
  static async start(targets: Readonly<Record<string, readonly string[]>>): Promise<TestPrometheus> {
    await runBinary('prometheus', ['--version'], OTEL);
    const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
    mkdirSync(join(folder, 'rules'));
    for (const name of readdirSync(join(OTEL, 'prometheus/rules'))) {
      const text = readFileSync(join(OTEL, 'prometheus/rules', name), 'utf8');
      writeFileSync(join(folder, 'rules', name), text.replaceAll('interval: 1m', 'interval: 1s'));
    }
    writeFileSync(
      join(folder, 'prometheus.yaml'),
      stringify(withTargets(readYaml('prometheus/prometheus.yaml'), targets)),
    );
    const port = await freePort();
    const process = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
    const url = `http://127.0.0.1:${port}`;
    const prometheus = new TestPrometheus(url, async () => {
      if (process.exitCode === null && process.signalCode === null) {
        const closed = once(process, 'close');
        process.kill('SIGKILL');
        await closed;
      }
      rmSync(folder, { recursive: true, force: true });
    });
    try {
      await until(
        'Prometheus is ready',
        async () => {
          if (process.exitCode !== null) throw new Error(`Prometheus ended:\n${said}`);
          return fetch(`${url}/-/ready`).then(
            ({ ok }) => ok,
            () => false,
          );
        },
        { timeoutMs: 30_000, everyMs: 100 },
      );
      return prometheus;
    } catch (error) {
      await prometheus[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @throws Error with what Prometheus says against the query */
  async query(expr: string): Promise<QueryResult[]> {
    const answer = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expr }),
    });
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data?: { result: QueryResult[] };
    };
    if (status !== 'success' || data === undefined) throw new Error(`${expr}: ${error}`);
    // A scalar is no list of series.
    return Array.isArray(data.result) ? data.result : [];
  }

  /** All rules as they were last evaluated, by name. */
  async rules(): Promise<EvaluatedRule[]> {
    const { data } = (await (await fetch(`${this.url}/api/v1/rules`)).json()) as {
      data: { groups: { rules: EvaluatedRule[] }[] };
    };
    return data.groups.flatMap(({ rules }) => rules);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

interface ScrapeConfig {
  readonly job_name: string;
  readonly dns_sd_configs?: object;
  readonly relabel_configs: readonly object[];
}

/** Each target gets the name that DNS discovery would have given it, so that our relabelling is what is tried. */
function withTargets(
  config: { global: object; scrape_configs: readonly ScrapeConfig[] },
  targets: Readonly<Record<string, readonly string[]>>,
): object {
  const [bridges, ...others] = config.scrape_configs;
  const { dns_sd_configs: _dns, ...scrape } = bridges ?? { job_name: '', relabel_configs: [] };
  const found = Object.entries(targets).map(([bridge, addresses]) => ({
    targets: addresses,
    labels: { __meta_dns_name: `mcp-${bridge}` },
  }));
  return {
    ...config,
    global: { ...config.global, scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    scrape_configs: [{ ...scrape, static_configs: found }, ...others],
  };
}
