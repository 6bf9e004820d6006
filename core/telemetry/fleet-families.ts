import type { BridgeStats } from '#core/bridge.ts';
import type { ServicesReport } from '#core/http/services-report.ts';
import type { PoolStats, WorkerState, WorkerStats } from '#core/pool/stats.ts';
import { type Family, numbers, type Sample } from '#core/telemetry/families.ts';
import type { FleetMeters } from '#core/telemetry/fleet-meters.ts';
import type { LineLosses } from '#core/telemetry/line-output.ts';
import type { ProcessFigures } from '#core/telemetry/process-figures.ts';

/** What a process's metrics are made from: what was counted where it happened, and what was measured. */
export interface FleetNumbers {
  readonly version: string;
  readonly uptimeMs: number;
  /** Of the main port, by class of status. */
  readonly answers: Readonly<Record<string, number>>;
  readonly bridges: readonly BridgeStats[];
  readonly services: ServicesReport;
  readonly meters: FleetMeters;
  readonly process: ProcessFigures;
  readonly logLosses: LineLosses;
  readonly telemetryDropped: TelemetryDropped;
}

/** What the collector did not get, by signal and reason. */
export type TelemetryDropped = Readonly<
  Record<'traces' | 'metrics', Readonly<Record<'queue_full' | 'failed', number>>>
>;

const WORKER_STATES = ['starting', 'ready', 'retiring'] as const satisfies readonly WorkerState[];
const BREAKER_STATES = { closed: 0, half_open: 1, open: 2 } as const;

/**
 * Every metric of the process as it is now, for Prometheus and for OTLP alike. Labels are bridge names, tools that a
 * bridge has, states, reasons and codes: closed sets all, never a name that a caller chose.
 */
export function fleetFamilies(source: FleetNumbers): readonly Family[] {
  const { version, uptimeMs, answers, bridges, services, meters } = source;
  /** One sample per bridge. */
  const each = (value: (stats: BridgeStats) => number | undefined): Sample[] =>
    bridges.map((stats) => ({ values: [stats.name], value: value(stats) ?? 0 }));
  /** One sample per bridge and member of a record. */
  const spread = (record: (stats: BridgeStats) => Readonly<Record<string, number | undefined>>): Sample[] =>
    bridges.flatMap((stats) =>
      Object.entries(record(stats)).map(([key, value]) => ({ values: [stats.name, key], value: value ?? 0 })),
    );
  const measured = meters.families();
  return [
    numbers('info', [{ values: [version], value: 1 }]),
    numbers('uptime', one(uptimeMs / 1000)),
    numbers('httpAnswers', byLabel(answers)),
    measured.http,
    numbers(
      'calls',
      spread((stats) => stats.calls),
    ),
    measured.shed,
    measured.overhead,
    numbers(
      'retries',
      spread((stats) => ({ ...stats.retries })),
    ),
    numbers(
      'rateLimited',
      spread((stats) => ({ ...stats.rateLimit })),
    ),
    numbers(
      'idempotencyClaims',
      spread((stats) => stats.idempotency.claims),
    ),
    numbers(
      'idempotencyReconciled',
      spread((stats) => ({ ...stats.idempotency.reconciled })),
    ),
    numbers(
      'idempotencyUnavailable',
      each((stats) => stats.idempotency.unavailable),
    ),
    numbers(
      'idempotencyDropped',
      each((stats) => stats.idempotency.dropped),
    ),
    numbers(
      'idempotencyPending',
      each((stats) => stats.idempotency.pending),
    ),
    numbers(
      'cacheAnswers',
      spread(({ cache: { hits, misses, joined, bypassed } }) => ({ hits, misses, joined, bypassed })),
    ),
    numbers(
      'breakerState',
      perTool(bridges, ({ state }) => BREAKER_STATES[state]),
    ),
    numbers(
      'breakerOpened',
      perTool(bridges, ({ opened }) => opened),
    ),
    ...serviceFamilies(services),
    measured.store,
    numbers(
      'ready',
      bridges.flatMap(({ name, pool }) => (pool === undefined ? [] : [{ values: [name], value: takesCalls(pool) }])),
    ),
    numbers('workers', spread(workersByState)),
    numbers(
      'workersMax',
      each((stats) => stats.pool?.max),
    ),
    numbers('callsInFlight', each(inFlight)),
    numbers(
      'queueWaiting',
      each((stats) => stats.pool?.waiting),
    ),
    numbers(
      'queueMax',
      each((stats) => stats.pool?.queueMax),
    ),
    numbers(
      'queueOldest',
      each((stats) => (stats.pool?.oldestWaiterMs ?? 0) / 1000),
    ),
    measured.wait,
    measured.client,
    measured.session,
    numbers('workerRss', each(rss)),
    numbers(
      'startFailures',
      each((stats) => stats.pool?.failures),
    ),
    numbers(
      'workerStarts',
      each((stats) => stats.pool?.spawned),
    ),
    numbers(
      'workerEnds',
      spread((stats) => stats.pool?.ended ?? {}),
    ),
    numbers(
      'childNoiseLines',
      each((stats) => stats.child.noiseLines),
    ),
    numbers(
      'childOversizeLines',
      each((stats) => stats.child.oversizeLines),
    ),
    numbers(
      'childLateAnswers',
      each((stats) => stats.child.lateAnswers),
    ),
    numbers(
      'childUnknownAnswers',
      each((stats) => stats.child.unknownAnswers),
    ),
    numbers(
      'childRefusedRequests',
      each((stats) => stats.child.refusedRequests),
    ),
    numbers(
      'childStderr',
      each((stats) => stats.child.stderrBytes),
    ),
    numbers(
      'childStderrDroppedLines',
      each((stats) => stats.child.stderrDroppedLines),
    ),
    ...processFamilies(source),
  ];
}

