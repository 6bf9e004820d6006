import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Invoke, ToolPolicy, TraceContext } from '#core/call.ts';
import { CallPath, type CallPathStats } from '#core/call-path.ts';
import { addChildStats, type ChildStats, NO_CHILD_STATS } from '#core/child/child-stats.ts';
import { McpWorker, type McpWorkerOptions } from '#core/child/mcp-worker.ts';
import { LiveCatalog, type ToolsListed } from '#core/live-catalog.ts';
import type { BreakerSettings, Era, PoolSettings } from '#core/manifest.ts';
import type { Catalog } from '#core/mcp/catalog.ts';
import { loadValidator } from '#core/mcp/schema.ts';
import { forbiddenRow } from '#core/policy/audit.ts';
import { authorize } from '#core/policy/authorize.ts';
import type { BreakerEvent } from '#core/policy/breaker.ts';
import type { PoolEvents } from '#core/pool/events.ts';
import { Pool } from '#core/pool/pool.ts';
import type { PoolStats } from '#core/pool/stats.ts';
import type { Principal } from '#core/principal.ts';
import type { AuditLog } from '#core/store/audit-store.ts';
import { memoryStores, type PolicyStores } from '#core/store/open-stores.ts';
import { unconfiguredBridge } from '#core/unconfigured-bridge.ts';

/** `live` with the operator's own secrets, `sandbox` against the vendor's stand-in, `not_configured` answers 503. */
export type BridgeMode = 'live' | 'sandbox' | 'not_configured';

/** One bridge of this process, compiled from manifest, config file, environment and flags. */
export interface BridgeSettings {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mode: BridgeMode;
  /** Names of required variables that are not set (mode `not_configured`); `A (or B, C)` where one of them is enough. */
  readonly missing: readonly string[];
  readonly command: string;
  readonly args: readonly string[];
  /** What the child's environment has beside the allow-listed base (PATH, HOME, LANG, …). */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Values never to appear in a log line or an answer. */
  readonly secrets: readonly string[];
  readonly pool: PoolSettings;
  readonly era: Era;
  readonly validateOutput: boolean;
  /** The server is told the id of the principal that calls. */
  readonly principalMeta: boolean;
  /** Path of the approved tools' digests; undefined: whatever the server lists is served. */
  readonly pinFile: string | undefined;
  readonly breaker: BreakerSettings;
  readonly tools: Readonly<Record<string, ToolPolicy>>;
  /** For tools that `tools` does not name. */
  readonly otherTools: ToolPolicy;
}

export interface BridgeStats extends CallPathStats {
  readonly name: string;
  readonly mode: BridgeMode;
  readonly missing: readonly string[];
  readonly pool: PoolStats | undefined;
  readonly child: ChildStats;
}

/** What a bridge tells; it does not log. */
export type BridgeEvent =
  | {
      [E in keyof PoolEvents]: { readonly event: E } & PoolEvents[E] & { readonly stderrTail?: string };
    }[keyof PoolEvents]
  | { readonly event: 'worker:stderr'; readonly workerId: number; readonly line: string }
  | ({ readonly event: 'tools:listed' } & ToolsListed)
  | BreakerEvent;

export interface BridgeOptions {
  /** The process's own environment, from which the child's base is allow-listed. */
  readonly baseEnv: Readonly<Record<string, string | undefined>>;
  /** Shared by all bridges of the process; default this bridge's own, in memory. */
  readonly stores?: PolicyStores;
  /** Default: nothing is written down. */
  readonly audit?: AuditLog | undefined;
  readonly on?: (event: BridgeEvent) => void;
}

/** Who wants to call what: all that is known before the body is read and the tool looked up. */
export interface CallRequest {
  readonly principal: Principal;
  /** As asked for: there may be no such tool. */
  readonly tool: string;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
  readonly arrivedAtMs: number;
}

/**
 * What came of new settings: `refused` where no worker started with them, so that everything stays as it was.
 */
export type ReloadOutcome = 'unchanged' | 'applied' | 'refused';

