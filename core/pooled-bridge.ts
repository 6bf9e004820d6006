import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type {
  Bridge,
  BridgeEvent,
  BridgeMode,
  BridgeOptions,
  BridgeSettings,
  BridgeStats,
  CallRequest,
  ReloadOutcome,
} from '#core/bridge.ts';
import type { Invoke } from '#core/call.ts';
import { CallPath } from '#core/call-path.ts';
import type { CancelSignal } from '#core/cancellation.ts';
import { addChildStats, type ChildStats, NO_CHILD_STATS } from '#core/child/child-stats.ts';
import { McpWorker, type McpWorkerOptions } from '#core/child/mcp-worker.ts';
import { errorTypeOf } from '#core/error-type.ts';
import { LiveCatalog } from '#core/live-catalog.ts';
import type { Catalog } from '#core/mcp/catalog.ts';
import { loadValidator } from '#core/mcp/schema.ts';
import { forbiddenRow } from '#core/policy/audit.ts';
import { authorize } from '#core/policy/authorize.ts';
import type { PoolEvents } from '#core/pool/events.ts';
import { Pool } from '#core/pool/pool.ts';
import { memoryStores } from '#core/store/open-stores.ts';

/** Workers of the same settings. */
interface WorkerKind {
  /** Sets what they answer apart in the cache. */
  readonly scope: string;
}

/** A bridge with workers: policies, pool and children put together. The only place that sees every layer. */
export class PooledBridge implements Bridge {
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
      meter: options.meter,
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

  tools(signal: CancelSignal): Promise<Catalog> | Catalog {
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
  async #firstCatalog(signal: CancelSignal): Promise<Catalog> {
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
    const { meter } = this.#options;
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
        ...(meter && {
          called: (tool, durationMs, error, isError) => {
            const errorType = isError ? 'tool_error' : error === undefined ? undefined : errorTypeOf(error);
            meter.attempted(tool, durationMs, errorType, worker.info?.protocolVersion);
          },
        }),
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
