import { signalProcessGroup } from '#core/child/process-group.ts';

/** Times of the way from "please finish" to "gone". */
export interface StopTimes {
  /** From the end of its input to SIGTERM. */
  readonly eofMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly termMs: number;
  /** From SIGKILL to giving up: only a process that cannot be killed is still there then. */
  readonly killMs: number;
  /** What an ended leader leaves behind gets SIGTERM at once and SIGKILL after this. */
  readonly orphanMs: number;
}

export const STOP_TIMES: StopTimes = { eofMs: 2_000, termMs: 5_000, killMs: 1_000, orphanMs: 1_000 };

/** How often an orphaned group is looked at. */
const POLL_MS = 50;

/** The step reached; only ever forward. `gone`: nothing is left, or nothing more can be done. */
type Stage = 'running' | 'closing' | 'terminating' | 'killing' | 'gone';

export interface StopOptions {
  /** Leader and group; see `Child.pid`. */
  readonly pid: number;
  /** Fulfilled when the leader was reaped. */
  readonly exited: Promise<unknown>;
  readonly times?: StopTimes;
  /** Replaced by tests. */
  readonly signalGroup?: typeof signalProcessGroup;
}

/**
 * The end of a process group: end of input, SIGTERM, SIGKILL, each after its time, and only as far as needed.
 * End of input comes first because SIGTERM makes servers drop the answers of calls that already took effect.
 *
 * Whatever made the leader end (also a crash), what it started in its group is ended too. `gone` always settles,
 * at most `eofMs + termMs + killMs` after {@link gently}, or `orphanMs + killMs` after the leader's end. A process
 * that left the group (`setsid`) is out of reach here; a container's init is what ends that.
 */
export class ChildStop {
  /** Fulfilled when no process of the group is left, or one could not be killed in time. Never rejects. */
  readonly gone: Promise<void>;
  readonly #pid: number;
  readonly #times: StopTimes;
  readonly #signalGroup: typeof signalProcessGroup;
  #stage: Stage = 'running';
  #leaderExited = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer's step is due. */
  #dueAtMs = 0;
  #poll: NodeJS.Timeout | undefined;
  #settle: () => void = () => {};

  constructor({ pid, exited, times = STOP_TIMES, signalGroup = signalProcessGroup }: StopOptions) {
    this.#pid = pid;
    this.#times = times;
    this.#signalGroup = signalGroup;
    this.gone = new Promise((resolve) => {
      this.#settle = resolve;
    });
    void exited.then(() => this.#sweep());
  }

  /** Asks it to finish: `closeInput` ends its stdin, the rest follows by time. Idempotent. */
  gently(closeInput: () => void): Promise<void> {
    if (this.#stage === 'running') {
      this.#stage = 'closing';
      closeInput();
      this.#next(this.#times.eofMs, () => this.#terminate(this.#times.termMs));
    }
    return this.gone;
  }

  /** SIGKILL to the group, whatever was begun. Idempotent. */
  now(): Promise<void> {
    if (this.#stage !== 'killing' && this.#stage !== 'gone') {
      this.#stage = 'killing';
      if (this.#signal('SIGKILL')) this.#next(this.#times.killMs, () => this.#end());
    }
    return this.gone;
  }

  #terminate(graceMs: number): void {
    this.#stage = 'terminating';
    if (this.#signal('SIGTERM')) this.#next(graceMs, () => void this.now());
  }

  /** The leader is reaped: the common case is that its group is empty at once. */
  #sweep(): void {
    this.#leaderExited = true;
    if (!this.#signal(0)) return;
    if (this.#stage === 'running' || this.#stage === 'closing') this.#terminate(this.#times.orphanMs);
    else if (this.#stage === 'terminating') {
      this.#next(Math.min(this.#times.orphanMs, this.#dueAtMs - performance.now()), () => void this.now());
    }
    this.#poll = setInterval(() => this.#signal(0), POLL_MS);
  }

  /** False, and the end, once there is nothing left to signal. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#signalGroup(this.#pid, signal)) return true;
    // Before the leader is reaped its exit status is still to come; the group id cannot be reused until then.
    if (this.#leaderExited) this.#end();
    return !this.#leaderExited;
  }

  #next(afterMs: number, step: () => void): void {
    clearTimeout(this.#timer);
    this.#dueAtMs = performance.now() + afterMs;
    this.#timer = setTimeout(step, afterMs);
  }

  #end(): void {
    this.#stage = 'gone';
    clearTimeout(this.#timer);
    clearInterval(this.#poll);
    this.#settle();
  }
}
