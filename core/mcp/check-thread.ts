import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ArgumentError } from '#core/errors.ts';
import type { SchemaShape } from '#core/mcp/schema-shape.ts';

/** No value is checked for longer. */
export const MAX_CHECK_MS = 50;

/** How long a request may take by the clock before it is stopped. */
export interface CheckLimits {
  readonly maxCheckMs: number;
  /** It happens once per thread. */
  readonly maxCompileMs: number;
  /** A bad pattern would take for ever; good ones are done at once, also on a machine that has other things to do. */
  readonly maxProbeMs: number;
}

export const CHECK_LIMITS: CheckLimits = { maxCheckMs: MAX_CHECK_MS, maxCompileMs: 500, maxProbeMs: 200 };

/** A start takes 0.1 s; more means that there is no processor time to be had. */
const MAX_START_MS = 5_000;
/** A stopped thread is gone at once; what the engine cannot interrupt is left to end by itself. */
const MAX_END_MS = 1_000;
/** Compiled schemas kept in the thread. */
const MAX_SCHEMAS = 100;
/** Characters of a value as JSON; reading a larger one would take most of the time there is. */
const MAX_VALUE_LENGTH = 4 * 1024 * 1024;
/** Enough for such a value. Beyond it the thread ends, not the process. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4 } as const;

/** A schema as the thread gets it. */
export interface ThreadSchema {
  readonly id: number;
  /** The reduced schema. */
  readonly json: string;
  readonly dialect: SchemaShape['dialect'];
}

/** What the thread is asked, one thing at a time. */
export type CheckRequest =
  | { readonly task: 'compile'; readonly schema: ThreadSchema; readonly forget: number | undefined }
  | {
      readonly task: 'check';
      readonly id: number;
      /** The value as JSON; missing where there is none. */
      readonly json: string | undefined;
      readonly explain: boolean;
    }
  | { readonly task: 'probe'; readonly patterns: readonly string[] };

/** And what it answers. */
export type CheckReply = { readonly value: unknown } | { readonly failure: string };

/**
 * A check that was not carried through. `too much`: it was stopped; `failed`: the thread says why; `unavailable`: there
 * was no thread to do it, or no place in the queue.
 */
export class CheckError extends Error {
  override readonly name = 'CheckError';
  readonly kind: 'too much' | 'failed' | 'unavailable';

  constructor(kind: CheckError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Makes the thread; that it may not be had is an exception or an `error` event. */
export type StartThread = () => Worker;

/** One thread that compiles schemas and checks values, one request at a time; what takes too long ends it. */
export class CheckThread {
  readonly #worker: Worker;
  readonly #limits: CheckLimits;
  /** Of the schemas compiled in it, oldest first. */
  readonly #compiled = new Set<number>();
  readonly #exited: Promise<unknown>;
  #pending: { resolve(value: unknown): void; reject(error: CheckError): void } | undefined;
  #alive = true;

  private constructor(worker: Worker, limits: CheckLimits) {
    this.#worker = worker;
    this.#limits = limits;
    this.#exited = new Promise((resolve) => worker.once('exit', resolve));
    worker.on('message', (reply: CheckReply | 'ready') => {
      const pending = this.#pending;
      this.#pending = undefined;
      if (reply === 'ready') pending?.resolve(undefined);
      else if ('value' in reply) pending?.resolve(reply.value);
      else pending?.reject(new CheckError('failed', reply.failure));
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
        this.#stop(new CheckError('too much', `took more than ${RESOURCE_LIMITS.maxOldGenerationSizeMb} MiB`));
      } else this.#stop(new CheckError('unavailable', `it ended with ${error.code ?? error.name}`, { cause: error }));
    });
    worker.on('exit', () => this.#stop(new CheckError('unavailable', 'it ended')));
    // It never keeps the process alive.
    worker.unref();
  }

  /** @throws CheckError unavailable */
  static async start(limits: CheckLimits, startThread: StartThread = startWorkerThread): Promise<CheckThread> {
    let worker: Worker;
    try {
      worker = startThread();
    } catch (error) {
      throw new CheckError('unavailable', 'none can be started: raise the limit of processes and threads', {
        cause: error,
      });
    }
    const thread = new CheckThread(worker, limits);
    try {
      await thread.#settled(MAX_START_MS);
    } catch (error) {
      throw new CheckError('unavailable', `none could be started: ${(error as CheckError).message}`, { cause: error });
    }
    return thread;
  }

  /** False once it was stopped or ended by itself. */
  get alive(): boolean {
    return this.#alive;
  }

  /** @returns how long it took, in ms. @throws CheckError */
  async compile(schema: ThreadSchema): Promise<number> {
    const [oldest] = this.#compiled.size >= MAX_SCHEMAS ? this.#compiled : [];
    if (oldest !== undefined) this.#compiled.delete(oldest);
    const tookMs = await this.#ask({ task: 'compile', schema, forget: oldest }, this.#limits.maxCompileMs);
    this.#compiled.add(schema.id);
    return tookMs as number;
  }

  /** @returns what is wrong with the value. @throws CheckError */
  async check(schema: ThreadSchema, value: unknown, explain: boolean): Promise<readonly ArgumentError[] | undefined> {
    if (!this.#compiled.has(schema.id)) await this.compile(schema);
    const json = JSON.stringify(value);
    if (json?.length > MAX_VALUE_LENGTH) {
      throw new CheckError('too much', `is for values of up to ${MAX_VALUE_LENGTH} characters`);
    }
    const errors = await this.#ask({ task: 'check', id: schema.id, json, explain }, this.#limits.maxCheckMs);
    return errors as readonly ArgumentError[] | undefined;
  }

  /** @throws CheckError too much when one of them does not end, failed when one is no pattern */
  async probe(patterns: readonly string[]): Promise<void> {
    await this.#ask({ task: 'probe', patterns }, this.#limits.maxProbeMs);
  }

  /** Stops whatever it does; fulfilled when its memory is given back, at the latest after 1 s. Idempotent. */
  async end(): Promise<void> {
    this.#stop(new CheckError('unavailable', 'it was stopped'));
    const patience = new AbortController();
    const timeUp = setTimeoutAsync(MAX_END_MS, undefined, { signal: patience.signal }).catch(() => {});
    await Promise.race([this.#exited, timeUp]);
    patience.abort();
  }

  #ask(request: CheckRequest, limitMs: number): Promise<unknown> {
    if (!this.#alive) return Promise.reject(new CheckError('unavailable', 'it ended'));
    this.#worker.postMessage(request);
    return this.#settled(limitMs);
  }

  async #settled(limitMs: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const pending = { resolve, reject };
    this.#pending = pending;
    const timer = setTimeout(() => {
      // After a busy moment timers come before messages: an answer that has arrived by then counts.
      setImmediate(() => {
        if (this.#pending === pending) this.#stop(new CheckError('too much', `took longer than ${limitMs} ms`));
      });
    }, limitMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #stop(why: CheckError): void {
    this.#pending?.reject(why);
    this.#pending = undefined;
    if (!this.#alive) return;
    this.#alive = false;
    void this.#worker.terminate();
  }
}

function startWorkerThread(): Worker {
  const cacheDir = getCompileCacheDir();
  return new Worker(new URL('./check-thread-main.ts', import.meta.url), {
    name: 'schema checks',
    // What the process was started with (inspectors, preloaded modules, secrets) is not for this thread.
    argv: [],
    execArgv: [],
    env: cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cacheDir) },
    resourceLimits: RESOURCE_LIMITS,
  });
}
