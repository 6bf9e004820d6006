import type { ToolPolicy } from '#core/call.ts';

/** Pool settings of a bridge; every member may be set by manifest, config file, environment or flag. */
export interface PoolSettings {
  /** Workers kept ready; 0 rests at none and starts on the first call. */
  readonly min: number;
  readonly max: number;
  /** Calls in flight per worker. */
  readonly concurrency: number;
  /** Calls that may wait for a worker. */
  readonly queueMax: number;
  /** A worker above `min` without a call for this long is stopped. */
  readonly idleMs: number;
  readonly maxAgeMs: number;
  /** Calls after which a worker is replaced. */
  readonly maxUses: number;
  /** Below this age a worker is not replaced for its calls, however many: starting costs, and at 30 000 calls/s often. */
  readonly minLifeMs: number;
  readonly maxRssMb: number;
  /** From spawn to the first tools/list. */
  readonly startDeadlineMs: number;
  /** Longest line a worker may write. */
  readonly maxLineBytes: number;
  /** Share (0..1] of all slots, and of the queue, that one tool may hold. */
  readonly maxShareOfTool: number;
}

/** When a tool's breaker opens, and how it closes again. */
export interface BreakerSettings {
  /** Share of failed calls in the window that opens it. */
  readonly errorPercent: number;
  /** Calls in the window below which it never opens. */
  readonly minCalls: number;
  readonly windowMs: number;
  /** How long it stays open at first; twice as long after each failed probe, up to 5 min. */
  readonly openMs: number;
  /** Calls let through in half-open, and how many of them must be good to close it. */
  readonly probes: number;
}

/** Which protocol a worker speaks: tried out once, or said by the operator. */
export type Era = 'auto' | 'legacy' | 'modern';

/** A variable a bridge's server needs. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly required: boolean;
  /** Its value is redacted everywhere; it may come as `NAME_FILE`, a path. */
  readonly secret: boolean;
  /** What it is and where to get it, for the message that names it as missing. */
  readonly help: string;
}

/** What a stand-in is started with. */
export interface SandboxOptions {
  /** Its own folder. */
  readonly dataDir: string;
  /** Above the folders of all stand-ins of this process, for those that share something. Default: it shares nothing. */
  readonly sharedDir?: string;
  /** Where it shall listen, for a stand-in that is an HTTP server; default any free port. */
  readonly port?: number;
}

/** A started stand-in of the vendor: what the bridge's server needs to reach it. */
export interface Sandbox extends AsyncDisposable {
  /** Variables to set for the bridge's server instead of the missing ones. */
  readonly env: Readonly<Record<string, string>>;
  /** One line for the start banner. */
  readonly summary: string;
  /** Where it listens, with its control addresses below `/_sandbox/`; undefined where it is no HTTP server. */
  readonly url?: string;
}

/** One bridge as data: what to run, what it needs, and what each of its tools does. */
export interface BridgeManifest {
  /** `[a-z0-9-]{1,63}`, not `mcp`, `health` or `docs`; the first segment of its paths. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** The stdio server: a TypeScript or JavaScript module run by this Node, or any command. */
  readonly server: { readonly module: URL } | { readonly command: string; readonly args: readonly string[] };
  readonly environment: readonly EnvironmentVariable[];
  /**
   * Ways to sign in where there are several, each by the variables it takes (none of them `required` by itself): one way
   * must be complete, and only one. The first is the one to recommend.
   */
  readonly signIn?: readonly (readonly string[])[];
  /** By tool name, `*` for the others; what is missing is filled with the strictest default (`write`). */
  readonly tools: Readonly<Record<string, Partial<ToolPolicy>>>;
  readonly pool?: Partial<PoolSettings>;
  readonly era?: Era;
  /**
   * The server is told who calls: the principal's id in `params._meta`, never the credential. For a server that keeps
   * things apart by it. Default false: no server learns it.
   */
  readonly principalMeta?: boolean;
  /** Example arguments shown by `fleet dev`: one call that works on a fresh machine. */
  readonly example?: { readonly tool: string; readonly arguments: Readonly<Record<string, unknown>> };
  /** Starts the stand-in that `fleet dev` uses when a required variable is missing. */
  readonly sandbox?: (options: SandboxOptions) => Promise<Sandbox>;
}
