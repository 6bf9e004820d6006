/** Our encoders, held against the library's own by a decoder that is neither's. */
import { createTraceState, type HrTime, SpanStatusCode } from '@opentelemetry/api';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { expect, test, vi } from 'vitest';
import { type AttributeValue, EndedSpan, SPAN_KIND, type SpanEncoder } from '#core/telemetry/ended-span.ts';
import { ATTRIBUTE } from '#core/telemetry/instruments.ts';
import { OtlpSpanBytes } from '#core/telemetry/otlp-span-bytes.ts';
import { OtlpSpanJson } from '#core/telemetry/otlp-span-json.ts';
import { WallTime, wallOriginMs } from '#core/telemetry/span-time.ts';
import { newSpanId, newTrace } from '#core/telemetry/trace-ids.ts';
import { decodeTraces } from '../../support/otlp-sink.ts';

const ORIGIN = {
  resource: { 'service.name': 'fleet', 'service.instance.id': 'ä-1' },
  scope: { name: 'scope', version: '0.1.0' },
} as const;
const ORIGIN_MS = 1_795_216_791_836.5;
const RESOURCE = resourceFromAttributes(ORIGIN.resource);
const KEYS = Object.values(ATTRIBUTE);
const TEXTS = [
  '',
  'x',
  'POST /slack/mcp/tools/:tool',
  'é',
  '日本語',
  '👩‍🚀 "quoted"\n',
  'a'.repeat(48),
  'é'.repeat(48),
];
const LENGTHS = [49, 127, 128, 129, 16_383, 16_384, 70_000];
const VALUES: readonly AttributeValue[] = [
  ...TEXTS,
  ...LENGTHS.map((length) => 'b'.repeat(length)),
  ...LENGTHS.map((length) => '語'.repeat(length)),
  ...[0, 1, 127, 128, 200, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 53 - 1, 2 ** 62],
  ...[-1, -128, -(2 ** 31), -(2 ** 53) + 1, 0.5, -0.001, 12.345, 1e300, 2 ** 63],
  true,
  false,
];
const ENCODERS = [
  ['protobuf', 'application/x-protobuf', () => new OtlpSpanBytes(ORIGIN), ProtobufTraceSerializer],
  ['JSON', 'application/json', () => new OtlpSpanJson(ORIGIN), JsonTraceSerializer],
] as const;

/** Numbers that look random and are the same in every run. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A span as ours and as the library's. */
function spanPair(random: (below: number) => number, values: readonly AttributeValue[]): [EndedSpan, ReadableSpan] {
  const some = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const span = new EndedSpan();
  span.begin(newTrace().id, newSpanId(), some(TEXTS), some(Object.values(SPAN_KIND)));
  span.originMs = ORIGIN_MS;
  // In 1024ths, which numbers hold exactly; some are just below a whole ms.
  span.startMs = random(1e9) / 1024;
  span.endMs = some([span.startMs, Math.floor(span.startMs) + 1023 / 1024, span.startMs + random(1e6) / 1024]);
  span.traceState = some(['', 'vendor=1', 'a=1,b=2']);
  if (random(3) > 0) span.parentSpanId = newSpanId();
  span.parentIsRemote = span.parentSpanId !== '' && random(2) === 0;
  const settled = random(values.length + 1);
  values.forEach((value, i) => {
    if (i === settled) span.settle();
    span.set(KEYS[i % KEYS.length] as string, value);
  });
  span.failed = random(2) === 0;
  if (span.failed) span.message = some(TEXTS);
  if (random(2) === 0) {
    span.events = [
      { name: some(TEXTS), atMs: span.startMs, attributes: [['bridge.attempt', 1]] },
      { name: 'second', atMs: span.endMs, attributes: [['bridge.pool.wait_ms', 0.25]] },
    ];
  }
  return [span, readable(span)];
}

function readable(span: EndedSpan): ReadableSpan {
  const { traceId, spanId, parentSpanId, traceState } = span;
  const keys = span.keys.slice(0, span.attributeCount);
  return {
    name: span.name,
    kind: span.kind - 1,
    spanContext: () => ({
      traceId,
      spanId,
      traceFlags: 1,
      ...(traceState !== '' && { traceState: createTraceState(traceState) }),
    }),
    ...(parentSpanId !== '' && {
      parentSpanContext: { traceId, spanId: parentSpanId, traceFlags: 1, isRemote: span.parentIsRemote },
    }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.endMs),
    status: span.failed
      ? { code: SpanStatusCode.ERROR, ...(span.message !== '' && { message: span.message }) }
      : { code: SpanStatusCode.UNSET },
    attributes: Object.fromEntries(keys.map((key, i) => [key, span.values[i]])) as ReadableSpan['attributes'],
    events: span.events.map(({ name, atMs, attributes }) => ({
      name,
      time: hrTime(atMs),
      attributes: Object.fromEntries(attributes),
      droppedAttributesCount: 0,
    })),
    links: [],
    duration: [0, 0],
    ended: true,
    resource: RESOURCE,
    instrumentationScope: ORIGIN.scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  } as ReadableSpan;
}

/** By whole numbers of any size. */
function hrTime(atMs: number): HrTime {
  const ns = (BigInt((ORIGIN_MS + atMs) * 1024) * 1_000_000n + 512n) / 1024n;
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}

