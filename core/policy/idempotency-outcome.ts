import type { ToolResult } from '#core/call.ts';
import { BridgeError, type BridgeErrorOptions, type FirstRequest } from '#core/errors.ts';
import { MAX_OUTCOME_BYTES } from '#core/store/idempotency-store.ts';

/** How a keyed call ended, and which request it was. */
export type Outcome =
  | { readonly result: ToolResult; readonly first: FirstRequest }
  | { readonly error: BridgeError; readonly first: FirstRequest };

/** The longest result that is kept to be told again: what a store takes, less room for the head. */
export const MAX_RESULT_BYTES = MAX_OUTCOME_BYTES - 4_096;

/**
 * One version byte, the head's length (4 bytes, big endian), the head as JSON, and then, for a result, the child's
 * bytes as they were. Another shape of the head is another version.
 */
const VERSION = 1;
const PREFIX_BYTES = 5;

interface Head {
  readonly first: FirstRequest;
  /** Of a result. */
  readonly isError?: boolean;
  readonly error?: Pick<BridgeError, 'code' | 'message' | 'executed' | 'retryAfterMs' | 'details'>;
}

/**
 * An outcome in one buffer of its own: the pieces of a result are slices of what the child wrote beside it. A result
 * that is too large for the store becomes an error that says so.
 */
export function encodeOutcome(outcome: Outcome): Uint8Array {
  const { first } = outcome;
  if ('error' in outcome) return errorBytes(outcome.error, first);
  const { body, length, isError } = outcome.result;
  if (length > MAX_RESULT_BYTES) return errorBytes(tooLarge(length), first);
  return bytes(isError ? { first, isError } : { first }, body, length);
}

/**
 * What {@link encodeOutcome} wrote; a result's body is a slice of `encoded`.
 * @returns undefined where it was written in a form that this process does not know
 */
export function decodeOutcome(encoded: Uint8Array): Outcome | undefined {
  if (encoded.length < PREFIX_BYTES || encoded[0] !== VERSION) return undefined;
  const buffer = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  const bodyAt = PREFIX_BYTES + buffer.readUInt32BE(1);
  const head = parseHead(buffer.toString('utf8', PREFIX_BYTES, bodyAt));
  if (head === undefined) return undefined;
  const first: FirstRequest = { requestId: head.first.requestId, traceId: head.first.traceId };
  if (head.error !== undefined) {
    const { code, message, executed, retryAfterMs, details } = head.error;
    const options: BridgeErrorOptions = {
      executed,
      first,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(details === undefined ? {} : { details }),
    };
    return { error: new BridgeError(code, message, options), first };
  }
  const body = buffer.subarray(bodyAt);
  return { result: { body: [body], length: body.length, isError: head.isError === true }, first };
}

function parseHead(text: string): Head | undefined {
  try {
    return JSON.parse(text) as Head;
  } catch {
    return undefined;
  }
}

function errorBytes(error: BridgeError, first: FirstRequest): Uint8Array {
  const { code, message, executed, retryAfterMs, details } = error;
  return bytes({ first, error: { code, message, executed, retryAfterMs, details } }, [], 0);
}

function bytes(head: Head, body: readonly Uint8Array[], length: number): Uint8Array {
  const text = JSON.stringify(head);
  const headBytes = Buffer.byteLength(text);
  const encoded = Buffer.allocUnsafeSlow(PREFIX_BYTES + headBytes + length);
  encoded[0] = VERSION;
  encoded.writeUInt32BE(headBytes, 1);
  encoded.write(text, PREFIX_BYTES);
  let at = PREFIX_BYTES + headBytes;
  for (const piece of body) {
    encoded.set(piece, at);
    at += piece.length;
  }
  return encoded;
}

/** It ran and answered, so `yes`; what fails is that the answer is too large, for the record if not for the wire. */
function tooLarge(length: number): BridgeError {
  return new BridgeError(
    'child_response_too_large',
    `the first call with this key ran and was answered with ${length} bytes, more than the ${MAX_RESULT_BYTES} that are kept to be told again; it was not run again: read what it did by another call, and ask for less under a new key`,
    { executed: 'yes' },
  );
}
