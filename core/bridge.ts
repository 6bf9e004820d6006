import type { Invoke, ToolPolicy, TraceContext } from '#core/call.ts';
import type { CallMeter } from '#core/call-meter.ts';
import type { CallPathStats } from '#core/call-path.ts';
import type { CancelSignal } from '#core/cancellation.ts';
import type { ChildStats } from '#core/child/child-stats.ts';
import type { ToolsListed } from '#core/live-catalog.ts';
import type { BreakerSettings, Era, PoolSettings } from '#core/manifest.ts';
import type { Catalog } from '#core/mcp/catalog.ts';
import type { BreakerEvent } from '#core/policy/breaker.ts';
import type { PoolEvents } from '#core/pool/events.ts';
import type { PoolStats } from '#core/pool/stats.ts';
import { PooledBridge } from '#core/pooled-bridge.ts';
import type { Principal } from '#core/principal.ts';
import type { AuditLog } from '#core/store/audit-store.ts';
import type { PolicyStores } from '#core/store/open-stores.ts';
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
  /** Takes the times of its calls. */
  readonly meter?: CallMeter | undefined;
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
  tools(signal: CancelSignal): Promise<Catalog> | Catalog;
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

/** Puts one stdio server behind an `Invoke`. */
export function createBridge(settings: BridgeSettings, options: BridgeOptions): Bridge {
  return settings.mode === 'not_configured' ? unconfiguredBridge(settings) : new PooledBridge(settings, options);
}
