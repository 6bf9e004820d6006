import { hash } from 'node:crypto';
import { type Policy, type ToolCall, type TraceContext, traceIdOf } from '#core/call.ts';
import { BridgeError, type Executed } from '#core/errors.ts';
import type { Principal } from '#core/principal.ts';
import type { AuditLog, AuditRow } from '#core/store/audit-store.ts';

/** How the audit tells time: `now` is monotonic and measures, `wallNow` is the date. Both in milliseconds. */
export interface AuditClock {
  now(): number;
  wallNow(): number;
}

const PROCESS_CLOCK: AuditClock = { now: () => performance.now(), wallNow: () => Date.now() };

/** Longest tool name that is written down; a name that was refused is the caller's own text. */
const MAX_TOOL_LENGTH = 128;
/** Arguments up to this length are hashed in less time than a timer takes; longer ones once the answer has left. */
const MAX_HASHED_AT_ONCE = 4096;

/**
 * Writes down every call when it has ended, whatever its end. The outermost policy, so that what any other policy
 * decided is in the row: a refusal, a replay, a second attempt.
 *
 * `executed` is `yes` for a result, also for one told again from a record, and `no` for one out of the cache, which ran
 * nothing (attempts 0, not replayed). An error says it itself; a client that left before any attempt ran nothing either;
 * of everything else it is not known: `maybe`.
 */
export function audit(log: AuditLog, clock: AuditClock = PROCESS_CLOCK): Policy {
  return (next) =>
    function audited(call) {
      const answer = next(call);
      answer.then(
        ({ isError }) => {
          const executed = call.report.source === 'cache' ? 'no' : 'yes';
          record(log, clock, call, isError ? 'tool_error' : 'ok', executed);
        },
        (error: unknown) => {
          if (error instanceof BridgeError) record(log, clock, call, error.code, error.executed);
          // Whatever else is thrown once the signal is aborted is its reason: only a client that leaves has no BridgeError.
          else if (call.abort.signal.aborted)
            record(log, clock, call, 'client_gone', call.report.attempts === 0 ? 'no' : 'maybe');
          else record(log, clock, call, 'internal', 'maybe');
        },
      );
      return answer;
    };
}

/** What is known of a call that was refused before its tool was looked up. */
export interface ForbiddenCall {
  readonly principal: Principal;
  readonly bridge: string;
  /** As asked for, after decoding: any text. */
  readonly tool: string;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
  /** `performance.now()` when the request arrived. */
  readonly arrivedAtMs: number;
}

/** The row of a call that its principal may not make (403 `forbidden_tool`): the other refusals before a tool is known are not audited. */
export function forbiddenRow(call: ForbiddenCall, clock: AuditClock = PROCESS_CLOCK): AuditRow {
  const durationMs = clock.now() - call.arrivedAtMs;
  return {
    at: new Date(clock.wallNow() - durationMs),
    requestId: call.requestId,
    traceId: traceIdOf(call.trace),
    principal: call.principal.id,
    bridge: call.bridge,
    tool: call.tool.length <= MAX_TOOL_LENGTH ? call.tool : `${call.tool.slice(0, MAX_TOOL_LENGTH - 1)}…`,
    effect: undefined,
    attempts: 0,
    outcome: 'forbidden_tool',
    executed: 'no',
    durationMs,
    argumentsSha256: undefined,
    replayed: false,
  };
}

type Writable<T> = { -readonly [Member in keyof T]: T[Member] };

function record(log: AuditLog, clock: AuditClock, call: ToolCall, outcome: string, executed: Executed): void {
  const { report, argumentsJson } = call;
  const durationMs = clock.now() - call.arrivedAtMs;
  const row: Writable<AuditRow> = {
    // Told from the end, so that a clock that is set during the call moves the row and not its duration.
    at: new Date(clock.wallNow() - durationMs),
    requestId: call.requestId,
    traceId: traceIdOf(call.trace),
    principal: call.principal.id,
    bridge: call.bridge,
    tool: call.tool,
    effect: call.effect,
    attempts: report.attempts,
    outcome,
    executed,
    durationMs,
    argumentsSha256: undefined,
    replayed: report.source === 'record',
  };
  if (argumentsJson.length > MAX_HASHED_AT_ONCE) setImmediate(recordHashed, log, row, argumentsJson);
  else recordHashed(log, row, argumentsJson);
}

function recordHashed(log: AuditLog, row: Writable<AuditRow>, argumentsJson: string): void {
  row.argumentsSha256 = hash('sha256', argumentsJson);
  log.record(row);
}
