import type { Environment } from '#core/config/environment.ts';
import { type Problem, Problems } from '#core/config/problems.ts';

/** How OTLP is spoken. */
export type OtlpProtocol = 'http/protobuf' | 'http/json' | 'grpc';

/** What is exported and how, as far as we set it up; endpoints, headers, certificates and resource are read by the SDK itself. */
export interface TelemetrySettings {
  /** Undefined: no spans are made. */
  readonly traces: OtlpProtocol | undefined;
  /** Undefined: the numbers are on the ops port only. */
  readonly metrics: OtlpProtocol | undefined;
  /** Which traces are recorded and exported. */
  readonly sampling: {
    /** The caller's word counts, where it says something. */
    readonly parentBased: boolean;
    /** Of the others, from 0 (none) to 1 (all). */
    readonly ratio: number;
  };
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

/** The standard samplers: by the caller's word or not, and the ratio of the rest; undefined where `OTEL_TRACES_SAMPLER_ARG` says it. */
const SAMPLERS: Readonly<Record<string, { readonly parentBased: boolean; readonly ratio: number | undefined }>> = {
  always_on: { parentBased: false, ratio: 1 },
  always_off: { parentBased: false, ratio: 0 },
  traceidratio: { parentBased: false, ratio: undefined },
  parentbased_always_on: { parentBased: true, ratio: 1 },
  parentbased_always_off: { parentBased: true, ratio: 0 },
  parentbased_traceidratio: { parentBased: true, ratio: undefined },
};
const DEFAULT_SAMPLER = 'parentbased_always_on';
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
    sampling: samplingOf(environment, problems),
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

function samplingOf(environment: Environment, problems: Problems): TelemetrySettings['sampling'] {
  const variable = 'OTEL_TRACES_SAMPLER';
  const said = environment.get(variable)?.trim() || DEFAULT_SAMPLER;
  if (!Object.hasOwn(SAMPLERS, said)) {
    problems.add(variable, `must be one of ${Object.keys(SAMPLERS).join(', ')}; ${DEFAULT_SAMPLER} is taken`);
    return { parentBased: true, ratio: 1 };
  }
  const { parentBased, ratio } = SAMPLERS[said] as (typeof SAMPLERS)[string];
  return { parentBased, ratio: ratio ?? samplerRatio(said, environment, problems) };
}

function samplerRatio(sampler: string, environment: Environment, problems: Problems): number {
  const variable = 'OTEL_TRACES_SAMPLER_ARG';
  const said = environment.get(variable)?.trim();
  const ratio = said ? Number(said) : Number.NaN;
  if (ratio >= 0 && ratio <= 1) return ratio;
  problems.add(variable, `must be a number from 0 to 1 with ${sampler}; 1 is taken, all traces`);
  return 1;
}
