import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

/** The folder of everything that watches the fleet. */
export const OTEL = resolve(import.meta.dirname, '../../otel');

/** A rule of Prometheus: `record` or `alert`. */
export interface Rule {
  readonly file: string;
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly uid: string };
  }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly definition: string;
      readonly datasource: { uid: string };
    }[];
  };
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr: string; readonly datasource: { uid: string } }[];
  };
}

/** A query, and where it is written. */
export interface Query {
  readonly where: string;
  readonly expr: string;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary configurations
export function readYaml(path: string): any {
  return parse(readFileSync(join(OTEL, path), 'utf8'));
}

export function readRules(): Rule[] {
  return globSync('prometheus/rules/*.yaml', { cwd: OTEL }).flatMap((file) =>
    readYaml(file).groups.flatMap((group: { rules: object[] }) =>
      group.rules.map((rule) => ({ file, ...rule }) as Rule),
    ),
  );
}

export function readDashboards(): Dashboard[] {
  return globSync('grafana/dashboards/*.json', { cwd: OTEL }).map((file) => ({
    file,
    ...JSON.parse(readFileSync(join(OTEL, file), 'utf8')),
  }));
}

/** Every query of rules, alerts, panels, annotations, variables and links from traces. */
export function allQueries(): Query[] {
  const rules = readRules().map(({ file, record, alert, expr }) => ({ where: `${file} ${record ?? alert}`, expr }));
  const dashboards = readDashboards().flatMap(({ file, panels, annotations, templating }) => [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `${file} ${title}`, expr }))),
    ...annotations.list.map(({ name, expr }) => ({ where: `${file} annotation ${name}`, expr })),
    // label_values(metric{…}, label)
    ...templating.list.map(({ name, definition }) => ({
      where: `${file} variable ${name}`,
      expr: /^label_values\((.*), \w+\)$/.exec(definition)?.[1] ?? definition,
    })),
  ]);
  const { datasources } = readYaml('grafana/provisioning/datasources/datasources.yaml');
  const links = datasources.flatMap(({ name, jsonData }: { name: string; jsonData?: { tracesToMetrics?: unknown } }) =>
    ((jsonData?.tracesToMetrics as { queries: { name: string; query: string }[] } | undefined)?.queries ?? []).map(
      (link) => ({ where: `datasource ${name}: ${link.name}`, expr: link.query }),
    ),
  );
  return [...rules, ...dashboards, ...links];
}
