import type { Readable } from 'node:stream';
import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import type { AttemptTrace, ToolCall, ToolResult } from '#core/call.ts';
import { type ChildStats, NO_CHILD_STATS } from '#core/child/child-stats.ts';
import { residentBytes } from '#core/child/memory.ts';
import { type Child, describeExit, type ExitStatus, type SpawnOptions, spawnChild } from '#core/child/spawn.ts';
import { StderrTail } from '#core/child/stderr-tail.ts';
import { ChildStop, type StopTimes } from '#core/child/stop.ts';
import { BridgeError, type Executed } from '#core/errors.ts';
import type { ToolDefinition } from '#core/mcp/catalog.ts';
import { outputCheck } from '#core/mcp/schema.ts';
import {
  McpSession,
  type SessionEvents,
  type SessionInfo,
  type SessionOptions,
  type SlotEnd,
} from '#core/mcp/session.ts';
import type { RetireReason, Worker, WorkerEnd } from '#core/pool/worker.ts';

export interface McpWorkerOptions
  extends SpawnOptions,
    Pick<SessionOptions, 'era' | 'eraMemory' | 'maxLineBytes' | 'concurrency' | 'validateOutput' | 'principalMeta'> {
  readonly id: number;
  /** Values that must not be seen in what the child writes to stderr. */
  readonly secrets: readonly string[];
  /** From the start to the first tools/list. */
  readonly startDeadlineMs: number;
  readonly stop?: StopTimes;
}

export interface McpWorkerEvents {
  /** The child's tools: before it is ready, and whenever it says that they changed. */
  readonly tools: (tools: readonly ToolDefinition[]) => void;
  /** Nobody waits for a call any more: it was answered, or ended by `error`. */
  readonly called?: SessionEvents['called'];
  /** A line of stderr, redacted, at most 8 KiB, at most 50 a second. */
  readonly stderr?: (line: string) => void;
}

/** After its exit, what the child wrote is read for so long: what it started may hold the pipe open for ever. */
const LAST_WORDS_MS = 50;
/** A listing after `list_changed` that takes longer is given up; the next change tries again. */
const RELIST_DEADLINE_MS = 10_000;
/** Between two such listings, so that a child that always says "changed" costs nothing. */
const RELIST_INTERVAL_MS = 1_000;

/** `again`: the list changed while it was being read. */
type RelistState = 'idle' | 'running' | 'again';

/** What a slot's end means for the worker. */
const RETIRE_REASON = {
  answered: undefined,
  released: undefined,
  silent: 'silent',
  overcommitted: 'abandoned',
} as const satisfies Record<SlotEnd, RetireReason | undefined>;

/**
 * One child process that speaks MCP, as the pool keeps it: started by the constructor, ready when it has listed its
 * tools, ended when no process of its group is left. It neither restarts nor retries anything.
 */
export class McpWorker implements Worker {
  readonly id: number;
  readonly ready: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  onAccepting: (() => void) | undefined;
  readonly #options: McpWorkerOptions;
  readonly #events: McpWorkerEvents;
  /** Ends the start: by the deadline, by the child's end, or because we stop it. */
  readonly #start = new AbortController();
  /** Ends a listing that runs when the child ends. */
  readonly #life = new AbortController();
  #child: Child | undefined;
  #stop: ChildStop | undefined;
  #session: McpSession | undefined;
  #stderr: StderrTail | undefined;
  #info: SessionInfo | undefined;
  /** How the pool wants it to end, also where that is said before the process exists. */
  #asked: 'drain' | 'destroy' | undefined;
  /** Why we ended it ourselves. */
  #fault: string | undefined;
  #exit: ExitStatus | undefined;
  /** Its last words are read: no call can be answered any more. */
  #gone = false;
  #outputChecks: ReadonlyMap<string, ReturnType<typeof outputCheck>> = new Map();
  #relist: RelistState = 'idle';

