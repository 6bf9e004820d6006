import { BridgeError } from '#core/errors.ts';

/** The numbers that opened a circuit. */
export interface OpeningCause {
  /** Calls that counted: in the window, or in half-open where a probe failed. */
  readonly calls: number;
  readonly failures: number;
  /** Failed probes since it was last closed. */
  readonly failedProbes: number;
  readonly windowMs: number;
}

/** In half-open nobody knows how long the probes take. */
const PROBING_RETRY_MS = 1_000;

/** The circuit is open. `retryAfterMs`: until probes are let through. */
export function resting({ calls, failures, failedProbes, windowMs }: OpeningCause, retryAfterMs: number): BridgeError {
  const why =
    failedProbes === 0
      ? `${failures} of ${calls} calls of this tool failed within ${seconds(windowMs)}`
      : `this tool failed again when it was tried, ${failedProbes} ${failedProbes === 1 ? 'time' : 'times'} now`;
  return new BridgeError('circuit_open', `${why}; the next probe in ${seconds(retryAfterMs)}, repeat then`, {
    retryAfterMs,
  });
}

/** The circuit is half-open, and every probe has gone out. */
export function underProbe(probes: number, good: number): BridgeError {
  return new BridgeError(
    'circuit_open',
    `this tool failed and is being tried with ${probes} ${probes === 1 ? 'call' : 'calls'}, ${good} good so far; repeat later`,
    { retryAfterMs: PROBING_RETRY_MS },
  );
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 100) / 10} s`;
}
