import { randomFillSync } from 'node:crypto';

/** Random bytes are fetched and written as hex in bulk: an id by itself would cost more in calls than in bytes. */
const POOL_BYTES = 4096;
const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;
/** The W3C's word for no id. */
const NO_TRACE_ID = '0'.repeat(TRACE_ID_DIGITS);
const NO_SPAN_ID = '0'.repeat(SPAN_ID_DIGITS);

const bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
const words = new DataView(bytes.buffer);
let digits = '';
let next = 0;

/** A trace that begins here. */
export interface NewTrace {
  /** 32 lower-case hex digits, not all of them zero. */
  readonly id: string;
  /** 32 bits made of all of the id, by which it is sampled; from the bytes, since reading digits would take ten times as long. */
  readonly weight: number;
}

export function newTrace(): NewTrace {
  const id = take(TRACE_ID_DIGITS);
  if (id === NO_TRACE_ID) return newTrace();
  const at = (next - TRACE_ID_DIGITS) / 2;
  const weight = words.getUint32(at) ^ words.getUint32(at + 4) ^ words.getUint32(at + 8) ^ words.getUint32(at + 12);
  return { id, weight: weight >>> 0 };
}

/** An id of a new span: 16 lower-case hex digits, not all of them zero. */
export function newSpanId(): string {
  const id = take(SPAN_ID_DIGITS);
  return id === NO_SPAN_ID ? newSpanId() : id;
}

function take(count: number): string {
  if (next + count > digits.length) {
    digits = randomFillSync(bytes).toString('hex');
    next = 0;
  }
  const from = next;
  next += count;
  return digits.slice(from, next);
}
