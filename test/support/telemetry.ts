import { join } from 'node:path';
import { Fleet, type FleetOptions } from './fleet.ts';
import type { OtlpSink, SinkSpan } from './otlp-sink.ts';
import { until } from './until.ts';

/** For Node, before the command. */
export const REGISTER = ['--import', join(import.meta.dirname, '../../core/telemetry/register.ts')] as const;

/** Variables that send everything to `url` soon. */
export function exportTo(url: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '200',
    ...more,
  };
}

/** The bridge `fake` in a process that exports to the sink. */
export function watchedFake(
  sink: OtlpSink,
  env: Readonly<Record<string, string>> = {},
  settings: Readonly<Record<string, unknown>> = {},
  options: FleetOptions = {},
): Promise<Fleet> {
  return Fleet.fake(env, settings, {
    ...options,
    nodeOptions: REGISTER,
    env: { ...exportTo(sink.url), ...options.env },
  });
}

/** What is known of a caller's trace, attempts in their order. */
export interface CallersSpans {
  readonly server: SinkSpan;
  readonly clients: readonly SinkSpan[];
  readonly waits: readonly SinkSpan[];
}

/** A trace that its caller samples, or does not. */
export class CallersTrace {
  readonly traceId: string;
  readonly parentId = 'b7ad6b7169203331';
  readonly header: string;
  static #made = 0;

  constructor(flags = '01') {
    CallersTrace.#made += 1;
    this.traceId = CallersTrace.#made.toString(16).padStart(32, 'a');
    this.header = `00-${this.traceId}-${this.parentId}-${flags}`;
  }

  get headers(): Readonly<Record<string, string>> {
    return { traceparent: this.header };
  }

  /** Its spans, once the request's own is there: that one ends last. A wait of a millisecond is a span of its own. */
  async spans(sink: OtlpSink): Promise<CallersSpans> {
    const server = await until(`the trace ${this.traceId} has arrived`, () =>
      sink.trace(this.traceId).find(({ kind }) => kind === 'SERVER'),
    );
    const attempt = ({ attributes }: SinkSpan): number => Number(attributes['bridge.attempt']);
    const inOrder = sink.trace(this.traceId).toSorted((a, b) => attempt(a) - attempt(b));
    return {
      server,
      clients: inOrder.filter(({ kind }) => kind === 'CLIENT'),
      waits: inOrder.filter(({ kind }) => kind === 'INTERNAL'),
    };
  }
}