/** What a decoder makes of it, where nothing and none are the same. */
function decoded(type: string, request: Uint8Array): unknown {
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  const sent: any = decodeTraces(type, Buffer.from(request));
  for (const { resource, scopeSpans } of sent.resourceSpans) {
    delete resource.droppedAttributesCount;
    for (const { spans } of scopeSpans) for (const span of spans) plain(span);
  }
  return sent;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever was sent
function plain(span: any): void {
  for (const of of [span, ...(span.events ?? [])]) {
    for (const name of Object.keys(of)) if (/^dropped/.test(name) && of[name] === 0) delete of[name];
    if (of.attributes?.length === 0) delete of.attributes;
  }
  if (span.events?.length === 0) delete span.events;
  if (span.links?.length === 0) delete span.links;
  if (span.status?.code === 0) delete span.status.code;
  if (Object.keys(span.status ?? {}).length === 0) delete span.status;
}

test.each(ENCODERS)(
  '%s tells what was settled in this span, whatever was in the last of its name',
  (_name, type, encoder) => {
    const random = sequence(2);
    const ours: SpanEncoder = encoder();
    const spans = Array.from({ length: 500 }, () => {
      const span = new EndedSpan();
      // More names than are remembered, most of them one.
      span.begin(newTrace().id, newSpanId(), random(4) > 0 ? 'often' : `seldom ${random(400)}`, SPAN_KIND.client);
      for (let i = 0; i <= random(3); i++) span.set(KEYS[i + random(2)] as string, VALUES[random(3)] as AttributeValue);
      span.settle();
      if (random(2) === 0) span.set('unsettled', random(10));
      return span;
    });
    for (const span of spans) ours.add(span);
    const together = decoded(type, ours.takeRequest());
    // Encoders that know nothing yet.
    const alone = spans.map((span) => {
      const fresh: SpanEncoder = encoder();
      fresh.add(span);
      return decoded(type, fresh.takeRequest());
    });
    // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
    const spansOf = (request: any) => request.resourceSpans[0].scopeSpans[0].spans;
    expect(spansOf(together)).toEqual(alone.flatMap(spansOf));
  },
);

test.each(ENCODERS)('%s tells of a span what the library tells', (_name, type, encoder, library) => {
  const random = sequence(1);
  for (let round = 0; round < 40; round++) {
    const pairs = Array.from({ length: 1 + random(5) }, () => {
      const values = Array.from({ length: random(12) }, () => VALUES[random(VALUES.length)] as AttributeValue);
      return spanPair(random, values);
    });
    const ours: SpanEncoder = encoder();
    for (const [span] of pairs) ours.add(span);
    const request = ours.takeRequest();
    const theirs = library.serializeRequest(pairs.map(([, span]) => span)) as Uint8Array;
    expect(decoded(type, request)).toEqual(decoded(type, theirs));
  }
});

test.each(ENCODERS)('%s tells every kind of value as the library does', (_name, type, encoder, library) => {
  const ours: SpanEncoder = encoder();
  for (const value of VALUES) {
    const [span, theirs] = spanPair(sequence(2), [value]);
    ours.add(span);
    const request = ours.takeRequest();
    expect(decoded(type, request)).toEqual(decoded(type, library.serializeRequest([theirs]) as Uint8Array));
  }
});

test.each(ENCODERS)('%s: a request taken stays what it is, and the next one begins empty', (_name, type, encoder) => {
  const ours: SpanEncoder = encoder();
  const [first] = spanPair(sequence(3), ['a']);
  const [second] = spanPair(sequence(4), ['b']);
  ours.add(first);
  expect(ours.count).toBe(1);
  const request = ours.takeRequest();
  const before = decoded(type, request);
  expect(ours.count).toBe(0);
  ours.add(second);
  ours.add(first);
  ours.takeRequest();
  expect(decoded(type, request)).toEqual(before);
});

test('the origin of times follows the wall clock, and not its jitter', () => {
  vi.useFakeTimers();
  try {
    const before = wallOriginMs();
    vi.setSystemTime(Date.now() + 1);
    expect(wallOriginMs()).toBe(before);
    vi.advanceTimersByTime(60_000);
    expect(wallOriginMs()).toBe(before);
    vi.setSystemTime(Date.now() - 86_400_000);
    const after = wallOriginMs();
    expect(Math.abs(before - after - 86_400_000)).toBeLessThan(4);
    expect(wallOriginMs()).toBe(after);
  } finally {
    vi.useRealTimers();
  }
});

test('a time that is rounded up to the next whole ms is that ms', () => {
  expect(new WallTime().at(ORIGIN_MS, 0.499_999_9)).toMatchObject({ wholeMs: Math.ceil(ORIGIN_MS), ns: 0 });
});

test('ids are hex of their length, and never the same', () => {
  const spanIds = Array.from({ length: 5_000 }, newSpanId);
  const traceIds = Array.from({ length: 5_000 }, () => newTrace().id);
  for (const id of spanIds) expect(id).toMatch(/^[0-9a-f]{16}$/);
  for (const id of traceIds) expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set([...spanIds, ...traceIds]).size).toBe(10_000);
});
