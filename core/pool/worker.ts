/** What ended a worker, or why the pool replaces it: in log lines, metrics and tests alike. */
export type RetireReason =
  | 'idle' // above `min` and without a call for `idleMs`
  | 'age'
  | 'uses'
  | 'rss'
  | 'silent' // sent nothing since a cancel, not even the answer to a ping
  | 'abandoned' // holds `concurrency` calls that nobody waits for any more
  | 'protocol' // broke the protocol beyond one call
  | 'crashed' // ended by itself
  | 'start_failed' // never became ready
  | 'reload' // made in a way that is no longer in force
  | 'shutdown';

/** How a worker ended. */
export interface WorkerEnd {
  /** Text for the log, e.g. `exit code 1` or `signal SIGKILL`. */
  readonly summary: string;
  /** True where the pool had asked it to stop. */
  readonly expected: boolean;
}

/** All the pool knows of what it keeps: it can become ready, take calls elsewhere, and end. */
export interface Worker {
  /** Given by its pool: unique there, never reused. */
  readonly id: number;
  /** Settles once: fulfilled when it can take calls, rejected when it cannot start. */
  readonly ready: Promise<void>;
  /** Fulfilled once, when nothing of it is left. Never rejects. */
  readonly ended: Promise<WorkerEnd>;
  /**
   * False while it must not be given further calls though it is alive (its input is not being read), and from
   * the moment it is ending, before its leases are: a lease released by a worker that is not accepting does
   * not prove that the worker works.
   */
  readonly accepting: boolean;
  /** Called by the worker whenever `accepting` becomes true again; set by the pool. */
  onAccepting: (() => void) | undefined;
  /** Resident memory in bytes, where it can be known. */
  rss(): number | undefined;
  /** Ends it gently (the pool calls this when its last lease has ended); settles when it has ended. Idempotent. */
  drain(): Promise<void>;
  /** Ends it now; what is in flight fails. Settles when it has ended. Idempotent. */
  destroy(reason: RetireReason): Promise<void>;
}
