import { type Buckets, bucketsSince, bucketsTogether, type Latency, quantile } from '#core/fleet-status/latency.ts';
import type { BridgeLook, Look } from '#core/fleet-status/look.ts';

/** What became of asking one replica: a look at it, or why there is none. */
export type Answer =
  | { readonly replica: string; readonly look: Look }
  | { readonly replica: string; readonly problem: string };

/** What is shown of a bridge: of one replica, or of all together. */
export interface BridgeFigures {
  readonly workers: { readonly ready: number; readonly starting: number; readonly max: number };
  readonly inFlight: number;
  readonly waiting: number;
  readonly queueMax: number;
  readonly callsPerSecond: number;
  /** Null where no call was timed. */
  readonly p50: Latency | null;
  readonly p99: Latency | null;
  /** Calls that failed on our side, within the time looked at. */
  readonly errors: number;
  /** Tools whose breaker is open, once per replica. */
  readonly breakersOpen: readonly string[];
  readonly restarts: number;
  readonly rssBytes: number;
}

/** One bridge on one replica. */
export interface BridgeRow extends BridgeFigures {
  readonly bridge: string;
  readonly replica: string;
  readonly mode: string;
  /** `ready`, `draining`, or how its pool stands where it takes no calls. */
  readonly state: string;
  readonly version: string;
  readonly uptimeMs: number;
}

/** The whole fleet at one moment. */
export interface FleetReport {
  /** What rates, latencies and errors are about: the time between two looks, or since each process's start. */
  readonly windowMs: number | 'since_start';
  readonly rows: readonly BridgeRow[];
  /** Replicas that did not answer. */
  readonly lost: readonly { readonly replica: string; readonly problem: string }[];
  readonly totals: BridgeFigures & { readonly replicas: number };
  /** How many replicas run which version; more than one is a deploy under way. */
  readonly versions: Readonly<Record<string, number>>;
  /** How many replicas say what of their shared store and of the audit. */
  readonly stores: Readonly<Record<string, number>>;
  readonly audit: Readonly<Record<string, number>>;
  readonly degraded: readonly { readonly replica: string; readonly what: readonly string[] }[];
}

/** Outcomes that say nothing against the service: it worked, or the caller has to change something. */
export type IsFailure = (outcome: string) => boolean;

/** A row with the buckets and seconds that totals are made from. */
interface Measured {
  readonly row: BridgeRow;
  readonly buckets: Buckets;
}

/** Puts looks together. Figures are about the time since `before`, where the same process was looked at then. */
export function fleetReport(
  answers: readonly Answer[],
  isFailure: IsFailure,
  before: ReadonlyMap<string, Look> = new Map(),
): FleetReport {
  const answered = answers.filter((answer) => 'look' in answer);
  const measured = answered.flatMap(({ replica, look }) =>
    look.bridges.map((bridge) => measure(replica, look, bridge, isFailure, earlier(before.get(replica), look))),
  );
  const rows = measured.map(({ row }) => row).sort(byBridgeThenReplica);
  return {
    windowMs: windowOf(answered, before),
    rows,
    lost: answers.filter((answer) => 'problem' in answer).map(({ replica, problem }) => ({ replica, problem })),
    totals: { replicas: answers.length, ...together(measured) },
    versions: tally(answered.map(({ look }) => look.version)),
    stores: tally(answered.map(({ look }) => look.store)),
    audit: tally(answered.map(({ look }) => look.audit)),
    degraded: answered
      .filter(({ look }) => look.degraded.length > 0)
      .map(({ replica, look }) => ({ replica, what: look.degraded })),
  };
}

/** The look to compare with: none where the process has been started anew in between. */
function earlier(before: Look | undefined, now: Look): Look | undefined {
  return before !== undefined && before.uptimeMs < now.uptimeMs ? before : undefined;
}

function windowOf(
  answered: readonly { readonly replica: string; readonly look: Look }[],
  before: ReadonlyMap<string, Look>,
): FleetReport['windowMs'] {
  const windows = answered.flatMap(({ replica, look }) => {
    const then = earlier(before.get(replica), look);
    return then === undefined ? [] : [look.atMs - then.atMs];
  });
  return windows.length === 0 ? 'since_start' : Math.round(Math.max(...windows));
}

function measure(
  replica: string,
  look: Look,
  bridge: BridgeLook,
  isFailure: IsFailure,
  then: Look | undefined,
): Measured {
  const past = then?.bridges.find(({ name }) => name === bridge.name);
  const seconds = (then === undefined ? look.uptimeMs : look.atMs - then.atMs) / 1000;
  const calls = Object.entries(bridge.calls).map(
    ([outcome, count]) => [outcome, Math.max(0, count - (past?.calls[outcome] ?? 0))] as const,
  );
  const buckets = past === undefined ? bridge.latency : bucketsSince(bridge.latency, past.latency);
  return {
    buckets,
    row: {
      bridge: bridge.name,
      replica,
      mode: bridge.mode,
      state: look.draining ? 'draining' : bridge.ready && bridge.mode !== 'not_configured' ? 'ready' : bridge.state,
      version: look.version,
      uptimeMs: look.uptimeMs,
      workers: bridge.workers,
      inFlight: bridge.inFlight,
      waiting: bridge.waiting,
      queueMax: bridge.queueMax,
      callsPerSecond: seconds > 0 ? sum(calls.map(([, count]) => count)) / seconds : 0,
      p50: quantile(0.5, buckets) ?? null,
      p99: quantile(0.99, buckets) ?? null,
      errors: sum(calls.map(([outcome, count]) => (isFailure(outcome) ? count : 0))),
      breakersOpen: bridge.breakersOpen,
      restarts: bridge.restarts,
      rssBytes: bridge.rssBytes,
    },
  };
}

function together(measured: readonly Measured[]): BridgeFigures {
  const rows = measured.map(({ row }) => row);
  const total = (figure: (row: BridgeRow) => number) => sum(rows.map(figure));
  const buckets = bucketsTogether(measured.map((one) => one.buckets));
  return {
    workers: {
      ready: total(({ workers }) => workers.ready),
      starting: total(({ workers }) => workers.starting),
      max: total(({ workers }) => workers.max),
    },
    inFlight: total(({ inFlight }) => inFlight),
    waiting: total(({ waiting }) => waiting),
    queueMax: total(({ queueMax }) => queueMax),
    callsPerSecond: total(({ callsPerSecond }) => callsPerSecond),
    p50: quantile(0.5, buckets) ?? null,
    p99: quantile(0.99, buckets) ?? null,
    errors: total(({ errors }) => errors),
    breakersOpen: rows.flatMap(({ bridge, breakersOpen }) => breakersOpen.map((tool) => `${bridge}/${tool}`)),
    restarts: total(({ restarts }) => restarts),
    rssBytes: total(({ rssBytes }) => rssBytes),
  };
}

function byBridgeThenReplica(a: BridgeRow, b: BridgeRow): number {
  return a.bridge.localeCompare(b.bridge) || a.replica.localeCompare(b.replica, 'en', { numeric: true });
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
