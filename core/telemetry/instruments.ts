/**
 * Every name that telemetry has: metrics, spans, attributes, events. Dashboards, alerts and tests know no other.
 *
 * Names of the MCP, GenAI and JSON-RPC conventions are literals: they are in development, live in a repository without
 * releases (open-telemetry/semantic-conventions-genai, moved there by semantic-conventions v1.42.0), and are exported only
 * from an entry point that may change with every minor version. Checked against `@opentelemetry/semantic-conventions`
 * 1.45.0; names of HTTP, network and errors are the stable ones of the same version.
 */

/** What a metric is. Its labels are attributes, in the order in which values are given. */
export interface Instrument {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** As OpenTelemetry writes it; see {@link prometheusName}. */
  readonly name: string;
  /** UCUM; in braces what is counted. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, inclusive. */
  readonly buckets?: readonly number[];
}

/** Of spans and metrics. Names without a dot are labels that have been there from the beginning. */
export const ATTRIBUTE = {
  /** The bridge of a metric; of a span it is `bridge.server`, as conventions ask for a prefix. */
  bridge: 'bridge',
  bridgeServer: 'bridge.server',
  bridgeAttempt: 'bridge.attempt',
  bridgeChildPid: 'bridge.child.pid',
  bridgeWorkerId: 'bridge.worker.id',
  bridgePoolWaitMs: 'bridge.pool.wait_ms',
  bridgeCode: 'bridge.code',
  bridgeSource: 'bridge.source',
  bridgeExecuted: 'bridge.executed',
  bridgeEffect: 'bridge.effect',
  bridgeRequestId: 'bridge.request.id',
  bridgeFirstRequestId: 'bridge.first_request.id',
  bridgeFirstTraceId: 'bridge.first_request.trace_id',
  bridgePrincipal: 'bridge.principal',
  bridgeRetryClass: 'bridge.retry.class',
  bridgeAttempts: 'bridge.attempts',
  errorType: 'error.type',
  httpRequestMethod: 'http.request.method',
  httpResponseStatusCode: 'http.response.status_code',
  httpRoute: 'http.route',
  urlPath: 'url.path',
  urlScheme: 'url.scheme',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  clientAddress: 'client.address',
  networkTransport: 'network.transport',
  networkProtocolName: 'network.protocol.name',
  networkProtocolVersion: 'network.protocol.version',
  mcpMethodName: 'mcp.method.name',
  mcpProtocolVersion: 'mcp.protocol.version',
  genAiToolName: 'gen_ai.tool.name',
  genAiOperationName: 'gen_ai.operation.name',
  jsonrpcRequestId: 'jsonrpc.request.id',
  rpcResponseStatusCode: 'rpc.response.status_code',
} as const;

/** Of spans. */
export const SPAN = {
  /** SERVER: `POST /slack/mcp/tools/:tool`, the template of the address and never what was asked for. */
  http: (method: string, route: string | undefined) => (route === undefined ? method : `${method} ${route}`),
  /** INTERNAL: waiting for a worker; an event of the same name on the SERVER span below a millisecond. */
  acquire: 'mcp.pool.acquire',
  /** CLIENT: one attempt of one call towards one child. */
  toolsCall: (tool: string) => `tools/call ${tool}`,
} as const;

/** What stands for a name that is not on a list, and for everything beyond a bounded number of series. */
export const OTHER = '_OTHER';

/** As the MCP conventions advise. */
const MCP_SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300] as const;
/** As the HTTP conventions advise. */
const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
/** What a bridge costs is far below what the conventions look at. */
const FINE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30] as const;

const { bridge, errorType, httpRequestMethod, httpRoute, httpResponseStatusCode } = ATTRIBUTE;
const { mcpMethodName, mcpProtocolVersion, genAiToolName, genAiOperationName, networkTransport } = ATTRIBUTE;

