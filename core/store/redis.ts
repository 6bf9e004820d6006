import { Redis, ReplyError } from 'ioredis';
import { HangWatch } from '#core/store/hang-watch.ts';
import { parseRedisUrl } from '#core/store/redis-address.ts';
import { unkeptPromises } from '#core/store/redis-promises.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

/** What a shared store tells about itself; no text holds any part of its URL, a key or a value. */
export type StoreEvent =
  | { readonly event: 'store:away'; readonly reason: string }
  | { readonly event: 'store:back'; readonly awayMs: number }
  /** It works, but does not keep what the contract wants kept. */
  | { readonly event: 'store:warning'; readonly message: string };

/** `connecting` is the first attempt of a process only: calls wait for it, at most as long as for a command. */
export type RedisState = 'connecting' | 'ready' | 'away' | 'closed';

/** Figures of one connection since the process started. */
export interface RedisStats {
  readonly state: RedisState;
  /** Since when it is away; 0 while it is not. */
  readonly awayMs: number;
  /** Why it is away: an error code, never an address. */
  readonly reason: string | undefined;
  readonly outages: number;
  /** Outages that began with a command that was not answered in time. */
  readonly timeouts: number;
  /** Operations refused at once, because Redis was known to be away. */
  readonly refused: number;
  /** What this Redis does not keep of what it is given, as told at the last connect. */
  readonly warnings: readonly string[];
}

/** What an operation is for, as its durations are told. */
export type StoreOperation =
  | 'quota.take'
  | 'cache.get'
  | 'cache.set'
  | 'key.claim'
  | 'key.complete'
  | 'key.release'
  | 'key.take_over'
  | 'key.give_back'
  | 'key.read'
  | 'other';

/** Hears how long an operation took, and where it failed that it did. */
export type MeasureOperation = (operation: StoreOperation, durationMs: number, errorType: string | undefined) => void;

/** How to reach Redis, and who listens. */
export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with a password where there is one. */
  readonly url: string;
  readonly on?: (event: StoreEvent) => void;
  readonly measure?: MeasureOperation;
  /** How long an operation may take before Redis counts as hanging. */
  readonly commandTimeoutMs?: number;
}

/** With the look at the socket that follows, a caller knows within 200 ms. */
const COMMAND_TIMEOUT_MS = 180;
/** Only what ioredis asks by itself while it connects can last so long. */
const HANDSHAKE_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const MIN_RECONNECT_MS = 50;
const MAX_RECONNECT_MS = 1_000;
const PROBE_MS = 1_000;
const CLOSE_MS = 500;

/**
 * The one connection of a process to Redis, behind a breaker of its own.
 *
 * A Redis that owes an answer and has sent nothing for 200 ms hangs: the connection is dropped, everything that waits
 * on it fails at once, and every later operation is refused without touching the network until a new connection has answered. A
 * dropped connection cannot deliver late answers. Nothing is queued or sent a second time. Reconnecting goes on for
 * ever, in growing steps of at most a second; an idle connection is asked every second whether it is still there.
 */
export class RedisConnection implements AsyncDisposable {
  readonly #client: Redis;
  readonly #on: (event: StoreEvent) => void;
  readonly #measure: MeasureOperation | undefined;
  readonly #hangWatch: HangWatch;
  readonly #prober: NodeJS.Timeout;
  readonly #firstAttempt: NodeJS.Timeout;
  readonly #first = Promise.withResolvers<void>();
  #state: RedisState = 'connecting';
  #awaySinceMs = 0;
  #reason: string | undefined;
  /** One for a whole outage: the trace of each refused call would cost more than the call. */
  #refusal = new StoreUnavailableError('Redis: closed');
  #lastError: string | undefined;
  #outages = 0;
  #timeouts = 0;
  #refused = 0;
  #used = false;
  #warnings: readonly string[] = [];