  constructor(options: McpWorkerOptions, events: McpWorkerEvents) {
    this.id = options.id;
    this.#options = options;
    this.#events = events;
    const spawned = spawnChild(options);
    this.ready = this.#becomeReady(spawned);
    this.ended = this.#untilEnded(spawned);
    // Whoever waits for it hears of it; that nobody does yet is not an unhandled rejection.
    this.ready.catch(() => {});
  }

  /** Unknown until the process exists. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What the handshake said. */
  get info(): SessionInfo | undefined {
    return this.#info;
  }

  get accepting(): boolean {
    const alive = this.#exit === undefined && this.#fault === undefined && this.#asked === undefined;
    return alive && this.#info !== undefined && this.#session?.accepting === true;
  }

  get stats(): ChildStats {
    return {
      ...(this.#session?.counters ?? NO_CHILD_STATS),
      stderrBytes: this.#stderr?.bytes ?? 0,
      stderrDroppedLines: this.#stderr?.droppedLines ?? 0,
    };
  }

  /** The last lines of stderr, redacted, for the log when it crashed; never for a caller. */
  stderrTail(): string {
    return this.#stderr?.text() ?? '';
  }

  rss(): number | undefined {
    return this.#child === undefined || this.#gone ? undefined : residentBytes(this.#child.pid);
  }

  /**
   * Calls a tool. `onFree` is called exactly once, when the slot is free, possibly long after the promise settled;
   * with a reason where the worker should be replaced. `attempt` follows it, where its trace is recorded.
   *
   * @throws BridgeError child_crashed and all that the session throws
   */
  call(call: ToolCall, onFree: (reason?: RetireReason) => void, attempt?: AttemptTrace): Promise<ToolResult> {
    if (this.#session === undefined || this.#info === undefined || this.#exit !== undefined) {
      onFree();
      return Promise.reject(this.#crashed('the worker had ended before the call', 'no'));
    }
    return this.#session.callTool(call, this.id, (end) => onFree(RETIRE_REASON[end]), attempt);
  }

  /** Closes its input, then SIGTERM, then SIGKILL to its group, each after its time. Idempotent. */
  async drain(): Promise<void> {
    this.#asked ??= 'drain';
    this.#start.abort(notReady('it was stopped before it was ready'));
    this.#applyStop();
    await this.ended;
  }

  /** SIGKILL to its group; calls in flight fail with `child_crashed`. Idempotent. */
  async destroy(reason: RetireReason): Promise<void> {
    this.#asked = 'destroy';
    this.#start.abort(notReady(`it was stopped (${reason}) before it was ready`));
    this.#session?.close((executed) => this.#crashed(`the worker was stopped (${reason}) during the call`, executed));
    this.#applyStop();
    await this.ended;
  }

  async #becomeReady(spawned: Promise<Child>): Promise<void> {
    const { startDeadlineMs } = this.#options;
    const timer = setTimeout(
      () => this.#start.abort(notReady(`it did not list its tools within ${startDeadlineMs} ms`)),
      startDeadlineMs,
    );
    try {
      const session = this.#connect(await spawned);
      this.#start.signal.throwIfAborted();
      const info = await session.open(this.#start.signal);
      const tools = await session.listTools(this.#start.signal);
      this.#start.signal.throwIfAborted();
      this.#info = info;
      this.#list(tools);
      if (this.#relist === 'again') void this.#listAgain();
    } catch (error) {
      // The child's own end explains more than the broken connection it leaves behind.
      const cause = this.#start.signal.aborted ? this.#start.signal.reason : error;
      this.#kill(cause instanceof Error ? cause.message : 'it did not start');
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  #connect(child: Child): McpSession {
    const { era, eraMemory, maxLineBytes, concurrency, validateOutput, principalMeta, secrets, stop } = this.#options;
    const onLine = this.#events.stderr;
    this.#child = child;
    this.#stop = new ChildStop({ pid: child.pid, exited: child.exited, ...(stop && { times: stop }) });
    this.#stderr = new StderrTail(child.stderr, { secrets, ...(onLine && { onLine }) });
    this.#session = new McpSession(
      {
        input: child.stdout,
        output: child.stdin,
        era,
        eraMemory,
        maxLineBytes,
        concurrency,
        validateOutput,
        principalMeta,
        validateResult: (tool, structuredContent) => this.#outputChecks.get(tool)?.(structuredContent),
      },
      {
        toolsChanged: () => this.#toolsChanged(),
        accepting: () => this.onAccepting?.(),
        ...(this.#events.called && { called: this.#events.called }),
        broken: (why) => {
          this.#start.abort(new BridgeError('child_protocol_error', why, { workerId: this.id }));
          this.#kill(why);
        },
      },
    );
    this.#applyStop();
    return this.#session;
  }

  /** Where we, not the pool, have had enough of it. */
  #kill(why: string): void {
    if (this.#exit !== undefined || this.#asked !== undefined) return;
    this.#fault ??= why;
    void this.#stop?.now();
  }

  #applyStop(): void {
    if (this.#asked === 'destroy') void this.#stop?.now();
    else if (this.#asked === 'drain') void this.#stop?.gently(() => this.#session?.end());
  }

  async #untilEnded(spawned: Promise<Child>): Promise<WorkerEnd> {
    let child: Child;
    try {
      child = await spawned;
    } catch (error) {
      this.#gone = true;
      return { summary: error instanceof Error ? error.message : 'not started', expected: false };
    }
    // `#becomeReady` waits for the same promise and was there first: it has connected.
    const stop = this.#stop as ChildStop;
    const exit = await Promise.race([child.exited, stop.gone.then(() => undefined)]);
    this.#exit = exit ?? { code: null, signal: null };
    const how = exit === undefined ? 'no exit within the time for SIGKILL' : describeExit(exit);
    await closed(child.stdout);
    this.#gone = true;
    this.#session?.close((executed) => this.#crashed(`the worker ended with ${how} during the call`, executed));
    // After the session, which learns from a child that ends during the handshake.
    this.#start.abort(notReady(`it ended with ${how}`));
    this.#life.abort();
    await Promise.all([stop.gone, closed(child.stderr)]);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
    const summary = this.#fault === undefined ? how : `${how} after: ${this.#fault}`;
    return { summary, expected: this.#asked !== undefined };
  }

  #list(tools: readonly ToolDefinition[]): void {
    if (this.#options.validateOutput) {
      this.#outputChecks = new Map(tools.map(({ name, outputSchema }) => [name, outputCheck(outputSchema)]));
    }
    this.#events.tools(tools);
  }

  #toolsChanged(): void {
    if (this.#relist !== 'idle' || this.#info === undefined) this.#relist = 'again';
    else void this.#listAgain();
  }

  async #listAgain(): Promise<void> {
    const session = this.#session as McpSession;
    do {
      this.#relist = 'running';
      try {
        const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(RELIST_DEADLINE_MS)]);
        this.#list(await session.listTools(signal));
      } catch {
        // The list that is known stays in use; a child that cannot list is found out by its calls.
      }
      // Rejected only by the end of the worker, which ends this loop too.
      await setTimeoutAsync(RELIST_INTERVAL_MS, undefined, { signal: this.#life.signal }).catch(() => {});
    } while ((this.#relist as RelistState) === 'again' && !this.#life.signal.aborted);
    this.#relist = 'idle';
  }

  #crashed(message: string, executed: Executed): BridgeError {
    return new BridgeError('child_crashed', message, { executed, workerId: this.id });
  }
}

function notReady(why: string): BridgeError {
  return new BridgeError('no_worker_ready', `the worker did not become ready: ${why}`);
}

/** Fulfilled when all of a pipe was read, at the latest `LAST_WORDS_MS` from now. */
function closed(pipe: Readable): Promise<void> {
  if (pipe.closed) return Promise.resolve();
  return new Promise((resolve) => {
    // After a busy moment timers come before input: what has arrived by then is still read.
    const timer = setTimeout(() => setImmediate(resolve), LAST_WORDS_MS);
    pipe.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
