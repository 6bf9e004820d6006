/** What an attribute may be; numbers without a fraction are told as integers. */
export type AttributeValue = string | number | boolean;

/** `SpanKind` of OTLP. */
export const SPAN_KIND = { internal: 1, server: 2, client: 3 } as const;

/** Something that happened while a span lasted. */
export interface SpanEvent {
  readonly name: string;
  /** As `startMs` of its span. */
  readonly atMs: number;
  readonly attributes: readonly (readonly [key: string, value: AttributeValue])[];
}

const NO_EVENTS: readonly SpanEvent[] = [];

/**
 * A span that has ended, for as long as it takes to encode it: one object serves all spans, one after the other. Of a
 * sampled trace; keys of attributes come from a fixed table, each is set once.
 */
export class EndedSpan {
  traceId = '';
  spanId = '';
  /** Empty: it is the first of its trace. */
  parentSpanId = '';
  /** The parent is in another process. */
  parentIsRemote = false;
  traceState = '';
  name = '';
  kind: number = SPAN_KIND.internal;
  /** The wall clock's ms since the epoch at which `startMs` and `endMs`, read of `performance.now()`, began to count. */
  originMs = 0;
  startMs = 0;
  endMs = 0;
  failed = false;
  /** Why it failed, where that may be told. */
  message = '';
  events: readonly SpanEvent[] = NO_EVENTS;
  /** How many of `keys` and `values` are this span's. */
  attributeCount = 0;
  /** How many of them, the first, are as a rule the same in every span of this name. */
  settledCount = 0;
  readonly keys: string[] = [];
  readonly values: AttributeValue[] = [];

  /** Takes it for another span; all that has a default is reset. */
  begin(traceId: string, spanId: string, name: string, kind: number): void {
    this.traceId = traceId;
    this.spanId = spanId;
    this.parentSpanId = '';
    this.parentIsRemote = false;
    this.traceState = '';
    this.name = name;
    this.kind = kind;
    this.failed = false;
    this.message = '';
    this.events = NO_EVENTS;
    this.attributeCount = 0;
    this.settledCount = 0;
  }

  /** What has been set so far is as a rule the same in every span of this name. */
  settle(): void {
    this.settledCount = this.attributeCount;
  }

  /** Nothing where there is no value. */
  set(key: string, value: AttributeValue | undefined): void {
    if (value === undefined) return;
    this.keys[this.attributeCount] = key;
    this.values[this.attributeCount] = value;
    this.attributeCount++;
  }
}

/** Takes spans as they end, and keeps nothing of the object it is handed. Never throws. */
export interface SpanSink {
  add(span: EndedSpan): void;
}

/** Puts ended spans into the form in which they are sent. */
export interface SpanEncoder extends SpanSink {
  /** Spans added since the last request was taken. */
  readonly count: number;
  /** A whole request of OTLP with them; the next one begins empty. */
  takeRequest(): Uint8Array;
}

/** Who tells the spans: the process, and the library in it. */
export interface SpanOrigin {
  readonly resource: Readonly<Record<string, AttributeValue>>;
  readonly scope: { readonly name: string; readonly version: string };
}