  /**
   * Begins to connect and returns at once; whether Redis is there shows in `state` and events.
   * @throws TypeError when the URL is none
   */
  constructor({ url, on = () => {}, measure, commandTimeoutMs = COMMAND_TIMEOUT_MS }: RedisConnectionOptions) {
    this.#on = on;
    this.#measure = measure;
    this.#hangWatch = new HangWatch(commandTimeoutMs, () => this.#hangs(commandTimeoutMs));
    this.#first.promise.catch(() => {});
    this.#client = new Redis({
      ...parseRedisUrl(url),
      connectionName: 'mcp-bridge',
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: HANDSHAKE_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: 100,
      maxLoadingRetryTime: 500,
      keepAlive: 10_000,
      retryStrategy: reconnectDelayMs,
      // A primary that became a replica: its name may lead to the new primary.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.#client.on('connect', () => this.#stream?.on('data', this.#hangWatch.heard));
    this.#client.on('ready', () => this.#ready());
    this.#client.on('error', (error) => {
      this.#lastError = reasonOf(error);
      if (this.#state === 'away') this.#because(this.#lastError);
    });
    this.#client.on('close', () => this.#lost(this.#lastError ?? 'connection closed'));
    this.#prober = setInterval(() => this.#probe(), PROBE_MS).unref();
    this.#firstAttempt = setTimeout(() => this.#lost('no connection yet'), commandTimeoutMs).unref();
  }

  get state(): RedisState {
    return this.#state;
  }

  get stats(): RedisStats {
    const away = this.#state === 'away';
    return {
      state: this.#state,
      awayMs: away ? Math.round(performance.now() - this.#awaySinceMs) : 0,
      reason: this.#reason,
      outages: this.#outages,
      timeouts: this.#timeouts,
      refused: this.#refused,
      warnings: this.#warnings,
    };
  }

  /**
   * One operation: a command, or a few that follow each other. What it does not finish is not known to have happened.
   * Anything that is not an `Error` and any `TypeError`, `RangeError` and the like it rejects with is passed on as it is.
   * @param sentBytes of an operation that sends so much that the network needs a while for it
   * @param name what it is for; what was refused at once is not measured
   * @throws StoreUnavailableError when Redis is away, hangs, or answers with an error
   */
  async run<T>(operation: (client: Redis) => Promise<T>, sentBytes = 0, name: StoreOperation = 'other'): Promise<T> {
    if (this.#state === 'connecting') await this.#first.promise;
    if (this.#state !== 'ready') {
      this.#refused++;
      throw this.#refusal;
    }
    this.#used = true;
    const watched = this.#hangWatch.begin(sentBytes);
    const sinceMs = performance.now();
    let errorType: string | undefined;
    try {
      return await operation(this.#client);
    } catch (error) {
      errorType = 'store_unavailable';
      throw this.#unavailable(error);
    } finally {
      this.#hangWatch.end(watched);
      this.#measure?.(name, performance.now() - sinceMs, errorType);
    }
  }

  /** Ends the connection; what is under way is refused. Idempotent, and done within half a second. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#refusal = new StoreUnavailableError('Redis: closed');
    this.#first.reject(this.#refusal);
    clearInterval(this.#prober);
    clearTimeout(this.#firstAttempt);
    const stream = this.#stream;
    this.#client.disconnect();
    if (stream === undefined || stream.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    stream.once('close', () => resolve());
    stream.destroy();
    await promise;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The errors of ioredis hold the command's arguments, those of Node the address: none is kept as a cause. */
  #unavailable(error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof StoreUnavailableError) return error;
    if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) return error;
    if (this.#state === 'away' && !(error instanceof ReplyError)) return this.#refusal;
    return new StoreUnavailableError(`Redis: ${reasonOf(error)}`);
  }

  #hangs(silentMs: number): void {
    if (this.#state !== 'ready') return;
    this.#timeouts++;
    this.#lost(`no answer within ${silentMs} ms`);
    this.#stream?.destroy();
  }

  /** There is none before the first attempt; ioredis does not say so. */
  get #stream(): Redis['stream'] | undefined {
    return this.#client.stream;
  }

  #ready(): void {
    if (this.#state === 'closed' || this.#state === 'ready') return;
    clearTimeout(this.#firstAttempt);
    const awayMs = this.#state === 'away' ? Math.round(performance.now() - this.#awaySinceMs) : undefined;
    this.#state = 'ready';
    this.#lastError = undefined;
    this.#reason = undefined;
    this.#first.resolve();
    if (awayMs !== undefined) this.#on({ event: 'store:back', awayMs });
    void this.#check();
  }

  #lost(reason: string): void {
    if (this.#state === 'closed' || this.#state === 'away') return;
    clearTimeout(this.#firstAttempt);
    this.#state = 'away';
    this.#awaySinceMs = performance.now();
    this.#because(reason);
    this.#outages++;
    this.#first.reject(this.#refusal);
    this.#on({ event: 'store:away', reason });
  }

  #because(reason: string): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#refusal = new StoreUnavailableError(`Redis is away: ${reason}`);
  }

  #probe(): void {
    if (this.#state === 'ready') {
      if (!this.#used) this.run((client) => client.ping()).catch(() => {});
      this.#used = false;
    } else if (this.#client.status === 'end') {
      // ioredis gives up where connecting fails before there is a socket.
      this.#client.connect().catch(() => {});
    }
  }

  async #check(): Promise<void> {
    const warnings = await unkeptPromises(this).catch(() => undefined);
    if (warnings === undefined) return;
    for (const message of warnings)
      if (!this.#warnings.includes(message)) this.#on({ event: 'store:warning', message });
    this.#warnings = warnings;
  }
}

/** Doubling, with a fifth of chance, so that replicas do not come back in step. */
function reconnectDelayMs(attempt: number): number {
  return Math.min(MAX_RECONNECT_MS, MIN_RECONNECT_MS * 2 ** (attempt - 1)) * (1 - Math.random() / 5);
}

/** `ECONNREFUSED`, `WRONGPASS`, `OOM`: a word that tells what to look for, and nothing else. */
function reasonOf(error: Error): string {
  if (error instanceof ReplyError) return /^[A-Z]+\b/.exec(error.message)?.[0] ?? 'error reply';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'connection closed';
}
