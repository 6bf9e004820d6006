import type { EventEmitter } from 'node:events';

/** Something that can be ended at once. */
export interface Part {
  /** For the log. */
  readonly name: string;
  /** Settles when nothing of it is left. Idempotent. */
  destroy(): Promise<void>;
}

/** Where calls come in. */
export interface Entrance extends Part {
  /** @throws when the address cannot be had */
  open(): Promise<void>;
  /** Says to whoever asks that this process is leaving; calls are still taken. */
  announce(): void;
  /**
   * Takes nothing new and waits for the answers in flight; what is left after `budgetMs` is answered as out of time,
   * and then the connections end.
   */
  close(budgetMs: number): Promise<void>;
  /** Calls without an answer yet. */
  readonly inFlight: number;
}

/** What runs behind the entrance: a bridge. */
export interface Engine extends Part {
  /** Settles when it has started or failed once; never rejects. */
  start(): Promise<void>;
  /** Refuses what is new, finishes what it has, then stops its workers. */
  drain(): Promise<void>;
}

/** What an operator wants to know of a process's life; the lifecycle itself does not log. */
export type LifecycleEvent =
  | { readonly event: 'process:opened' }
  | { readonly event: 'process:ready'; readonly startMs: number }
  | { readonly event: 'process:draining'; readonly reason: string; readonly inFlight: number }
  | { readonly event: 'process:expired'; readonly inFlight: number; readonly budgetMs: number }
  | { readonly event: 'process:killed'; readonly reason: string }
  | { readonly event: 'process:failed'; readonly error: unknown }
  | { readonly event: 'part:failed'; readonly part: string; readonly error: unknown }
  | { readonly event: 'part:overdue'; readonly parts: readonly string[]; readonly budgetMs: number }
  | { readonly event: 'process:stopped'; readonly exitCode: number; readonly tookMs: number };

export interface LifecycleOptions {
  readonly entrance: Entrance;
  /** Given, the entrance opens when the engines have started (or failed once) and this is true; else before them. */
  readonly opensWhen?: (() => boolean) | undefined;
  readonly engines: readonly Engine[];
  /** Opened first and closed last, so that the state can be asked for until the end. */
  readonly ops: Part & { open(): Promise<void> };
  readonly drain: {
    /** New calls are still taken for this long after the first signal. */
    readonly delayMs: number;
    /** What calls in flight have after that. */
    readonly budgetMs: number;
  };
  readonly on: (event: LifecycleEvent) => void;
}

/** How often it is looked whether a closed entrance may open. */
const OPEN_POLL_MS = 50;
/** After the drain budget: the answers that say so have to be written (1 s), and some air. */
const answerBudgetMs = 2000;
/** The grace of cancelled calls (2 s), the stop ladder of a worker (2 s + 5 s + 1 s), and some air. */
const engineBudgetMs = 12_000;
/** Killed process groups are gone within this, or nobody can help it. */
const destroyBudgetMs = 2000;

/** `EX_SOFTWARE` of sysexits: an error of ours ended the process. */
const EXIT_SOFTWARE = 70;
/** One wish to stop may arrive twice: a terminal signals the whole group, and npm passes on what it got itself. */
const sameWishMs = 200;

/** What a shell reports for a process that a signal ended. */
const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * A process from its first port to its exit code, in phases with budgets:
 * open → start → ready → announce (`delayMs`) → close the entrance (`budgetMs` + 2 s) → stop the engines (12 s) → ended.
 * The second request to stop, in any phase, ends everything at once. No phase is skipped because another one failed.
 */
