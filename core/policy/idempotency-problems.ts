import { BridgeError } from '#core/errors.ts';

const SOONEST_REPEAT_MS = 1_000;
const LATEST_REPEAT_MS = 3_000;

/** A tool that must not run twice by accident. */
export function keyRequired(): BridgeError {
  return new BridgeError('idempotency_key_required', 'call this tool with an Idempotency-Key header, new per intent');
}

/** A keyed write cannot run while nobody can keep its record. */
export function storeUnavailable(): BridgeError {
  return new BridgeError(
    'idempotency_store_unavailable',
    `the store of idempotency keys did not answer, and a write with a key must not run unrecorded; nothing was run: repeat it with the same key in ${SOONEST_REPEAT_MS} ms`,
    { retryAfterMs: SOONEST_REPEAT_MS },
  );
}

/** What became of a call cannot be asked while nobody can say whether it is known. */
export function recordUnavailable(): BridgeError {
  return new BridgeError(
    'idempotency_store_unavailable',
    `the store of idempotency keys did not answer, so it is not known what became of the first call with this key; nothing was looked up or run: ask again in ${SOONEST_REPEAT_MS} ms`,
    { retryAfterMs: SOONEST_REPEAT_MS },
  );
}

/** The key has an owner within its lease. */
export function inProgress(leaseLeftMs: number): BridgeError {
  const retryAfterMs = Math.min(Math.max(Math.ceil(leaseLeftMs), SOONEST_REPEAT_MS), LATEST_REPEAT_MS);
  return new BridgeError(
    'idempotency_in_progress',
    `the first call with this key is still running and has ${Math.ceil(leaseLeftMs)} ms left to say how it ended; repeat it with the same key in ${retryAfterMs} ms to get its answer`,
    { retryAfterMs },
  );
}

/** Two asked at once what became of a call, or its owner said it just then. */
export function settledByAnother(): BridgeError {
  return new BridgeError(
    'idempotency_in_progress',
    `another request is just finding out what became of the first call with this key; ask again in ${SOONEST_REPEAT_MS} ms`,
    { retryAfterMs: SOONEST_REPEAT_MS },
  );
}

/** The key came with other arguments. */
export function keyReused(): BridgeError {
  return new BridgeError(
    'idempotency_key_reused',
    'this key was used with other arguments in the last 24 h; nothing was run: repeat the first call with its own arguments, or send this one under a new key',
  );
}

/** @param canAsk the tool can be asked with `Prefer: reconcile` */
export function outcomeLost(canAsk: boolean): BridgeError {
  return outcomeUnknown(
    `the first call with this key may have run, but how it ended was not recorded in time; it was not run again: ${canAsk ? 'ask what became of it with Prefer: reconcile' : LOOK_YOURSELF}`,
  );
}

/** The record is of another release. */
export function recordNotUnderstood(): BridgeError {
  return outcomeUnknown(
    'the first call with this key was recorded in a form that this replica does not know; it was not run again: repeat it with the same key once all replicas run the same release',
  );
}

/** Its caller left while it ran. */
export function givenUp(): BridgeError {
  return outcomeUnknown(
    `the first call with this key was given up while it ran; it was not run again: ${LOOK_YOURSELF}`,
  );
}

/** `Prefer: reconcile` for a call of which nothing is known, to a tool that cannot look. */
export function neverRecorded(): BridgeError {
  return outcomeUnknown(
    'no call with this key is recorded: none was made in the last 24 h, or the store has lost it; this tool cannot tell what became of it, and nothing was run: look at the service behind the tool, or send the call without Prefer: reconcile to run it as a first one',
  );
}

/** `Prefer: reconcile` for a lost call of a tool that cannot look. */
export function cannotBeAsked(): BridgeError {
  return outcomeUnknown(
    `the first call with this key may have run, but how it ended was not recorded in time, and this tool cannot be asked what became of it; nothing was run: ${LOOK_YOURSELF}`,
  );
}

/** @param looked where, in the tool's words; may be empty */
export function stillUnknown(looked: string): BridgeError {
  return outcomeUnknown(
    `the tool looked and cannot tell whether the first call with this key happened${looked === '' ? '' : ` (${looked})`}; nothing was run: ${LOOK_YOURSELF}, or ask again later`,
  );
}

/**
 * Nobody could look. Whether the look itself ran says nothing of the first call, so neither does this.
 * @param why with the code of what went wrong
 */
export function lookFailed(why: string, cause?: BridgeError): BridgeError {
  return new BridgeError(
    'outcome_unknown',
    `whether the first call with this key happened is still unknown, as the tool could not look: ${why}; nothing was run: ask again later with the same key and Prefer: reconcile`,
    {
      executed: 'maybe',
      cause,
      ...(cause?.retryAfterMs === undefined ? {} : { retryAfterMs: cause.retryAfterMs }),
    },
  );
}

/** The answer of a tool that was to look has no verdict. */
export function noVerdict(): BridgeError {
  return new BridgeError(
    'child_protocol_error',
    'the tool was asked what became of the first call with this key and answered without saying what it found, so that it may have run instead; the operator must set reconcile to false for this tool',
    { executed: 'maybe' },
  );
}

/** The tool looked: it did not happen. */
export function notExecuted(): BridgeError {
  return new BridgeError(
    'not_executed',
    'the tool looked: the first call with this key did not happen; the key is free again: send the call with the same key and without Prefer: reconcile to run it now',
  );
}

const LOOK_YOURSELF = 'look at the service behind the tool before you send it under a new key';

function outcomeUnknown(message: string): BridgeError {
  return new BridgeError('outcome_unknown', message, { executed: 'maybe' });
}
