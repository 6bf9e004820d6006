import type { BridgeEvent } from '#core/bridge.ts';
import type { CallMeter } from '#core/call-meter.ts';
import { errorTypeOfCode } from '#core/error-type.ts';
import type { ErrorCode } from '#core/errors.ts';
import type { RequestEnd } from '#core/request-end.ts';
import { distribution, type Family, numbers } from '#core/telemetry/families.ts';
import { Histogram } from '#core/telemetry/histogram.ts';
import { INSTRUMENTS, OTHER } from '#core/telemetry/instruments.ts';

/** Refusals that say: not now, and nothing has run. */
const SHED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'queue_full',
  'queue_timeout',
  'no_worker_ready',
  'bridge_unavailable',
  'worker_backpressure',
  'circuit_open',
  'rate_limited',
  'draining',
  'idempotency_store_unavailable',
]);
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

/** Everything of a process that is measured when it happens; what is counted elsewhere is read when it is asked for. */
export class FleetMeters {
  readonly #http = new Histogram(INSTRUMENTS.httpDuration.buckets);
  readonly #overhead = new Histogram(INSTRUMENTS.overhead.buckets);
  readonly #wait = new Histogram(INSTRUMENTS.poolWait.buckets);
  readonly #client = new Histogram(INSTRUMENTS.clientDuration.buckets);
  readonly #session = new Histogram(INSTRUMENTS.sessionDuration.buckets);
  readonly #store = new Histogram(INSTRUMENTS.storeDuration.buckets);
  /** By bridge, then by reason. */
  readonly #shed = new Map<string, Map<string, number>>();

  /** A request of the main port has been answered. */
  answered({ method, route, status, code, bridge, report, arrivedAtMs, endedAtMs }: RequestEnd): void {
    // As the HTTP conventions name what is none of the known methods.
    const known = METHODS.has(method) ? method : OTHER;
    const errorType = status === undefined ? 'cancelled' : code === undefined ? undefined : errorTypeOfCode(code);
    const durationMs = endedAtMs - arrivedAtMs;
    this.#http.record(durationMs / 1000, known, route, status, errorType, bridge);
    // A call that waited for another's execution knows nothing of the time in the child.
    if (report !== undefined && (report.attempts > 0 || report.source !== 'child')) {
      this.#overhead.record(Math.max(0, durationMs - report.childMs - report.waitMs) / 1000, bridge);
    }
    if (code !== undefined && bridge !== undefined && SHED.has(code)) this.#countShed(bridge, code);
  }

  /** An operation of the shared store has ended. */
  operated(store: string, operation: string, durationMs: number, errorType: string | undefined): void {
    this.#store.record(durationMs / 1000, store, operation, errorType);
  }

  /** What takes the times of one bridge's calls. */
  of(bridge: string): CallMeter {
    return {
      waited: (waitMs) => this.#wait.record(waitMs / 1000, bridge),
      attempted: (tool, durationMs, errorType, protocolVersion) =>
        this.#client.record(
          durationMs / 1000,
          bridge,
          tool,
          errorType,
          'tools/call',
          'execute_tool',
          protocolVersion,
          'pipe',
        ),
    };
  }

  /** Measures the lives of one bridge's workers by its events. */
  lives(bridge: string): (event: BridgeEvent) => void {
    const startedAtMs = new Map<number, number>();
    return (event) => {
      if (event.event === 'worker:starting') startedAtMs.set(event.workerId, performance.now());
      else if (event.event === 'worker:ended') {
        const startMs = startedAtMs.get(event.workerId);
        if (startMs === undefined) return;
        startedAtMs.delete(event.workerId);
        const errorType = event.end.expected && event.reason !== 'start_failed' ? undefined : event.reason;
        this.#session.record((performance.now() - startMs) / 1000, bridge, errorType, 'pipe');
      }
    };
  }

  /** As they are now; a histogram in which nothing was recorded yet is shown without series. */
  families(): Readonly<Record<'http' | 'shed' | 'overhead' | 'wait' | 'client' | 'session' | 'store', Family>> {
    return {
      http: distribution('httpDuration', this.#http.series),
      shed: numbers(
        'callsShed',
        [...this.#shed].flatMap(([bridge, reasons]) =>
          [...reasons].map(([reason, value]) => ({ values: [bridge, reason], value })),
        ),
      ),
      overhead: distribution('overhead', this.#overhead.series),
      wait: distribution('poolWait', this.#wait.series),
      client: distribution('clientDuration', this.#client.series),
      session: distribution('sessionDuration', this.#session.series),
      store: distribution('storeDuration', this.#store.series),
    };
  }

  #countShed(bridge: string, reason: string): void {
    let reasons = this.#shed.get(bridge);
    if (reasons === undefined) {
      reasons = new Map();
      this.#shed.set(bridge, reasons);
    }
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
}