/** One MCP server behind a function: what the HTTP layer, or any other edge, needs of it. */
export interface Bridge {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mode: BridgeMode;
  /** True while it could serve a call: a ready worker, or none needed yet (scaled to zero). */
  readonly ready: boolean;
  /**
   * Refuses a call that its caller may not make; asked before anything else of the call is looked at.
   * @throws BridgeError forbidden_tool
   */
  authorize(request: CallRequest): void;
  /**
   * The tools, at once where a worker has ever listed them; otherwise starts one and waits.
   * @throws BridgeError not_configured, bridge_unavailable, no_worker_ready, draining
   */
  tools(signal: AbortSignal): Promise<Catalog> | Catalog;
  /** The whole path of a call: policies, pool, child. @throws BridgeError */
  readonly invoke: Invoke;
  stats(): BridgeStats;
  /**
   * Reads again what may have changed beside it, the pins, and takes over new settings: what its server is run with
   * (`command`, `args`, `env`, `cwd`, `secrets`) and the policies of its tools. Nothing else of them is looked at. Workers are
   * replaced start-first, once one has become ready with the new settings; settles then, while calls go on. Never rejects.
   */
  reload(settings?: BridgeSettings): Promise<ReloadOutcome>;
  /** Starts `pool.min` workers; settles when they are ready or have failed once. Never rejects. */
  start(): Promise<void>;
  /** Refuses new calls with `draining`, finishes the old ones, then stops its workers. Idempotent. */
  drain(): Promise<void>;
  /** Ends everything now: calls in flight fail, workers are killed. Idempotent. */
  destroy(): Promise<void>;
}

/** Puts one stdio server behind an `Invoke`. The only place that sees every layer. */
export function createBridge(settings: BridgeSettings, options: BridgeOptions): Bridge {
  return settings.mode === 'not_configured' ? unconfiguredBridge(settings) : new PooledBridge(settings, options);
}

/** Workers of the same settings. */
interface WorkerKind {
  /** Sets what they answer apart in the cache. */
  readonly scope: string;
}

