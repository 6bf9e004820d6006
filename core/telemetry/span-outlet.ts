import { type ExportResult, ExportResultCode, globalErrorHandler } from '@opentelemetry/core';
import type { TelemetrySettings } from '#core/config/telemetry-settings.ts';
import type { EndedSpan, SpanEncoder, SpanSink } from '#core/telemetry/ended-span.ts';

/** Spans that are sent together, in the form in which they are sent. */
export interface SpanBatch {
  readonly request: Uint8Array;
  readonly count: number;
}

/** Sends batches. `done` is called once; the timeout of a request and its repetitions are the exporter's own. */
export interface SpanExporter {
  export(batch: SpanBatch, done: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

/**
 * Encodes spans as they end, and sends them in batches, one at a time: when one is full, or `scheduledDelayMillis` after
 * its first span. At most `maxQueueSize` spans wait, beside the batch that is under way; what is lost is counted.
 */
export class SpanOutlet implements SpanSink {
  readonly dropped = { queue_full: 0, failed: 0 };
  readonly #exporter: SpanExporter;
  readonly #encoder: SpanEncoder;
  readonly #settings: TelemetrySettings['spans'];
  /** Full ones that wait for the one under way. */
  readonly #batches: SpanBatch[] = [];
  /** Spans in `#batches`. */
  #batched = 0;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(exporter: SpanExporter, encoder: SpanEncoder, settings: TelemetrySettings['spans']) {
    this.#exporter = exporter;
    this.#encoder = encoder;
    this.#settings = settings;
  }

  add(span: EndedSpan): void {
    if (this.#closing !== undefined) return;
    const encoder = this.#encoder;
    if (this.#batched + encoder.count >= this.#settings.maxQueueSize) {
      this.dropped.queue_full++;
      return;
    }
    encoder.add(span);
    if (encoder.count >= this.#settings.maxExportBatchSize) {
      this.#closeBatch();
      if (this.#underWay === undefined) this.#sendNext();
    } else if (this.#timer === undefined && this.#underWay === undefined) this.#startTimer();
  }

  /** Sends all that waits. Never rejects. */
  async forceFlush(): Promise<void> {
    this.#closeBatch();
    if (this.#underWay === undefined) this.#sendNext();
    // Each sends the next one, so that one at a time is under way here too.
    while (this.#underWay !== undefined) await this.#underWay;
  }

  /** Sends all that waits and takes nothing more. */
  shutdown(): Promise<void> {
    this.#closing ??= this.forceFlush().then(() => this.#exporter.shutdown());
    return this.#closing;
  }

  #closeBatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { count } = this.#encoder;
    if (count === 0) return;
    this.#batches.push({ request: this.#encoder.takeRequest(), count });
    this.#batched += count;
  }

  #startTimer(): void {
    this.#timer = setTimeout(() => {
      this.#closeBatch();
      this.#sendNext();
    }, this.#settings.scheduledDelayMillis).unref();
  }

  #sendNext(): void {
    const batch = this.#batches.shift();
    if (batch === undefined) return;
    this.#batched -= batch.count;
    this.#underWay = this.#send(batch).then(() => {
      this.#underWay = undefined;
      if (this.#batches.length > 0) this.#sendNext();
      else if (this.#encoder.count > 0 && this.#timer === undefined) this.#startTimer();
    });
  }

  /** Settles when the batch has come or is given up, whichever way that is told. */
  #send(batch: SpanBatch): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<ExportResult>();
    const { exportTimeoutMillis } = this.#settings;
    const timer = setTimeout(() => {
      const error = new Error(`spans were not taken within ${exportTimeoutMillis} ms`);
      resolve({ code: ExportResultCode.FAILED, error });
    }, exportTimeoutMillis).unref();
    try {
      this.#exporter.export(batch, resolve);
    } catch (error) {
      resolve({ code: ExportResultCode.FAILED, error: error as Error });
    }
    return promise.then(({ code, error }) => {
      clearTimeout(timer);
      if (code === ExportResultCode.SUCCESS) return;
      this.dropped.failed += batch.count;
      globalErrorHandler(error ?? new Error('spans were not taken'));
    });
  }
}
