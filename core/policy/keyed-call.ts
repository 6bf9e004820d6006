import { hash } from 'node:crypto';
import { type ToolCall, traceIdOf } from '#core/call.ts';
import type { FirstRequest } from '#core/errors.ts';
import { canonicalArguments } from '#core/policy/canonical-arguments.ts';

/** A key this process claimed or took over, until it is settled. */
export interface Owned {
  readonly key: string;
  readonly token: string;
  /** False where the claim got no answer: the store may or may not have taken it, and it is released to be sure. */
  readonly claimed: boolean;
  /** Until then the store keeps the record, by the clock of the recorder. */
  readonly expiresAtMs: number;
}

/** What an owner has after its deadline, for its record to arrive. */
const LEASE_MARGIN_MS = 5_000;
/** How long after the deadline an answer may still wait for its record; the caller's own limit is at 100 ms. */
const RECORDING_GRACE_MS = 50;

/** What must be the same when a key comes again. */
export function fingerprintOf(call: ToolCall): string {
  return hash('sha256', canonicalArguments(call.argumentsJson));
}

/** How long the owner of a key has: the call's remaining deadline and 5 s. */
export function leaseMsOf(call: ToolCall): number {
  return Math.max(0, Math.ceil(leftMs(call))) + LEASE_MARGIN_MS;
}

/** The request that a recorded outcome answered. */
export function requestOf(call: ToolCall): FirstRequest {
  return { requestId: call.requestId, traceId: traceIdOf(call.trace) };
}

/** Waits for a settlement, but not beyond the call's deadline. */
export function settledInTime(call: ToolCall, settlement: Promise<void>): Promise<void> {
  const left = call.abort.signal.aborted ? 0 : Math.max(0, leftMs(call));
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, left + RECORDING_GRACE_MS);
    void settlement.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Until the call's deadline; negative when it is over. */
function leftMs(call: ToolCall): number {
  return call.arrivedAtMs + call.timeoutMs - performance.now();
}
