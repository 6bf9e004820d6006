import type { Invoke, ToolPolicy } from '#core/call.ts';
import type { Era, PoolSettings } from '#core/manifest.ts';
import type { Catalog } from '#core/mcp/catalog.ts';
import type { PoolStats } from '#core/pool/stats.ts';

/** `live` with the operator's own secrets, `sandbox` against the vendor's stand-in, `not_configured` answers 503. */
export type BridgeMode = 'live' | 'sandbox' | 'not_configured';

/** One bridge of this process, compiled from manifest, config file, environment and flags (see config.ts). */
export interface BridgeSettings {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mode: BridgeMode;
  /** Names of required variables that are not set (mode `not_configured`). */
  readonly missing: readonly string[];
  readonly command: string;
  readonly args: readonly string[];
  /** Exactly the child's environment beside the allow-listed base (PATH, HOME, LANG, TZ, …). */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Values never to appear in a log line or an answer. */
  readonly secrets: readonly string[];
  readonly pool: PoolSettings;
  readonly era: Era;
  readonly validateOutput: boolean;
  readonly tools: Readonly<Record<string, ToolPolicy>>;
  /** For tools that `tools` does not name. */
  readonly otherTools: ToolPolicy;
}

/** What the child connections of a bridge have counted since it started. */
export interface ChildStats {
  readonly noiseLines: number;
  readonly oversizeLines: number;
  readonly lateAnswers: number;
  readonly unknownAnswers: number;
  readonly refusedRequests: number;
  readonly stderrBytes: number;
  readonly stderrDroppedLines: number;
}

export interface BridgeStats {
  readonly name: string;
  readonly mode: BridgeMode;
  readonly missing: readonly string[];
  readonly pool: PoolStats;
  readonly child: ChildStats;
  /** Calls that reached dispatch, by outcome code (`ok`, `tool_error` or an error code). */
  readonly calls: Readonly<Record<string, number>>;
  /** Second attempts by class. */
  readonly retries: { readonly r0: number; readonly r1: number; readonly overBudget: number };
}

/** One MCP server behind a function: what the HTTP layer, or any other edge, needs of it. */
export interface Bridge {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mode: BridgeMode;
  /** True while it could serve a call: a ready worker, or none needed yet (scaled to zero). */
  readonly ready: boolean;
  /**
   * The tools, at once where a worker has ever listed them; otherwise starts one and waits.
   * @throws BridgeError not_configured, bridge_unavailable, no_worker_ready, draining
   */
  tools(signal: AbortSignal): Promise<Catalog> | Catalog;
  /** The whole path of a call: policies, pool, child. @throws BridgeError */
  readonly invoke: Invoke;
  stats(): BridgeStats;
  /** Starts `pool.min` workers; settles when they are ready or have failed once. */
  start(): Promise<void>;
  /** Refuses new calls with `draining`, finishes the old ones, then stops its workers. */
  drain(): Promise<void>;
  /** Ends everything now: calls in flight fail, workers are killed. */
  destroy(): Promise<void>;
}
