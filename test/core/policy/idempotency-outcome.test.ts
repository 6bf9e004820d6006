import { expect, it } from 'vitest';
import type { ToolResult } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import { decodeOutcome, encodeOutcome, MAX_RESULT_BYTES } from '#core/policy/idempotency-outcome.ts';

const first = { requestId: 'r-1', traceId: undefined };

function result(pieces: readonly Uint8Array[], isError = false): ToolResult {
  return { body: pieces, length: pieces.reduce((sum, { length }) => sum + length, 0), isError };
}

function roundTrip(result: ToolResult) {
  const outcome = decodeOutcome(encodeOutcome({ result, first }));
  if (outcome === undefined || !('result' in outcome)) throw new Error('no result');
  return { ...outcome.result, bytes: Buffer.concat(outcome.result.body) };
}

it('a result keeps every byte, in however many pieces it came', () => {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (const pieces of [[every], [every, new Uint8Array(), every.subarray(100)], []]) {
    const { bytes, length, isError } = roundTrip(result(pieces));
    expect(bytes).toEqual(Buffer.concat(pieces));
    expect(length).toBe(bytes.length);
    expect(isError).toBe(false);
  }
  expect(roundTrip(result([every], true)).isError).toBe(true);
});

it('a record is a buffer of its own, not a window on what the child wrote beside the result', () => {
  const chunk = Buffer.alloc(65_536, 'x');
  const encoded = encodeOutcome({ result: result([chunk.subarray(10, 20)]), first });
  expect(encoded.buffer.byteLength).toBe(encoded.length);
  chunk.fill('y');
  expect(Buffer.from(encoded).toString('latin1').slice(-10)).toBe('xxxxxxxxxx');
});

it('an error keeps what its problem is made of, and the request that it answered', () => {
  const error = new BridgeError('child_error', 'said “no” 😀', {
    executed: 'maybe',
    retryAfterMs: 1234.5,
    details: { rpcCode: -32_000, suggestions: ['a'], errors: [{ pointer: '/a', keyword: 'type', message: 'é' }] },
    workerId: 3,
  });
  const outcome = decodeOutcome(encodeOutcome({ error, first: { requestId: 'r', traceId: 't'.repeat(32) } }));
  expect(outcome).toMatchObject({
    error: {
      code: 'child_error',
      message: error.message,
      executed: 'maybe',
      retryAfterMs: 1234.5,
      details: error.details,
      first: { requestId: 'r', traceId: 't'.repeat(32) },
    },
  });
});

it('a result that is too large to keep is recorded as one that ran and cannot be told again', () => {
  const large = encodeOutcome({ result: result([new Uint8Array(MAX_RESULT_BYTES + 1)]), first });
  expect(large.length).toBeLessThan(2_000);
  expect(decodeOutcome(large)).toMatchObject({
    error: {
      code: 'child_response_too_large',
      executed: 'yes',
      message: expect.stringContaining(`${MAX_RESULT_BYTES + 1} bytes`),
    },
  });
  const kept = encodeOutcome({ result: result([new Uint8Array(MAX_RESULT_BYTES)]), first });
  expect(kept.length).toBeGreaterThan(MAX_RESULT_BYTES);
});

it('what another release wrote, or what was cut, is not guessed at', () => {
  const encoded = encodeOutcome({ result: result([Buffer.from('{}')]), first });
  expect(decodeOutcome(Uint8Array.of(2, ...encoded.subarray(1)))).toBeUndefined();
  expect(decodeOutcome(encoded.subarray(0, 4))).toBeUndefined();
  expect(decodeOutcome(encoded.subarray(0, 20))).toBeUndefined();
  expect(decodeOutcome(Uint8Array.of(1, 0, 0, 0, 2, 91, 91))).toBeUndefined();
});
