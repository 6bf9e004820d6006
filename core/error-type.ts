import { BridgeError, CLIENT_GONE, type ErrorCode } from '#core/errors.ts';

/** Codes that spans and metrics call otherwise: those words say what to look at, ours what the caller may do. */
const NAMED: Partial<Readonly<Record<ErrorCode, string>>> = {
  deadline_exceeded: 'timeout',
  child_crashed: 'child_exit',
  queue_full: 'overloaded',
  queue_timeout: 'overloaded',
  no_worker_ready: 'overloaded',
  bridge_unavailable: 'overloaded',
  worker_backpressure: 'overloaded',
};

/** What `error.type` says of whatever was thrown: `timeout`, `cancelled`, `child_exit`, `overloaded`, or the code itself. */
export function errorTypeOf(thrown: unknown): string {
  if (thrown instanceof BridgeError) return errorTypeOfCode(thrown.code);
  return thrown === CLIENT_GONE ? 'cancelled' : 'internal';
}

/** What `error.type` says of a problem with this code. */
export function errorTypeOfCode(code: ErrorCode): string {
  return NAMED[code] ?? code;
}