/** Every metric, by what the code calls it, in the order in which it is shown. */
export const INSTRUMENTS = {
  info: gauge('bridge.info', '1', 'The running version.', 'version'),
  uptime: gauge('bridge.uptime', 's', 'Time since this process started serving.'),
  httpAnswers: counter(
    'bridge.http.answers',
    '{answer}',
    'Answers on the main port by class of status; gone: the client left first.',
    'status',
  ),
  httpDuration: histogram(
    'http.server.request.duration',
    'Time from the head of a request on the main port to its answer; error.type is there with every problem.',
    HTTP_SECONDS,
    httpRequestMethod,
    httpRoute,
    httpResponseStatusCode,
    errorType,
    bridge,
  ),
  calls: counter('bridge.calls', '{call}', 'Calls by outcome.', bridge, 'outcome'),
  callsShed: counter(
    'bridge.calls.shed',
    '{call}',
    'Calls that were refused without having run, by reason: over capacity, paused, over a quota.',
    bridge,
    'reason',
  ),
  overhead: histogram(
    'bridge.overhead.duration',
    "Time from a call's arrival to its answer, without the time in children and in the queue.",
    FINE_SECONDS,
    bridge,
  ),
  retries: counter('bridge.retries', '{attempt}', 'Second attempts by class.', bridge, 'class'),
  rateLimited: counter(
    'bridge.rate_limited',
    '{call}',
    'Calls over a quota: of the caller, or of the caller with a tool.',
    bridge,
    'quota',
  ),
  idempotencyClaims: counter(
    'bridge.idempotency.claims',
    '{claim}',
    'What keys stood for when calls came with them.',
    bridge,
    'state',
  ),
  idempotencyReconciled: counter(
    'bridge.idempotency.reconciled',
    '{call}',
    'What tools found when they were asked what became of a call; failed: they could not look.',
    bridge,
    'found',
  ),
  idempotencyUnavailable: counter(
    'bridge.idempotency.unavailable',
    '{call}',
    'Keys that the store could not answer for.',
    bridge,
  ),
  idempotencyDropped: counter('bridge.idempotency.dropped', '{outcome}', 'Outcomes that were never recorded.', bridge),
  idempotencyPending: gauge('bridge.idempotency.pending', '{outcome}', 'Outcomes that wait for the store.', bridge),
  cacheAnswers: counter(
    'bridge.cache.answers',
    '{call}',
    'Calls of tools with a cache: found, not found, waited for the same call of another, asked to be fresh.',
    bridge,
    'result',
  ),
  breakerState: gauge(
    'bridge.breaker.state',
    '1',
    'Of tools that were called: 0 closed, 1 half-open, 2 open.',
    bridge,
    'tool',
  ),
  breakerOpened: counter(
    'bridge.breaker.opened',
    '{time}',
    'How often the breaker of a tool has opened.',
    bridge,
    'tool',
  ),
  redisUp: gauge('bridge.redis.up', '1', 'Whether the shared store answers.'),
  redisOutages: counter('bridge.redis.outages', '{outage}', 'How often it went away.'),
  redisRefused: counter('bridge.redis.refused', '{operation}', 'Operations refused at once while it was away.'),
  rateLimitTakes: counter(
    'bridge.rate_limit.takes',
    '{call}',
    'Calls counted against quotas, by where: local while the shared store was away.',
    'where',
  ),
  auditUp: gauge('bridge.audit.up', '1', 'Whether the audit can be written.'),
  auditBuffered: gauge('bridge.audit.buffered_rows', '{row}', 'Rows that wait to be written.'),
  auditRows: counter('bridge.audit.rows', '{row}', 'Rows by what became of them.', 'result'),
  authRefused: counter('bridge.auth.refused', '{request}', 'Requests refused by reason.', 'reason'),
  storeDuration: histogram(
    'bridge.store.operation.duration',
    'Time that an operation of the shared store took, failures included.',
    FINE_SECONDS,
    'store',
    'operation',
    errorType,
  ),
  ready: gauge(
    'bridge.ready',
    '1',
    'Whether a call can be taken: a worker is ready, or rests until one comes. Of bridges that are configured.',
    bridge,
  ),
  workers: gauge('bridge.workers', '{worker}', 'Workers by state.', bridge, 'state'),
  workersMax: gauge('bridge.workers.max', '{worker}', 'The most workers there may be.', bridge),
  callsInFlight: gauge('bridge.calls.in_flight', '{call}', 'Calls that workers hold.', bridge),
  queueWaiting: gauge('bridge.queue.waiting', '{call}', 'Calls that wait for a worker.', bridge),
  queueMax: gauge('bridge.queue.max', '{call}', 'The most calls that may wait.', bridge),
  queueOldest: gauge('bridge.queue.oldest', 's', 'How long the first in line has waited.', bridge),
  poolWait: histogram(
    'bridge.pool.wait.duration',
    'Time that an attempt waited for a worker; none is a wait too.',
    FINE_SECONDS,
    bridge,
  ),
  clientDuration: histogram(
    'mcp.client.operation.duration',
    'Time of one attempt of a call in a child, from the request on its input to the answer on its output.',
    MCP_SECONDS,
    bridge,
    genAiToolName,
    errorType,
    mcpMethodName,
    genAiOperationName,
    mcpProtocolVersion,
    networkTransport,
  ),
  sessionDuration: histogram(
    'mcp.client.session.duration',
    "A child's life from its start to its end; error.type: why it ended, where nobody wanted it to.",
    MCP_SECONDS,
    bridge,
    errorType,
    networkTransport,
  ),
  workerRss: gauge('bridge.worker.rss', 'By', 'Resident memory of all workers, where it is known.', bridge),
  startFailures: gauge('bridge.start_failures', '{start}', 'Failed or short-lived starts in a row.', bridge),
  workerStarts: counter('bridge.worker.starts', '{worker}', 'Workers started.', bridge),
  workerEnds: counter('bridge.worker.ends', '{worker}', 'Workers that ended, by reason.', bridge, 'reason'),
  childNoiseLines: counter('bridge.child.noise_lines', '{line}', 'Lines on stdout that were no messages.', bridge),
  childOversizeLines: counter('bridge.child.oversize_lines', '{line}', 'Lines over the size limit.', bridge),
  childLateAnswers: counter('bridge.child.late_answers', '{answer}', 'Answers to calls that had ended.', bridge),
  childUnknownAnswers: counter('bridge.child.unknown_answers', '{answer}', 'Answers to nothing.', bridge),
  childRefusedRequests: counter(
    'bridge.child.refused_requests',
    '{request}',
    'Requests of children that were refused.',
    bridge,
  ),
  childStderr: counter('bridge.child.stderr', 'By', 'Bytes that children wrote to stderr.', bridge),
  childStderrDroppedLines: counter(
    'bridge.child.stderr_dropped_lines',
    '{line}',
    'Lines of stderr that were not logged.',
    bridge,
  ),
  logLinesDropped: counter(
    'bridge.log.lines_dropped',
    '{line}',
    'Lines that were not written; failed: the output refused them, dropped: its reader was too slow.',
    'result',
  ),
  telemetryDropped: counter(
    'bridge.telemetry.dropped',
    '{item}',
    'Spans and batches of metrics that the collector did not get; queue_full: they came too fast, failed: it did not take them.',
    'signal',
    'reason',
  ),
  eventLoopDelay: gauge(
    'bridge.event_loop.delay',
    's',
    'How late timers were in the last 10 s, by quantile; 1 is the worst.',
    'quantile',
  ),
  processRss: gauge('bridge.process.rss', 'By', 'Resident memory of this process, without its workers.'),
  processCpu: counter('bridge.process.cpu', 's', 'Processor time of this process, without its workers.'),
  openFds: gauge('bridge.open_fds', '{fd}', 'Open file descriptors, where they can be counted.'),
} as const satisfies Record<string, Instrument>;

/** What the code calls a metric. */
export type InstrumentName = keyof typeof INSTRUMENTS;

/** Unit as a suffix, where it is not in the name already. */
const UNIT_SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/**
 * The metric as Prometheus writes it: dots become underscores, then the unit's suffix, then `_total` for a counter. The
 * same that the collector and Prometheus make of OTLP, so that a query works wherever the numbers came in.
 */
export function prometheusName({ kind, name, unit }: Pick<Instrument, 'kind' | 'name' | 'unit'>): string {
  return `${prometheusLabel(name)}${UNIT_SUFFIX[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}

/** An attribute as a label of Prometheus. */
export function prometheusLabel(attribute: string): string {
  return attribute.replaceAll('.', '_');
}

function counter(name: string, unit: string, help: string, ...labels: readonly string[]): Instrument {
  return { kind: 'counter', name, unit, help, labels };
}

function gauge(name: string, unit: string, help: string, ...labels: readonly string[]): Instrument {
  return { kind: 'gauge', name, unit, help, labels };
}

function histogram(
  name: string,
  help: string,
  buckets: readonly number[],
  ...labels: readonly string[]
): Instrument & { readonly buckets: readonly number[] } {
  return { kind: 'histogram', name, unit: 's', help, labels, buckets };
}
