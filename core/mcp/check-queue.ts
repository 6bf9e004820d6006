import type { ArgumentError } from '#core/errors.ts';
import {
  CHECK_LIMITS,
  CheckError,
  type CheckLimits,
  CheckThread,
  type StartThread,
  type ThreadSchema,
} from '#core/mcp/check-thread.ts';

const MAX_WAITING = 64;
const MAX_WAITING_PER_SCHEMA = 16;
/** Who has waited longer for the thread is refused. */
const MAX_WAIT_MS = 2_000;
/** After so long without a check the thread gives its memory back. */
const IDLE_MS = 10_000;

export interface CheckQueueOptions extends Partial<CheckLimits> {
  readonly maxWaitMs?: number;
  /** For tests that need a thread that cannot be had. */
  readonly startThread?: StartThread;
}

interface Job {
  readonly queuedAtMs: number;
  run(thread: CheckThread): Promise<void>;
  refuse(error: CheckError): void;
}

/**
 * Checks that may take too long, in a thread of their own, one at a time: the schemas take turns, so that a slow one
 * delays another by two checks at most. The thread is started by the first check, replaced after one that had to be
 * stopped, and ended when there is nothing to do. All methods reject with `CheckError`.
 */
export class CheckQueue {
  readonly #startThread: StartThread | undefined;
  readonly #limits: CheckLimits;
  readonly #maxWaitMs: number;
  /** By schema, whose turn is next first. */
  readonly #lines = new Map<number, Job[]>();
  #waiting = 0;
  #working = false;
  #thread: CheckThread | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor({ startThread, maxWaitMs = MAX_WAIT_MS, ...limits }: CheckQueueOptions = {}) {
    this.#startThread = startThread;
    this.#limits = { ...CHECK_LIMITS, ...limits };
    this.#maxWaitMs = maxWaitMs;
  }

  /** @returns how long it took to compile, in ms */
  compile(schema: ThreadSchema): Promise<number> {
    return this.#enqueue(schema.id, (thread) => thread.compile(schema));
  }

  /** @returns what is wrong with a value; undefined when it fits */
  check(schema: ThreadSchema, value: unknown, explain: boolean): Promise<readonly ArgumentError[] | undefined> {
    return this.#enqueue(schema.id, (thread) => thread.check(schema, value, explain));
  }

  /** Whether the patterns of a schema are harmless: fulfilled when they are. */
  probe(schema: ThreadSchema, patterns: readonly string[]): Promise<void> {
    return this.#enqueue(schema.id, (thread) => thread.probe(patterns));
  }

  #enqueue<T>(id: number, work: (thread: CheckThread) => Promise<T>): Promise<T> {
    const line = this.#lines.get(id) ?? [];
    if (this.#waiting >= MAX_WAITING || line.length >= MAX_WAITING_PER_SCHEMA) {
      const waiting = `${this.#waiting} checks wait for it, ${line.length} of them for this schema`;
      return Promise.reject(new CheckError('unavailable', waiting));
    }
    return new Promise((resolve, reject) => {
      line.push({
        queuedAtMs: performance.now(),
        run: (thread) => work(thread).then(resolve, reject),
        refuse: reject,
      });
      this.#lines.set(id, line);
      this.#waiting += 1;
      if (!this.#working) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#working = true;
    clearTimeout(this.#idle);
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      if (performance.now() - job.queuedAtMs > this.#maxWaitMs) {
        job.refuse(new CheckError('unavailable', `it was busy with others for ${this.#maxWaitMs} ms`));
        continue;
      }
      try {
        if (!this.#thread?.alive) this.#thread = await CheckThread.start(this.#limits, this.#startThread);
      } catch (error) {
        job.refuse(error as CheckError);
        continue;
      }
      await job.run(this.#thread);
      // Two at a time would be more than the process may be allowed.
      if (!this.#thread.alive) await this.#thread.end();
    }
    this.#working = false;
    this.#idle = setTimeout(() => {
      void this.#thread?.end();
      this.#thread = undefined;
    }, IDLE_MS).unref();
  }

  #next(): Job | undefined {
    const [first] = this.#lines;
    if (first === undefined) return undefined;
    const [id, line] = first;
    const job = line.shift();
    this.#lines.delete(id);
    if (line.length > 0) this.#lines.set(id, line);
    this.#waiting -= 1;
    return job;
  }
}
