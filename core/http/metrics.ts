import type { BridgeStats } from '#core/bridge.ts';
import type { WorkerState, WorkerStats } from '#core/pool/stats.ts';
import type { AnswerCounts } from './edge.ts';
import type { ServicesReport } from './services-report.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** What /metrics is made from. */
export interface MetricsSource {
  readonly version: string;
  readonly uptimeMs: number;
  readonly answers: AnswerCounts;
  readonly bridges: readonly BridgeStats[];
  readonly services: ServicesReport;
}

const WORKER_STATES = ['starting', 'ready', 'retiring'] as const satisfies readonly WorkerState[];

/**
 * The numbers of this process in Prometheus text format 0.0.4. Labels are bridge names, states, reasons and
 * codes: closed sets all, never a name that a caller chose.
 */
export function metricsText(source: MetricsSource): string {
  return `${families(source).map(familyText).join('\n')}\n`;
}

function families({ version, uptimeMs, answers, bridges, services }: MetricsSource): Family[] {
  /** One sample per bridge. */
  const each = (value: (stats: BridgeStats) => number | undefined): Sample[] =>
    bridges.map((stats) => ({ labels: { bridge: stats.name }, value: value(stats) ?? 0 }));
  /** One sample per bridge and member of a record. */
  const spread = (
    label: string,
    record: (stats: BridgeStats) => Readonly<Record<string, number | undefined>>,
  ): Sample[] =>
    bridges.flatMap((stats) =>
      Object.entries(record(stats)).map(([key, value]) => ({
        labels: { bridge: stats.name, [label]: key },
        value: value ?? 0,
      })),
    );
  return [
    gauge('bridge_info', 'The running version.', [{ labels: { version }, value: 1 }]),
    gauge('bridge_uptime_seconds', 'Time since this process started serving.', [
      { labels: {}, value: uptimeMs / 1000 },
    ]),
    counter(
      'bridge_http_answers_total',
      'Answers on the main port by class of status; gone: the client left first.',
      Object.entries(answers).map(([status, value]) => ({ labels: { status }, value })),
    ),
    counter(
      'bridge_calls_total',
      'Calls by outcome.',
      spread('outcome', (stats) => stats.calls),
    ),
    counter(
      'bridge_retries_total',
      'Second attempts by class.',
      spread('class', (stats) => ({ ...stats.retries })),
    ),
    counter(
      'bridge_rate_limited_total',
      'Calls over a quota: of the caller, or of the caller with a tool.',
      spread('quota', (stats) => ({ ...stats.rateLimit })),
    ),
    counter(
      'bridge_idempotency_claims_total',
      'What keys stood for when calls came with them.',
      spread('state', (stats) => stats.idempotency.claims),
    ),
    counter(
      'bridge_idempotency_reconciled_total',
      'What tools found when they were asked what became of a call; failed: they could not look.',
      spread('found', (stats) => ({ ...stats.idempotency.reconciled })),
    ),
    counter(
      'bridge_idempotency_unavailable_total',
      'Keys that the store could not answer for.',
      each((stats) => stats.idempotency.unavailable),
    ),
    counter(
      'bridge_idempotency_dropped_total',
      'Outcomes that were never recorded.',
      each((stats) => stats.idempotency.dropped),
    ),
    gauge(
      'bridge_idempotency_pending',
      'Outcomes that wait for the store.',
      each((stats) => stats.idempotency.pending),
    ),
    counter(
      'bridge_cache_answers_total',
      'Calls of tools with a cache: found, not found, waited for the same call of another, asked to be fresh.',
      spread('result', ({ cache: { hits, misses, joined, bypassed } }) => ({ hits, misses, joined, bypassed })),
    ),
    gauge(
      'bridge_breaker_state',
      'Of tools that were called: 0 closed, 1 half-open, 2 open.',
      perTool(bridges, ({ state }) => BREAKER_STATES[state]),
    ),
    counter(
      'bridge_breaker_opened_total',
      'How often the breaker of a tool has opened.',
      perTool(bridges, ({ opened }) => opened),
    ),
    ...serviceFamilies(services),
    gauge('bridge_workers', 'Workers by state.', spread('state', workersByState)),
    gauge(
      'bridge_workers_max',
      'The most workers there may be.',
      each((stats) => stats.pool?.max),
    ),
    gauge('bridge_calls_in_flight', 'Calls that workers hold.', each(inFlight)),
    gauge(
      'bridge_queue_waiting',
      'Calls that wait for a worker.',
      each((stats) => stats.pool?.waiting),
    ),
    gauge(
      'bridge_queue_max',
      'The most calls that may wait.',
      each((stats) => stats.pool?.queueMax),
    ),
    gauge(
      'bridge_queue_oldest_seconds',
      'How long the first in line has waited.',
      each((stats) => (stats.pool?.oldestWaiterMs ?? 0) / 1000),
    ),
    gauge('bridge_worker_rss_bytes', 'Resident memory of all workers, where it is known.', each(rss)),
    gauge(
      'bridge_start_failures',
      'Failed or short-lived starts in a row.',
      each((stats) => stats.pool?.failures),
    ),
    counter(
      'bridge_worker_starts_total',
      'Workers started.',
      each((stats) => stats.pool?.spawned),
    ),
    counter(
      'bridge_worker_ends_total',
      'Workers that ended, by reason.',
      spread('reason', (stats) => stats.pool?.ended ?? {}),
    ),
    counter(
      'bridge_child_noise_lines_total',
      'Lines on stdout that were no messages.',
      each((stats) => stats.child.noiseLines),
    ),
    counter(
      'bridge_child_oversize_lines_total',
      'Lines over the size limit.',
      each((stats) => stats.child.oversizeLines),
    ),
    counter(
      'bridge_child_late_answers_total',
      'Answers to calls that had ended.',
      each((stats) => stats.child.lateAnswers),
    ),
    counter(
      'bridge_child_unknown_answers_total',
      'Answers to nothing.',
      each((stats) => stats.child.unknownAnswers),
    ),
    counter(
      'bridge_child_refused_requests_total',
      'Requests of children that were refused.',
      each((stats) => stats.child.refusedRequests),
    ),
    counter(
      'bridge_child_stderr_bytes_total',
      'Bytes that children wrote to stderr.',
      each((stats) => stats.child.stderrBytes),
    ),
    counter(
      'bridge_child_stderr_dropped_lines_total',
      'Lines of stderr that were not logged.',
      each((stats) => stats.child.stderrDroppedLines),
    ),
  ];
}

