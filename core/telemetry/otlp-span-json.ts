import type { AttributeValue, EndedSpan, SpanEncoder, SpanEvent, SpanOrigin } from '#core/telemetry/ended-span.ts';
import { SPAN_FLAGS, STATUS_ERROR } from '#core/telemetry/otlp-span-bytes.ts';
import { WallTime } from '#core/telemetry/span-time.ts';

/** Ended spans as OTLP's JSON: one text that grows until a request is taken. */
export class OtlpSpanJson implements SpanEncoder {
  count = 0;
  readonly #head: string;
  #text = '';

  constructor({ resource, scope }: SpanOrigin) {
    const attributes = Object.entries(resource).map(([key, value]) => attribute(key, value));
    this.#head = `{"resourceSpans":[{"resource":{"attributes":[${attributes}]},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`;
  }

  add(span: EndedSpan): void {
    const text = spanText(span);
    this.#text += this.count === 0 ? text : `,${text}`;
    this.count++;
  }

  takeRequest(): Uint8Array {
    const request = Buffer.from(`${this.#head}${this.#text}]}]}]}`);
    this.#text = '';
    this.count = 0;
    return request;
  }
}

function spanText(span: EndedSpan): string {
  const { traceState, parentSpanId, originMs, events, failed, message } = span;
  let attributes = '';
  for (let i = 0; i < span.attributeCount; i++) {
    const text = attribute(span.keys[i] as string, span.values[i] as AttributeValue);
    attributes += i === 0 ? text : `,${text}`;
  }
  return (
    `{"traceId":"${span.traceId}","spanId":"${span.spanId}"` +
    (traceState === '' ? '' : `,"traceState":${JSON.stringify(traceState)}`) +
    (parentSpanId === '' ? '' : `,"parentSpanId":"${parentSpanId}"`) +
    `,"name":${JSON.stringify(span.name)},"kind":${span.kind}` +
    `,"startTimeUnixNano":"${nanos(originMs, span.startMs)}","endTimeUnixNano":"${nanos(originMs, span.endMs)}"` +
    `,"attributes":[${attributes}]` +
    (events.length === 0 ? '' : `,"events":[${events.map((event) => eventText(originMs, event))}]`) +
    `,"status":{${failed ? `"code":${STATUS_ERROR}${message === '' ? '' : `,"message":${JSON.stringify(message)}`}` : ''}}` +
    `,"flags":${span.parentIsRemote ? SPAN_FLAGS.parentRemote : SPAN_FLAGS.parentLocal}}`
  );
}

function eventText(originMs: number, { name, atMs, attributes }: SpanEvent): string {
  const list = attributes.map(([key, value]) => attribute(key, value));
  return `{"timeUnixNano":"${nanos(originMs, atMs)}","name":${JSON.stringify(name)},"attributes":[${list}]}`;
}

function attribute(key: string, value: AttributeValue): string {
  return `{"key":${JSON.stringify(key)},"value":{"${valueField(value)}":${JSON.stringify(value)}}}`;
}

function valueField(value: AttributeValue): string {
  if (typeof value === 'string') return 'stringValue';
  if (typeof value === 'boolean') return 'boolValue';
  return Number.isInteger(value) ? 'intValue' : 'doubleValue';
}

/** In decimal, as JSON has no number for it. */
function nanos(originMs: number, atMs: number): string {
  const { wholeMs, ns } = new WallTime().at(originMs, atMs);
  return `${wholeMs}${String(ns).padStart(6, '0')}`;
}
