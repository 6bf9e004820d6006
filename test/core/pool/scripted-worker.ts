import { vi } from 'vitest';
import { BridgeError } from '#core/errors.ts';
import type { PoolSettings } from '#core/manifest.ts';
import type { PoolEvents } from '#core/pool/events.ts';
import type { Lease } from '#core/pool/lease.ts';
import { Pool, type PoolOptions } from '#core/pool/pool.ts';
import type { RetireReason, Worker, WorkerEnd } from '#core/pool/worker.ts';

/** A worker without a child: it does what the test says, when the test says it. */
export class ScriptedWorker implements Worker {
  readonly id: number;
  readonly ready: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  accepting = true;
  onAccepting: (() => void) | undefined;
  rssMb = 10;
  /** `drain` and `destroy` in the order they were called. */
  readonly asked: string[] = [];
  /** Set to let it linger after `drain`, until `exit`. */
  deaf = false;
  over = false;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();

  constructor(id: number) {
    this.id = id;
    this.ready = this.#ready.promise;
    this.ended = this.#ended.promise;
  }

  becomeReady(): void {
    this.#ready.resolve();
  }

  failToStart(): void {
    this.#ready.reject(new Error('scripted'));
  }

  crash(): void {
    this.accepting = false;
    this.exit({ summary: 'exit code 1', expected: false });
  }

  exit(end: WorkerEnd = { summary: 'exit code 0', expected: true }): void {
    this.over = true;
    this.#ended.resolve(end);
  }

  takeAgain(): void {
    this.accepting = true;
    this.onAccepting?.();
  }

  rss(): number {
    return this.rssMb * 1024 * 1024;
  }

  drain(): Promise<void> {
    this.asked.push('drain');
    if (!this.deaf) this.exit();
    return this.#ended.promise.then(() => {});
  }

  destroy(reason: RetireReason): Promise<void> {
    this.asked.push(`destroy ${reason}`);
    this.accepting = false;
    this.exit();
    return this.#ended.promise.then(() => {});
  }
}

export const SETTINGS: PoolSettings = {
  min: 1,
  max: 4,
  concurrency: 2,
  queueMax: 8,
  idleMs: 300_000,
  maxAgeMs: 3_600_000,
  maxUses: 100_000,
  minLifeMs: 0,
  maxRssMb: 512,
  startDeadlineMs: 15_000,
  maxLineBytes: 8_388_608,
  maxShareOfTool: 1,
};

export interface Script {
  readonly settings?: Partial<PoolSettings>;
  /** What a new worker does; the default becomes ready at once. */
  readonly born?: (worker: ScriptedWorker) => void;
  readonly options?: Partial<Pick<PoolOptions<ScriptedWorker>, 'growAfterMs' | 'random'>>;
}

/** A pool of scripted workers and everything that was seen of it. */
export function scriptedPool({ settings, born = (worker) => worker.becomeReady(), options }: Script = {}) {
  const workers: ScriptedWorker[] = [];
  const events: { event: keyof PoolEvents; payload: PoolEvents[keyof PoolEvents] }[] = [];
  const create = (id: number): ScriptedWorker => {
    const worker = new ScriptedWorker(id);
    workers.push(worker);
    born(worker);
    return worker;
  };
  const pool = new Pool<ScriptedWorker>({
    settings: { ...SETTINGS, ...settings },
    create,
    on: (event, payload) => events.push({ event, payload }),
    random: () => 0,
    ...options,
  });
  return {
    pool,
    workers,
    /** `pool.renew` with workers that are born like the others. */
    renew: () => pool.renew((id) => create(id)),
    /** The payloads of one event, oldest first. */
    seen: <E extends keyof PoolEvents>(event: E) =>
      events.filter((one) => one.event === event).map((one) => one.payload as PoolEvents[E]),
    worker: (id: number): ScriptedWorker => {
      const found = workers[id - 1];
      if (found === undefined) throw new Error(`worker ${id} was never started`);
      return found;
    },
    states: () => pool.stats().workers.map(({ id, state }) => `${id} ${state}`),
  };
}

/** What became of one `acquire`, so that a test can look before and after. */
export interface Attempt {
  readonly key: string;
  lease: Lease<ScriptedWorker> | undefined;
  error: unknown;
  readonly code: string | undefined;
  readonly settled: number;
  abort(reason?: unknown): void;
}

export function attempt(
  pool: Pool<ScriptedWorker>,
  { key = 'tool', avoid }: { readonly key?: string; readonly avoid?: ReadonlySet<number> } = {},
): Attempt {
  const controller = new AbortController();
  let settled = 0;
  const one = {
    key,
    lease: undefined as Lease<ScriptedWorker> | undefined,
    error: undefined as unknown,
    get code() {
      return one.error instanceof BridgeError ? one.error.code : undefined;
    },
    get settled() {
      return settled;
    },
    abort: (reason: unknown = deadline()) => controller.abort(reason),
  };
  const answer = pool.acquire({ key, avoid, signal: controller.signal });
  if (answer instanceof Promise) {
    answer.then(
      (lease) => {
        settled++;
        one.lease = lease;
      },
      (error) => {
        settled++;
        one.error = error;
      },
    );
  } else {
    settled++;
    one.lease = answer;
  }
  return one;
}

/** A lease that must be there. */
export function held(one: Attempt): Lease<ScriptedWorker> {
  if (one.lease === undefined) throw new Error(`no lease: ${one.error ?? 'still waiting'}`);
  return one.lease;
}

export function deadline(): BridgeError {
  return new BridgeError('deadline_exceeded', 'no answer within the deadline');
}

/** Lets promises settle, and `ms` of the fake clock pass. */
export async function pass(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}