/** Nothing of a service that is not in use. */
function serviceFamilies({ redis, audit, auth }: ServicesReport): Family[] {
  const all: Family[] = [];
  if (redis !== undefined) {
    all.push(
      gauge('bridge_redis_up', 'Whether the shared store answers.', [one(redis.state === 'ready' ? 1 : 0)]),
      counter('bridge_redis_outages_total', 'How often it went away.', [one(redis.outages)]),
      counter('bridge_redis_refused_total', 'Operations refused at once while it was away.', [one(redis.refused)]),
      counter(
        'bridge_rate_limit_takes_total',
        'Calls counted against quotas, by where: local while the shared store was away.',
        byLabel('where', { ...redis.quotas }),
      ),
    );
  }
  if (audit !== 'off') {
    const { written, dropped } = audit;
    all.push(
      gauge('bridge_audit_up', 'Whether the audit can be written.', [one(audit.away ? 0 : 1)]),
      gauge('bridge_audit_buffered_rows', 'Rows that wait to be written.', [one(audit.buffered)]),
      counter('bridge_audit_rows_total', 'Rows by what became of them.', byLabel('result', { written, dropped })),
    );
  }
  if (auth !== 'none') {
    all.push(counter('bridge_auth_refused_total', 'Requests refused by reason.', byLabel('reason', auth.refused)));
  }
  return all;
}

const BREAKER_STATES = { closed: 0, half_open: 1, open: 2 } as const;

/** One sample per tool that was called: tools are a closed set, the callers do not choose them. */
function perTool(
  bridges: readonly BridgeStats[],
  value: (circuit: BridgeStats['breakers'][number]) => number,
): Sample[] {
  return bridges.flatMap(({ name, breakers }) =>
    breakers.map((circuit) => ({ labels: { bridge: name, tool: circuit.tool }, value: value(circuit) })),
  );
}

function byLabel(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function one(value: number): Sample {
  return { labels: {}, value };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'counter', help, samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'gauge', help, samples };
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

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n');
}

function labelText(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Backslash, quote and newline, as the text format asks. */
function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
