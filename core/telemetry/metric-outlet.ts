import { type HrTime, ValueType } from '@opentelemetry/api';
import { ExportResultCode, hrTime } from '@opentelemetry/core';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import type { TelemetrySettings } from '#core/config/telemetry-settings.ts';
import { type Family, labelsOf } from '#core/telemetry/families.ts';

/** Sends the numbers of the ops port as OTLP: the SDK reads them as a producer of metrics, so that nothing is counted twice. */
export class MetricOutlet implements MetricProducer {
  readonly dropped = { queue_full: 0, failed: 0 };
  readonly reader: PeriodicExportingMetricReader;
  /** Everything is told since the start of the process. */
  readonly #startTime: HrTime = hrTime(0);
  #families: () => readonly Family[] = () => [];

  constructor(exporter: PushMetricExporter, { metricIntervalMs, metricTimeoutMs }: TelemetrySettings) {
    this.reader = new PeriodicExportingMetricReader({
      exporter: this.#counting(exporter),
      exportIntervalMillis: metricIntervalMs,
      exportTimeoutMillis: metricTimeoutMs,
      metricProducers: [this],
    });
  }

  /** What is read from now on. */
  export(families: () => readonly Family[]): void {
    this.#families = families;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = hrTime();
    const metrics = this.#families()
      .filter(({ samples }) => samples.length > 0)
      .map((family) => metricData(family, this.#startTime, endTime));
    const scopeMetrics = metrics.length === 0 ? [] : [{ scope: { name: 'mcp-bridge-fleet' }, metrics }];
    // The reader takes the resource of its own provider.
    return { resourceMetrics: { resource: {} as never, scopeMetrics }, errors: [] };
  }

  #counting(exporter: PushMetricExporter): PushMetricExporter {
    return {
      export: (metrics, done) =>
        exporter.export(metrics, (result) => {
          if (result.code !== ExportResultCode.SUCCESS) this.dropped.failed++;
          done(result);
        }),
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown(),
      selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
    };
  }
}

function metricData(family: Family, startTime: HrTime, endTime: HrTime): MetricData {
  const { instrument } = family;
  const { name, help, unit } = instrument;
  const common = {
    descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const times = { startTime, endTime };
  if (family.instrument.kind === 'histogram') {
    const boundaries = [...(instrument.buckets ?? [])];
    const dataPoints = (family as Extract<Family, { readonly instrument: { readonly kind: 'histogram' } }>).samples.map(
      ({ values, counts, count, sum }) => ({
        ...times,
        attributes: labelsOf(instrument, values),
        value: { buckets: { boundaries, counts: [...counts] }, count, sum },
      }),
    );
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const samples = (family as Exclude<Family, { readonly instrument: { readonly kind: 'histogram' } }>).samples;
  const dataPoints = samples.map(({ values, value }) => ({
    ...times,
    attributes: labelsOf(instrument, values),
    value,
  }));
  return instrument.kind === 'counter'
    ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...common, dataPointType: DataPointType.GAUGE, dataPoints };
}