class PooledBridge implements Bridge {
  readonly invoke: Invoke;
  #settings: BridgeSettings;
  readonly #options: BridgeOptions;
  readonly #pool: Pool<McpWorker>;
  readonly #path: CallPath;
  readonly #workers = new Map<number, McpWorker>();
  readonly #catalog: LiveCatalog;
  #endedChildStats: ChildStats = NO_CHILD_STATS;
  /** What workers there are or may be, the oldest first. */
  #kinds: readonly WorkerKind[];
  /** New settings are taken over one after the other. */
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(settings: BridgeSettings, options: BridgeOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#kinds = [{ scope: scopeOf(settings) }];
    this.#catalog = new LiveCatalog({
      policyFor: (tool) => this.#settings.tools[tool] ?? this.#settings.otherTools,
      pinFile: settings.pinFile,
      onListed: (listed) => options.on?.({ event: 'tools:listed', ...listed }),
    });
    this.#pool = new Pool<McpWorker>({
      settings: settings.pool,
      create: this.#workersOf(settings),
      on: (event, payload) => this.#onPoolEvent(event, payload),
    });
    this.#path = new CallPath({
      pool: this.#pool,
      breaker: settings.breaker,
      stores: options.stores ?? memoryStores(),
      cacheScope: scopeOf(settings),
      audit: options.audit,
      onBreaker: (event) => options.on?.(event),
    });
    this.invoke = this.#path.invoke;
  }

  get name(): string {
    return this.#settings.name;
  }

  get title(): string {
    return this.#settings.title;
  }

  get description(): string {
    return this.#settings.description;
  }

  get mode(): BridgeMode {
    return this.#settings.mode;
  }

  get ready(): boolean {
    return this.#pool.ready;
  }

  authorize(request: CallRequest): void {
    try {
      authorize(request.principal, this.name, request.tool);
    } catch (error) {
      this.#options.audit?.record(forbiddenRow({ ...request, bridge: this.name }));
      throw error;
    }
  }

  tools(signal: AbortSignal): Promise<Catalog> | Catalog {
    return this.#catalog.current ?? this.#firstCatalog(signal);
  }

  stats(): BridgeStats {
    let child = this.#endedChildStats;
    for (const worker of this.#workers.values()) child = addChildStats(child, worker.stats);
    return {
      name: this.name,
      mode: this.mode,
      missing: [],
      pool: this.#pool.stats(),
      child,
      ...this.#path.stats(),
    };
  }

  async start(): Promise<void> {
    await this.#pool.start();
    await this.#catalog.settled;
  }

  async reload(settings?: BridgeSettings): Promise<ReloadOutcome> {
    await this.#catalog.reload();
    if (settings === undefined) return 'unchanged';
    const outcome = this.#reloading.then(() => this.#takeOver(settings));
    this.#reloading = outcome;
    return outcome;
  }

  async drain(): Promise<void> {
    await this.#pool.drain();
    await this.#path.close();
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#path.close()]);
  }

  /** Nobody has listed the tools yet: a slot is taken only to have a worker started. */
  async #firstCatalog(signal: AbortSignal): Promise<Catalog> {
    const lease = await this.#pool.acquire({ key: 'tools/list', signal });
    lease.release();
    return this.#catalog.first(signal);
  }

  async #takeOver(next: BridgeSettings): Promise<ReloadOutcome> {
    const now = this.#settings;
    const settings = { ...now, ...serverOf(next), tools: next.tools, otherTools: next.otherTools };
    const policies = !isDeepStrictEqual([now.tools, now.otherTools], [next.tools, next.otherTools]);
    const server = !isDeepStrictEqual(serverOf(now), serverOf(next));
    if (!server && !policies) return 'unchanged';
    if (server && !(await this.#renewWorkers(settings))) return 'refused';
    this.#settings = settings;
    if (policies) await this.#catalog.reload();
    return 'applied';
  }

  /** Whether a worker became ready with these settings. */
  async #renewWorkers(settings: BridgeSettings): Promise<boolean> {
    const kind = { scope: scopeOf(settings) };
    this.#setKinds([...this.#kinds, kind]);
    const renewed = await this.#pool.renew(this.#workersOf(settings));
    if (renewed === undefined) this.#setKinds(this.#kinds.filter((other) => other !== kind));
    else void renewed.done.then(() => this.#setKinds(this.#kinds.slice(this.#kinds.indexOf(kind))));
    return renewed !== undefined;
  }

  /** Where there may be workers of several kinds nobody knows of which an answer is: it is cached for that time alone. */
  #setKinds(kinds: readonly WorkerKind[]): void {
    const scope = (of: readonly WorkerKind[]): string => [...new Set(of.map((kind) => kind.scope))].join(' ');
    if (scope(kinds) !== scope(this.#kinds)) this.#path.rescopeCache(scope(kinds));
    this.#kinds = kinds;
  }

  /** What makes workers of these settings; they share what the first of them finds out about its protocol. */
  #workersOf(settings: BridgeSettings): (id: number) => McpWorker {
    const eraMemory: McpWorkerOptions['eraMemory'] = { known: undefined };
    return (id) => this.#createWorker(id, settings, eraMemory);
  }

  #createWorker(id: number, settings: BridgeSettings, eraMemory: McpWorkerOptions['eraMemory']): McpWorker {
    const { command, args, env, cwd, secrets, era, validateOutput, principalMeta, pool } = settings;
    const worker = new McpWorker(
      {
        id,
        command,
        args,
        env,
        cwd,
        baseEnv: this.#options.baseEnv,
        secrets,
        era,
        eraMemory,
        maxLineBytes: pool.maxLineBytes,
        concurrency: pool.concurrency,
        validateOutput,
        principalMeta,
        startDeadlineMs: pool.startDeadlineMs,
      },
      {
        tools: (definitions) => this.#catalog.list(definitions),
        stderr: (line) => this.#options.on?.({ event: 'worker:stderr', workerId: id, line }),
      },
    );
    this.#workers.set(id, worker);
    // While the first child starts there is time for what its tools will need.
    if (this.#catalog.current === undefined) setImmediate(loadAhead);
    return worker;
  }

  #onPoolEvent<E extends keyof PoolEvents>(event: E, payload: PoolEvents[E]): void {
    let stderrTail: string | undefined;
    if (event === 'worker:ended') {
      const { workerId, end } = payload as PoolEvents['worker:ended'];
      const worker = this.#workers.get(workerId);
      if (worker !== undefined) {
        this.#workers.delete(workerId);
        this.#endedChildStats = addChildStats(this.#endedChildStats, worker.stats);
        if (!end.expected) stderrTail = worker.stderrTail();
      }
    }
    this.#options.on?.({ event, ...payload, ...(stderrTail ? { stderrTail } : {}) } as BridgeEvent);
  }
}

/** What a worker is run with, of what may change while the process runs. */
function serverOf({ command, args, env, cwd, secrets }: BridgeSettings) {
  return { command, args, env, cwd, secrets };
}

/** A server with another command, sandbox or credentials may answer otherwise, though it has the same name. */
function scopeOf({ mode, command, args, env }: BridgeSettings): string {
  return hash('sha256', JSON.stringify([mode, command, args, env]));
}

/** A convenience only: where files cannot be opened just now, the first list of tools loads what it needs by itself. */
function loadAhead(): void {
  try {
    loadValidator();
  } catch {
    // The start of the worker meets the same shortage, and tells it.
  }
}
