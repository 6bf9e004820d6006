import type { AttributeValue, EndedSpan, SpanEncoder, SpanEvent, SpanOrigin } from '#core/telemetry/ended-span.ts';
import { ProtobufWriter } from '#core/telemetry/protobuf-writer.ts';
import { WallTime } from '#core/telemetry/span-time.ts';

/** Field numbers of opentelemetry-proto 1.x, as far as we fill them. */
const REQUEST = { resourceSpans: 1 } as const;
const RESOURCE_SPANS = { resource: 1, scopeSpans: 2 } as const;
const RESOURCE = { attributes: 1 } as const;
const SCOPE_SPANS = { scope: 1, spans: 2 } as const;
const SCOPE = { name: 1, version: 2 } as const;
const SPAN = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTime: 7,
  endTime: 8,
  attributes: 9,
  events: 11,
  status: 15,
  flags: 16,
} as const;
const EVENT = { time: 1, name: 2, attributes: 3 } as const;
const STATUS = { message: 2, code: 3 } as const;
const KEY_VALUE = { key: 1, value: 2 } as const;
const ANY_VALUE = { string: 1, bool: 2, int: 3, double: 4 } as const;

/** `STATUS_CODE_ERROR`. */
export const STATUS_ERROR = 2;
/** `sampled`, and that it is known whether the parent is remote; then whether it is. */
export const SPAN_FLAGS = { parentLocal: 0x101, parentRemote: 0x301 } as const;

/** Of an int64. */
const MIN_INT = -(2 ** 63);
const MAX_INT = 2 ** 63;
const BATCH_BYTES = 64 * 1024;
/** Names of spans whose settled attributes are kept. */
const MAX_SETTLED = 256;

/** What was settled in the last span of a name. */
interface Settled {
  readonly keys: readonly string[];
  readonly values: readonly AttributeValue[];
  /** As it stands in the span. */
  readonly written: Uint8Array;
}

/** Ended spans as OTLP's protobuf: bytes in one buffer until a request is taken. */
export class OtlpSpanBytes implements SpanEncoder {
  count = 0;
  readonly #resource: Uint8Array;
  readonly #scope: Uint8Array;
  /** Spans, each as it stands in `ScopeSpans.spans`. */
  readonly #spans = new ProtobufWriter(BATCH_BYTES);
  readonly #time = new WallTime();
  /** Keys are of a fixed table: each is written once, and copied from then on. */
  readonly #keys = new Map<string, Uint8Array>();
  /** By names of spans. Encoding each of twenty attributes anew would be half of what a span costs. */
  readonly #settled = new Map<string, Settled>();

  constructor({ resource, scope }: SpanOrigin) {
    const writer = new ProtobufWriter();
    const of = writer.begin(RESOURCE_SPANS.resource);
    for (const [key, value] of Object.entries(resource)) this.#attribute(writer, RESOURCE.attributes, key, value);
    writer.end(of);
    this.#resource = writer.copy();
    writer.clear();
    const by = writer.begin(SCOPE_SPANS.scope);
    writer.string(SCOPE.name, scope.name);
    writer.string(SCOPE.version, scope.version);
    writer.end(by);
    this.#scope = writer.copy();
  }

