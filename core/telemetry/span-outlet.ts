import { TraceFlags } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';
import type { TelemetrySettings } from '#core/config/telemetry-settings.ts';

/**
 * The SDK's batches with a count of what is lost. The queue of the SDK drops in silence, so the bound is kept here, in front of
 * it: at most `maxQueueSize` spans wait, beside the batch that is under way.
 */
export class SpanOutlet implements SpanProcessor {
  readonly dropped = { queue_full: 0, failed: 0 };
  readonly #maxQueueSize: number;
  readonly #batches: BatchSpanProcessor;
  #waiting = 0;

  constructor(exporter: SpanExporter, settings: TelemetrySettings['spans']) {
    this.#maxQueueSize = settings.maxQueueSize;
    this.#batches = new BatchSpanProcessor({
      ...settings,
      exporter: {
        export: (spans, done) => this.#export(exporter, spans, done),
        shutdown: () => exporter.shutdown(),
        forceFlush: async () => exporter.forceFlush?.(),
      },
    });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#waiting >= this.#maxQueueSize) {
      this.dropped.queue_full++;
      return;
    }
    this.#waiting++;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown();
  }

  #export(exporter: SpanExporter, spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#waiting -= spans.length;
    exporter.export(spans, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) this.dropped.failed += spans.length;
      done(result);
    });
  }
}
