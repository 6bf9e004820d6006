import type { Environment } from '#core/config/environment.ts';
import { type Problem, Problems } from '#core/config/problems.ts';

/** How OTLP is spoken. */
export type OtlpProtocol = 'http/protobuf' | 'http/json' | 'grpc';

/** What is exported and how, as far as we set it up; endpoints, headers, certificates, sampler and resource are read by the SDK itself. */
export interface TelemetrySettings {
  /** Undefined: no spans are made. */
  readonly traces: OtlpProtocol | undefined;
  /** Undefined: the numbers are on the ops port only. */
  readonly metrics: OtlpProtocol | undefined;
  readonly spans: {
    readonly maxQueueSize: number;
    readonly maxExportBatchSize: number;
    readonly scheduledDelayMillis: number;
    readonly exportTimeoutMillis: number;
  };
  readonly metricIntervalMs: number;
  readonly metricTimeoutMs: number;
  /** Keys of the caller's baggage that go down to children. */
  readonly baggageKeys: ReadonlySet<string>;
}

const PROTOCOLS: readonly OtlpProtocol[] = ['http/protobuf', 'http/json', 'grpc'];

/**
 * What the standard variables ask for; undefined where they ask for nothing: a signal is exported where its endpoint, the common
 * endpoint or its exporter is said, and `OTEL_SDK_DISABLED` is not `true`. What cannot be used is a problem, and its default is taken:
 * a service does not stay down because it cannot be watched.
 */
export function telemetrySettings(environment: Environment): {
  readonly settings: TelemetrySettings | undefined;
  readonly problems: readonly Problem[];
} {
  const problems = new Problems();
  if (environment.get('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return { settings: undefined, problems: [] };
  const traces = protocolOf('TRACES', environment, problems);
  const metrics = protocolOf('METRICS', environment, problems);
  if (traces === undefined && metrics === undefined) return { settings: undefined, problems: problems.list };
  const number = (variable: string, ifUnset: number): number => {
    const said = environment.get(variable);
    if (said === undefined) return ifUnset;
    const value = Number(said);
    if (Number.isInteger(value) && value > 0) return value;
    problems.add(variable, `must be a whole number, 1 or more; ${ifUnset} is taken`);
    return ifUnset;
  };
  const maxQueueSize = number('OTEL_BSP_MAX_QUEUE_SIZE', 2048);
  const metricIntervalMs = number('OTEL_METRIC_EXPORT_INTERVAL', 60_000);
  const settings: TelemetrySettings = {
    traces,
    metrics,
    spans: {
      maxQueueSize,
      maxExportBatchSize: Math.min(number('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512), maxQueueSize),
      scheduledDelayMillis: number('OTEL_BSP_SCHEDULE_DELAY', 5_000),
      exportTimeoutMillis: number('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
    },
    metricIntervalMs,
    metricTimeoutMs: Math.min(number('OTEL_METRIC_EXPORT_TIMEOUT', 30_000), metricIntervalMs),
    baggageKeys: new Set(
      (environment.get('TELEMETRY_BAGGAGE_KEYS') ?? '')
        .split(',')
        .map((key) => key.trim())
        .filter((key) => key !== ''),
    ),
  };
  return { settings, problems: problems.list };
}

/** Credentials for the collector, as the SDK reads them: what must not appear in any output. */
export function collectorSecrets(environment: Environment): readonly string[] {
  return ['', 'TRACES_', 'METRICS_', 'LOGS_']
    .flatMap((signal) => environment.get(`OTEL_EXPORTER_OTLP_${signal}HEADERS`)?.split(',') ?? [])
    .map((header) => header.slice(header.indexOf('=') + 1).trim())
    .filter((value) => value !== '');
}

function protocolOf(
  signal: 'TRACES' | 'METRICS',
  environment: Environment,
  problems: Problems,
): OtlpProtocol | undefined {
  const variable = `OTEL_${signal}_EXPORTER`;
  const exporter = environment.get(variable)?.trim();
  if (exporter === 'none') return undefined;
  const endpoint =
    environment.get(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ?? environment.get('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (exporter === undefined && endpoint === undefined) return undefined;
  if (exporter !== undefined && exporter !== 'otlp') {
    problems.add(variable, 'must be otlp or none; nothing is exported');
    return undefined;
  }
  const own = `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`;
  const said = environment.get(own) ?? environment.get('OTEL_EXPORTER_OTLP_PROTOCOL');
  const protocol = PROTOCOLS.find((known) => known === said?.trim());
  if (said !== undefined && protocol === undefined) {
    const where = environment.get(own) === undefined ? 'OTEL_EXPORTER_OTLP_PROTOCOL' : own;
    problems.add(where, `must be one of ${PROTOCOLS.join(', ')}; http/protobuf is taken`);
  }
  return protocol ?? 'http/protobuf';
}