/** Nothing of a service that is not in use. */
function serviceFamilies({ redis, audit, auth }: ServicesReport): Family[] {
  const all: Family[] = [];
  if (redis !== undefined) {
    all.push(
      numbers('redisUp', one(redis.state === 'ready' ? 1 : 0)),
      numbers('redisOutages', one(redis.outages)),
      numbers('redisRefused', one(redis.refused)),
      numbers('rateLimitTakes', byLabel({ ...redis.quotas })),
    );
  }
  if (audit !== 'off') {
    const { written, dropped } = audit;
    all.push(
      numbers('auditUp', one(audit.away ? 0 : 1)),
      numbers('auditBuffered', one(audit.buffered)),
      numbers('auditRows', byLabel({ written, dropped })),
    );
  }
  if (auth !== 'none') all.push(numbers('authRefused', byLabel(auth.refused)));
  return all;
}

function processFamilies({ process, logLosses, telemetryDropped }: FleetNumbers): Family[] {
  const { failed, dropped } = logLosses;
  return [
    numbers('logLinesDropped', byLabel({ failed, dropped })),
    numbers(
      'telemetryDropped',
      Object.entries(telemetryDropped).flatMap(([signal, reasons]) =>
        Object.entries(reasons).map(([reason, value]) => ({ values: [signal, reason], value })),
      ),
    ),
    numbers('eventLoopDelay', byLabel(process.eventLoopDelay)),
    numbers('processRss', one(process.rssBytes)),
    numbers('processCpu', one(process.cpuSeconds)),
    ...(process.openFds === undefined ? [] : [numbers('openFds', one(process.openFds))]),
  ];
}

/** One sample per tool that was called: tools are a closed set, the callers do not choose them. */
function perTool(
  bridges: readonly BridgeStats[],
  value: (circuit: BridgeStats['breakers'][number]) => number,
): Sample[] {
  return bridges.flatMap(({ name, breakers }) =>
    breakers.map((circuit) => ({ values: [name, circuit.tool], value: value(circuit) })),
  );
}

function byLabel(values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([key, value]) => ({ values: [key], value }));
}

function one(value: number): Sample[] {
  return [{ values: [], value }];
}

function takesCalls({ state }: PoolStats): 0 | 1 {
  return state === 'ready' || state === 'cold' ? 1 : 0;
}

function workersByState({ pool }: BridgeStats): Record<string, number> {
  return Object.fromEntries(
    WORKER_STATES.map((state) => [state, workersOf(pool).filter((worker) => worker.state === state).length]),
  );
}

/** A bridge that is not configured has no pool. */
function workersOf(pool: BridgeStats['pool']): readonly WorkerStats[] {
  return pool?.workers ?? [];
}

function inFlight({ pool }: BridgeStats): number {
  return workersOf(pool).reduce((sum, worker) => sum + worker.inFlight, 0);
}

function rss({ pool }: BridgeStats): number {
  return workersOf(pool).reduce((sum, worker) => sum + (worker.rssBytes ?? 0), 0);
}
