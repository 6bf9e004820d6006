import { randomFillSync } from 'node:crypto';

/** Random bytes are fetched and written as hex in bulk: an id by itself would cost more in calls than in bytes. */
const POOL_BYTES = 4096;
const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;
/** The W3C's word for no id. */
const NO_TRACE_ID = '0'.repeat(TRACE_ID_DIGITS);
const NO_SPAN_ID = '0'.repeat(SPAN_ID_DIGITS);

const bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
let digits = '';
let next = 0;

/** An id of a new trace: 32 lower-case hex digits, not all of them zero. */
export function newTraceId(): string {
  const id = take(TRACE_ID_DIGITS);
  return id === NO_TRACE_ID ? newTraceId() : id;
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
