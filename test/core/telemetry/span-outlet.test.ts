import { DiagLogLevel, diag } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EndedSpan, type SpanEncoder } from '#core/telemetry/ended-span.ts';
import { type SpanBatch, type SpanExporter, SpanOutlet } from '#core/telemetry/span-outlet.ts';

const SETTINGS = { maxQueueSize: 6, maxExportBatchSize: 3, scheduledDelayMillis: 1_000, exportTimeoutMillis: 5_000 };
const TAKEN: ExportResult = { code: ExportResultCode.SUCCESS };
const REFUSED: ExportResult = { code: ExportResultCode.FAILED, error: new Error('503') };

/** The names of spans, a line each. */
class Names implements SpanEncoder {
  count = 0;
  #names: string[] = [];

  add({ name }: EndedSpan): void {
    this.#names.push(name);
    this.count++;
  }

  takeRequest(): Uint8Array {
    const request = Buffer.from(this.#names.join(' '));
    this.#names = [];
    this.count = 0;
    return request;
  }
}

/** Keeps what it is to send until it is told how that ended. */
class Exporter implements SpanExporter {
  readonly sent: string[] = [];
  readonly counts: number[] = [];
  readonly underWay: ((result: ExportResult) => void)[] = [];
  shutdowns = 0;

  export({ request, count }: SpanBatch, done: (result: ExportResult) => void): void {
    this.sent.push(Buffer.from(request).toString());
    this.counts.push(count);
    this.underWay.push(done);
  }

  /** The batch under way has ended so. */
  async end(result: ExportResult): Promise<void> {
    this.underWay.shift()?.(result);
    await vi.advanceTimersByTimeAsync(0);
  }

  async shutdown(): Promise<void> {
    this.shutdowns++;
  }
}

const told: string[] = [];

function outletOf(settings = SETTINGS) {
  const exporter = new Exporter();
  const outlet = new SpanOutlet(exporter, new Names(), settings);
  const span = new EndedSpan();
  const add = (...names: readonly string[]): void => {
    for (const name of names) {
      span.begin('', '', name, 1);
      outlet.add(span);
    }
  };
  return { exporter, outlet, add };
}

beforeEach(() => {
  vi.useFakeTimers();
  told.length = 0;
  const tell = (...parts: unknown[]): void => void told.push(parts.join(' '));
  diag.setLogger({ error: tell, warn: tell, info() {}, debug() {}, verbose() {} }, { logLevel: DiagLogLevel.WARN });
});

afterEach(() => {
  diag.disable();
  vi.useRealTimers();
});

test('a span is sent after the delay, with those that came meanwhile', async () => {
  const { exporter, add } = outletOf();
  add('a');
  await vi.advanceTimersByTimeAsync(900);
  add('b');
  expect(exporter.sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(exporter.sent).toEqual(['a b']);
  await exporter.end(TAKEN);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(exporter.sent).toEqual(['a b']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a full batch is sent at once, and the delay begins anew', async () => {
  const { exporter, add } = outletOf();
  add('a', 'b', 'c');
  expect(exporter.sent).toEqual(['a b c']);
  await exporter.end(TAKEN);
  add('d');
  await vi.advanceTimersByTimeAsync(999);
  expect(exporter.sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(exporter.sent).toEqual(['a b c', 'd']);
});

test('one batch is under way at a time, and the next full one follows at once', async () => {
  const { exporter, add } = outletOf();
  add('a', 'b', 'c', 'd', 'e', 'f', 'g');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(exporter.sent).toEqual(['a b c']);
  await exporter.end(TAKEN);
  expect(exporter.sent).toEqual(['a b c', 'd e f']);
  await exporter.end(TAKEN);
  expect(exporter.sent).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(exporter.sent).toEqual(['a b c', 'd e f', 'g']);
  expect(exporter.counts).toEqual([3, 3, 1]);
});

test('beside the batch under way so many wait as may; the others are counted', async () => {
  const { exporter, outlet, add } = outletOf();
  add('1', '2', '3', '4', '5', '6', '7', '8', '9');
  expect(outlet.dropped).toEqual({ queue_full: 0, failed: 0 });
  add('10', '11');
  expect(outlet.dropped).toEqual({ queue_full: 2, failed: 0 });
  await exporter.end(TAKEN);
  add('12');
  expect(outlet.dropped).toEqual({ queue_full: 2, failed: 0 });
  await exporter.end(TAKEN);
  await exporter.end(TAKEN);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(exporter.sent).toEqual(['1 2 3', '4 5 6', '7 8 9', '12']);
});

test('spans that the collector refused are counted and told, and the next are sent', async () => {
  const { exporter, outlet, add } = outletOf();
  add('a', 'b', 'c', 'd', 'e', 'f');
  await exporter.end(REFUSED);
  expect(outlet.dropped).toEqual({ queue_full: 0, failed: 3 });
  expect(told.join()).toContain('503');
  await exporter.end(TAKEN);
  expect(exporter.sent).toEqual(['a b c', 'd e f']);
  expect(outlet.dropped.failed).toBe(3);
});

test('an exporter that throws costs its batch only', async () => {
  const { exporter, outlet, add } = outletOf();
  vi.spyOn(exporter, 'export').mockImplementationOnce(() => {
    throw new Error('cannot');
  });
  add('a', 'b', 'c');
  await vi.advanceTimersByTimeAsync(0);
  expect(outlet.dropped.failed).toBe(3);
  add('d', 'e', 'f');
  expect(exporter.sent).toEqual(['d e f']);
});

test('an exporter that hangs is given up after its time, and what it says later counts no more', async () => {
  const { exporter, outlet, add } = outletOf();
  add('a', 'b', 'c', 'd', 'e', 'f');
  await vi.advanceTimersByTimeAsync(4_999);
  expect(exporter.sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(exporter.sent).toEqual(['a b c', 'd e f']);
  expect(outlet.dropped.failed).toBe(3);
  expect(told.join()).toContain('not taken within 5000 ms');
  await exporter.end(TAKEN);
  await exporter.end(TAKEN);
  expect(outlet.dropped.failed).toBe(3);
});

test('a flush sends all that waits, one after the other', async () => {
  const { exporter, outlet, add } = outletOf();
  add('a', 'b', 'c', 'd', 'e', 'f', 'g');
  let flushed = false;
  void outlet.forceFlush().then(() => {
    flushed = true;
  });
  for (let i = 0; i < 3; i++) {
    expect(flushed).toBe(false);
    await exporter.end(TAKEN);
  }
  expect(flushed).toBe(true);
  expect(exporter.sent).toEqual(['a b c', 'd e f', 'g']);
  expect(exporter.shutdowns).toBe(0);
});

test('the end sends all that waits, ends the exporter once, and takes nothing more', async () => {
  const { exporter, outlet, add } = outletOf();
  add('a', 'b');
  const ended = outlet.shutdown();
  add('c');
  expect(exporter.shutdowns).toBe(0);
  await exporter.end(TAKEN);
  await Promise.all([ended, outlet.shutdown()]);
  expect(exporter.sent).toEqual(['a b']);
  expect(exporter.shutdowns).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('no timer keeps the process alive', () => {
  const { add } = outletOf();
  const unref = vi.fn();
  const timers = vi.spyOn(globalThis, 'setTimeout').mockImplementation((() => {
    const timer = { unref: unref.mockImplementation(() => timer) };
    return timer;
  }) as never);
  add('a', 'b', 'c', 'd');
  expect(timers.mock.calls.length).toBeGreaterThan(0);
  expect(unref).toHaveBeenCalledTimes(timers.mock.calls.length);
  timers.mockRestore();
});