  add(span: EndedSpan): void {
    const writer = this.#spans;
    const begun = writer.begin(SCOPE_SPANS.spans);
    writer.hex(SPAN.traceId, span.traceId);
    writer.hex(SPAN.spanId, span.spanId);
    if (span.traceState !== '') writer.string(SPAN.traceState, span.traceState);
    if (span.parentSpanId !== '') writer.hex(SPAN.parentSpanId, span.parentSpanId);
    writer.string(SPAN.name, span.name);
    writer.varint(SPAN.kind, span.kind);
    this.#nanos(writer, SPAN.startTime, span.originMs, span.startMs);
    this.#nanos(writer, SPAN.endTime, span.originMs, span.endMs);
    const { keys, values, settledCount, attributeCount, events } = span;
    if (settledCount > 0) this.#addSettled(writer, span);
    for (let i = settledCount; i < attributeCount; i++) {
      this.#attribute(writer, SPAN.attributes, keys[i] as string, values[i] as AttributeValue);
    }
    for (let i = 0; i < events.length; i++) this.#event(writer, span.originMs, events[i] as SpanEvent);
    if (span.failed) {
      const status = writer.begin(SPAN.status);
      if (span.message !== '') writer.string(STATUS.message, span.message);
      writer.varint(STATUS.code, STATUS_ERROR);
      writer.end(status);
    }
    writer.fixed32(SPAN.flags, span.parentIsRemote ? SPAN_FLAGS.parentRemote : SPAN_FLAGS.parentLocal);
    writer.end(begun);
    this.count++;
  }

  takeRequest(): Uint8Array {
    const spans = this.#spans;
    const request = new ProtobufWriter(spans.length + this.#resource.length + this.#scope.length + 64);
    const resourceSpans = request.begin(REQUEST.resourceSpans);
    request.raw(this.#resource);
    const scopeSpans = request.begin(RESOURCE_SPANS.scopeSpans);
    request.raw(this.#scope);
    request.raw(spans.written);
    request.end(scopeSpans);
    request.end(resourceSpans);
    spans.clear();
    this.count = 0;
    return request.written;
  }

  /** Copied where they are those of the last span of this name. */
  #addSettled(writer: ProtobufWriter, { name, keys, values, settledCount }: EndedSpan): void {
    const last = this.#settled.get(name);
    if (last !== undefined && isSame(last, keys, values, settledCount)) {
      writer.raw(last.written);
      return;
    }
    const from = writer.length;
    for (let i = 0; i < settledCount; i++) {
      this.#attribute(writer, SPAN.attributes, keys[i] as string, values[i] as AttributeValue);
    }
    if (last === undefined && this.#settled.size >= MAX_SETTLED) return;
    const written = new Uint8Array(writer.written.subarray(from));
    this.#settled.set(name, { keys: keys.slice(0, settledCount), values: values.slice(0, settledCount), written });
  }

  #event(writer: ProtobufWriter, originMs: number, { name, atMs, attributes }: SpanEvent): void {
    const begun = writer.begin(SPAN.events);
    this.#nanos(writer, EVENT.time, originMs, atMs);
    writer.string(EVENT.name, name);
    for (const [key, value] of attributes) this.#attribute(writer, EVENT.attributes, key, value);
    writer.end(begun);
  }

  #nanos(writer: ProtobufWriter, field: number, originMs: number, atMs: number): void {
    const { wholeMs, ns } = this.#time.at(originMs, atMs);
    writer.nanos(field, wholeMs, ns);
  }

  #attribute(writer: ProtobufWriter, field: number, key: string, value: AttributeValue): void {
    const pair = writer.begin(field);
    writer.raw(this.#keys.get(key) ?? this.#learnt(key));
    const any = writer.begin(KEY_VALUE.value);
    if (typeof value === 'string') writer.string(ANY_VALUE.string, value);
    else if (typeof value === 'boolean') writer.varint(ANY_VALUE.bool, value ? 1 : 0);
    else if (Number.isInteger(value) && value >= MIN_INT && value < MAX_INT) writer.int64(ANY_VALUE.int, value);
    else writer.double(ANY_VALUE.double, value);
    writer.end(any);
    writer.end(pair);
  }

  #learnt(key: string): Uint8Array {
    const writer = new ProtobufWriter(2 * key.length + 16);
    writer.string(KEY_VALUE.key, key);
    const written = writer.copy();
    this.#keys.set(key, written);
    return written;
  }
}

function isSame(last: Settled, keys: readonly string[], values: readonly AttributeValue[], count: number): boolean {
  if (last.keys.length !== count) return false;
  for (let i = 0; i < count; i++) if (last.values[i] !== values[i] || last.keys[i] !== keys[i]) return false;
  return true;
}