export class Lifecycle {
  /** Fulfilled once with the exit code, when nothing is left. Never rejects. */
  readonly ended: Promise<number>;
  readonly #options: LifecycleOptions;
  readonly #startedAtMs = performance.now();
  readonly #kill = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<number>();
  #stopping = false;
  #killed = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.ended = this.#end.promise;
  }

  /** True from the first request to stop. */
  get draining(): boolean {
    return this.#stopping;
  }

  /**
   * Opens the ports and starts the engines, in the order that `opensWhen` asks for; settles when the ports are open and
   * each engine has started or failed once, or with the end.
   * @throws whatever opening a port throws; nothing is left open or running then
   */
  async start(): Promise<void> {
    const { engines, ops, opensWhen, on } = this.#options;
    await this.#opening(() => ops.open(), [ops]);
    if (opensWhen === undefined) await this.#openEntrance([]);
    if (this.#stopping) return;
    await Promise.race([Promise.all(engines.map((engine) => this.#guard(engine, () => engine.start()))), this.ended]);
    while (opensWhen?.() === false && !this.#stopping) {
      const { promise, cancel } = timer(OPEN_POLL_MS);
      await Promise.race([promise, this.ended]);
      cancel();
    }
    if (this.#stopping) return;
    if (opensWhen !== undefined) await this.#openEntrance(engines);
    if (this.#stopping) return;
    on({ event: 'process:ready', startMs: Math.round(performance.now() - this.#startedAtMs) });
  }

  /**
   * The first request drains, a further one kills.
   * @param reason what asked for it, for the log
   * @param exitCodes what the process ends with: `drained` after the first request, `killed` after a further one
   */
  stop(reason: string, exitCodes: { readonly drained: number; readonly killed: number }): void {
    if (!this.#stopping) {
      this.#stopping = true;
      void this.#drain(reason, exitCodes.drained);
    } else if (!this.#killed) {
      this.#killed = true;
      this.#kill.resolve();
      this.#options.on({ event: 'process:killed', reason });
      void this.#destroyEverything().then(() => this.#finish(exitCodes.killed));
    }
  }

  /** An error that nobody caught: what the process knows can no longer be trusted, so it leaves in good order. */
  fail(error: unknown): void {
    this.#options.on({ event: 'process:failed', error });
    if (!this.#stopping) this.stop('uncaught error', { drained: EXIT_SOFTWARE, killed: EXIT_SOFTWARE });
  }

  async #openEntrance(running: readonly Engine[]): Promise<void> {
    const { entrance, ops, on } = this.#options;
    await this.#opening(() => entrance.open(), [...running, entrance, ops]);
    if (!this.#stopping) on({ event: 'process:opened' });
  }

  async #opening(open: () => Promise<void>, otherwise: readonly Part[]): Promise<void> {
    try {
      await open();
    } catch (error) {
      await this.#destroyAll(otherwise);
      throw error;
    }
  }

  async #drain(reason: string, exitCode: number): Promise<void> {
    const { entrance, engines, drain, on } = this.#options;
    on({ event: 'process:draining', reason, inFlight: entrance.inFlight });
    entrance.announce();
    if (drain.delayMs > 0) await this.#within(drain.delayMs, new Promise(() => {}));
    if (this.#killed) return;

    // Set before the entrance sets its own timer, so that what is left is counted before it is answered.
    const expiry = timer(drain.budgetMs);
    void expiry.promise.then(() => {
      const { inFlight } = entrance;
      if (inFlight > 0) on({ event: 'process:expired', inFlight, budgetMs: drain.budgetMs });
    });
    await this.#within(
      drain.budgetMs + answerBudgetMs,
      this.#guard(entrance, () => entrance.close(drain.budgetMs)),
    );
    expiry.cancel();
    if (this.#killed) return;

    // Not before the last connection is closed: what still came in over an open one was to be served.
    const stopped = await this.#within(
      engineBudgetMs,
      Promise.all(engines.map((engine) => this.#guard(engine, () => engine.drain()))),
    );
    if (this.#killed) return;
    if (!stopped) {
      on({ event: 'part:overdue', parts: engines.map(({ name }) => name), budgetMs: engineBudgetMs });
    }
    await this.#destroyEverything();
    this.#finish(exitCode);
  }

  #destroyEverything(): Promise<void> {
    const { entrance, engines, ops } = this.#options;
    return this.#destroyAll([...engines, entrance, ops]);
  }

  async #destroyAll(parts: readonly Part[]): Promise<void> {
    const left = new Set(parts);
    const gone = Promise.all(
      parts.map((part) => this.#guard(part, () => part.destroy()).then(() => left.delete(part))),
    );
    const { promise: overdue, cancel } = timer(destroyBudgetMs);
    await Promise.race([gone, overdue]);
    cancel();
    if (left.size === 0) return;
    this.#options.on({ event: 'part:overdue', parts: [...left].map(({ name }) => name), budgetMs: destroyBudgetMs });
  }

  #finish(exitCode: number): void {
    const tookMs = Math.round(performance.now() - this.#startedAtMs);
    this.#options.on({ event: 'process:stopped', exitCode, tookMs });
    this.#end.resolve(exitCode);
  }

  /** Whether `work` settled within `ms`; false at once when everything is being killed. */
  async #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const { promise: late, cancel } = timer(ms);
    const done = await Promise.race([
      work.then(() => true),
      late.then(() => false),
      this.#kill.promise.then(() => false),
    ]);
    cancel();
    return done;
  }

  /** Runs one step of one part: a failure is told and stops nothing else. */
  async #guard(part: Part, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#options.on({ event: 'part:failed', part: part.name, error });
    }
  }
}

function timer(ms: number): { readonly promise: Promise<void>; readonly cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const handle = setTimeout(resolve, ms);
  return { promise, cancel: () => clearTimeout(handle) };
}

/**
 * Binds a lifecycle to the signals and uncaught errors of a process (or of a stand-in); dispose to unbind.
 * SIGINT and SIGTERM stop it, a second one kills; the same one within 200 ms is the first. SIGHUP does what `onHangup` says, and never ends the process unasked.
 */
export function bindToProcess(
  lifecycle: Pick<Lifecycle, 'stop' | 'fail'>,
  target: Pick<EventEmitter, 'on' | 'off'>,
  onHangup: () => void,
): Disposable {
  const heardAtMs = new Map<string, number>();
  const stop = (signal: keyof typeof EXIT_BY_SIGNAL): void => {
    const nowMs = performance.now();
    if (nowMs - (heardAtMs.get(signal) ?? Number.NEGATIVE_INFINITY) < sameWishMs) return;
    heardAtMs.set(signal, nowMs);
    lifecycle.stop(signal, { drained: 0, killed: EXIT_BY_SIGNAL[signal] });
  };
  const fail = (error: unknown): void => lifecycle.fail(error);
  const listeners: readonly (readonly [string, (...args: never[]) => void])[] = [
    ['SIGINT', stop],
    ['SIGTERM', stop],
    ['SIGHUP', onHangup],
    ['uncaughtException', fail],
    ['unhandledRejection', fail],
  ];
  for (const [event, listener] of listeners) target.on(event, listener as () => void);
  return {
    [Symbol.dispose]: () => {
      for (const [event, listener] of listeners) target.off(event, listener as () => void);
    },
  };
}
