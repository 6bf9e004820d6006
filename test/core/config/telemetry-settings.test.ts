import { expect, test } from 'vitest';
import { Environment } from '#core/config/environment.ts';
import { collectorSecrets, telemetrySettings } from '#core/config/telemetry-settings.ts';

const of = (variables: Readonly<Record<string, string>>) => telemetrySettings(new Environment(variables));

test.each([
  [{}, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' }, { traces: 'http/protobuf', metrics: 'http/protobuf' }],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' }, { traces: 'http/protobuf', metrics: undefined }],
  [{ OTEL_METRICS_EXPORTER: 'otlp' }, { traces: undefined, metrics: 'http/protobuf' }],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_EXPORTER: 'none' }, { traces: undefined }],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'TRUE' }, undefined],
  [
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
    },
    { traces: 'grpc', metrics: 'http/json' },
  ],
] as const)('%j asks for %j', (variables, wanted) => {
  const { settings, problems } = of(variables as Record<string, string>);
  if (wanted === undefined) expect(settings).toBeUndefined();
  else expect(settings).toMatchObject(wanted);
  expect(problems).toEqual([]);
});

test('what cannot be used is told, and its default is taken', () => {
  const { settings, problems } = of({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'carrier pigeon',
    OTEL_BSP_MAX_QUEUE_SIZE: '-1',
    OTEL_METRIC_EXPORT_INTERVAL: '100',
  });
  expect(settings).toMatchObject({ traces: 'http/protobuf', spans: { maxQueueSize: 2048 }, metricTimeoutMs: 100 });
  expect(problems.map(({ where }) => where).sort()).toEqual(['OTEL_BSP_MAX_QUEUE_SIZE', 'OTEL_EXPORTER_OTLP_PROTOCOL']);
});

test.each([
  [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, 'OTEL_TRACES_SAMPLER', { parentBased: true, ratio: 1 }],
  [{ OTEL_TRACES_SAMPLER: 'toString' }, 'OTEL_TRACES_SAMPLER', { parentBased: true, ratio: 1 }],
  ...['1.1', '-0.1', 'a tenth', ' ', undefined].map(
    (arg) =>
      [
        { OTEL_TRACES_SAMPLER: 'traceidratio', ...(arg !== undefined && { OTEL_TRACES_SAMPLER_ARG: arg }) },
        'OTEL_TRACES_SAMPLER_ARG',
        { parentBased: false, ratio: 1 },
      ] as const,
  ),
] as const)('a sampler that cannot be used is told: %j', (variables, where, sampling) => {
  const { settings, problems } = of({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', ...variables });
  expect(settings).toMatchObject({ sampling });
  expect(problems.map((problem) => problem.where)).toEqual([where]);
});

test('credentials of the collector are secrets', () => {
  const environment = new Environment({
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc=, x-team=blue',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'key=canary',
  });
  expect(collectorSecrets(environment)).toEqual(['Basic%20abc=', 'blue', 'canary']);
});
