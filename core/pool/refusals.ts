import { BridgeError } from '#core/errors.ts';

/** What a refusal tells about the pool. */
export interface Load {
  readonly ready: number;
  readonly starting: number;
  /** Calls in flight. */
  readonly calls: number;
  readonly waiting: number;
}

/** An estimate: a queue that is full now is usually not a second later. */
const RETRY_AFTER_MS = 1_000;

/** The whole queue is full. */
export function queueFull({ ready, calls, waiting }: Load): BridgeError {
  return new BridgeError(
    'queue_full',
    `${many(ready, 'worker')} busy with ${many(calls, 'call')}, ${waiting} waiting; repeat later, or add workers or replicas`,
    { retryAfterMs: RETRY_AFTER_MS },
  );
}

/** One tool has all it may have of the queue. */
export function shareFull(waiting: number, queueMax: number): BridgeError {
  return new BridgeError(
    'queue_full',
    `${many(waiting, 'call')} of this tool waiting, its share of a queue of ${queueMax}; repeat later`,
    { retryAfterMs: RETRY_AFTER_MS },
  );
}

/** The deadline came while the call waited. `everReady`: a worker has been ready since the pool last rested at zero. */
export function waitedTooLong(waitedMs: number, load: Load, everReady: boolean, cause: unknown): BridgeError {
  const { ready, starting, waiting } = load;
  return everReady
    ? new BridgeError(
        'queue_timeout',
        `no worker within ${Math.round(waitedMs)} ms: ${ready} busy, ${waiting} waiting; repeat later or allow more time`,
        { retryAfterMs: RETRY_AFTER_MS, cause },
      )
    : new BridgeError(
        'no_worker_ready',
        `no worker became ready within ${Math.round(waitedMs)} ms: ${starting} starting, ${waiting} waiting; repeat later or allow more time`,
        { retryAfterMs: RETRY_AFTER_MS, cause },
      );
}

/** The crash-loop verdict. `nextStartInMs` 0: a start is being tried right now. */
export function unavailable(failedStarts: number, nextStartInMs: number): BridgeError {
  const waitMs = Math.ceil(nextStartInMs);
  return new BridgeError(
    'bridge_unavailable',
    `${failedStarts} starts in a row failed, ${waitMs > 0 ? `next try in ${waitMs} ms` : 'the next is being tried now'}; see the log of this replica`,
    { retryAfterMs: waitMs > 0 ? waitMs : RETRY_AFTER_MS },
  );
}

/** The pool takes no more calls. */
export function draining(calls: number): BridgeError {
  return new BridgeError(
    'draining',
    `this replica is stopping, ${many(calls, 'call')} left to finish; send the call to another replica`,
    { retryAfterMs: RETRY_AFTER_MS },
  );
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
