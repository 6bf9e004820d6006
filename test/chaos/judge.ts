import type { LedgerEntry } from '../support/ledger.ts';
import type { PlannedCall } from './call-plan.ts';

/** How a planned call ended, as its caller saw it. */
export interface Observation {
  readonly call: PlannedCall;
  /** The trace id that it was sent with, and that its execution has in the ledger. */
  readonly trace: string;
  /** Both by `performance.now()`. */
  readonly sentAtMs: number;
  readonly endedAtMs: number;
  readonly ending: Ending;
}

export type Ending =
  | AnswerSeen
  /** The client left. */
  | { readonly kind: 'left' }
  /** The connection broke; `excused` where the process was being ended. */
  | { readonly kind: 'lost'; readonly reason: string; readonly excused: boolean };

export interface AnswerSeen {
  readonly kind: 'answer';
  readonly status: number;
  /** `200` or the problem's code. */
  readonly code: string;
  readonly executed: string;
  readonly replayed: boolean;
  readonly contentType: unknown;
  readonly text: string;
}

/** What a keyed call of a write may be told when anything at all may fail. */
const TABLE: readonly string[] = [
  '200 ok yes',
  '409 idempotency_in_progress no',
  '409 outcome_unknown maybe',
  '422 idempotency_key_reused no',
  '429 rate_limited no',
  '502 child_crashed maybe',
  '502 child_protocol_error maybe',
  '502 child_error maybe',
  '503 queue_full no',
  '503 queue_timeout no',
  '503 no_worker_ready no',
  '503 worker_backpressure no',
  '503 circuit_open no',
  '503 draining no',
  '503 idempotency_store_unavailable no',
  '504 deadline_exceeded maybe',
  '504 deadline_exceeded no',
];

export const nameOf = ({ status, code, executed }: AnswerSeen): string => `${status} ${code} ${executed}`;

/** It says how the one execution ended, and is what every later answer must be. */
const isOutcome = (answer: AnswerSeen): boolean => answer.executed !== 'no' && answer.code !== 'outcome_unknown';

export interface JudgeOptions {
  /** What a call without one of its own has. */
  readonly deadlineMs: number;
  /** How much later than its deadline an answer may be seen on this machine. */
  readonly slackMs: number;
}

/** Every broken promise, each as a text with what is needed to understand it; empty when all were kept. */
export function brokenPromises(
  observations: readonly Observation[],
  ledger: readonly LedgerEntry[],
  { deadlineMs, slackMs }: JudgeOptions,
): string[] {
  const broken: string[] = [];
  const executions = ledger.filter(({ event }) => event === 'executed');
  const byTag = Map.groupBy(executions, ({ tag }) => tag);
  const byTrace = Map.groupBy(executions, ({ trace }) => trace);
  const byUnit = Map.groupBy(observations, ({ call }) => call.unit.tag);
  const say = (what: string, tag: string): void => {
    broken.push(`${what}: ${tag}\n${history(byUnit.get(tag) ?? [], byTag.get(tag) ?? [])}`);
  };

  for (const [tag, entries] of byTag) {
    if (tag !== undefined && byUnit.has(tag) && entries.length > 1) say(`executed ${entries.length} times`, tag);
  }
  for (const observation of observations) {
    const { call, ending, trace, sentAtMs, endedAtMs } = observation;
    const { tag } = call.unit;
    const ran = byTrace.get(trace)?.length ?? 0;
    if (ending.kind === 'lost' && !ending.excused) say(`call ${call.index} was lost (${ending.reason})`, tag);
    const lateMs = endedAtMs - sentAtMs - (call.timeoutMs ?? deadlineMs);
    if (lateMs > slackMs) say(`call ${call.index} ended ${Math.round(lateMs)} ms after its deadline`, tag);
    if (ending.kind !== 'answer') continue;
    if (!TABLE.includes(nameOf(ending))) say(`call ${call.index} was told ${nameOf(ending)}`, tag);
    if (ending.executed === 'no' && ran > 0) say(`call ${call.index} ran, but was told that it did not`, tag);
    if (ending.replayed && ran > 0) say(`call ${call.index} ran, but was told an earlier answer`, tag);
    if (ending.executed === 'yes' && !ending.replayed && ran === 0) say(`call ${call.index} never ran`, tag);
    if (ending.replayed && !isOutcome(ending)) say(`call ${call.index} was told again what is no outcome`, tag);
  }
  for (const [tag, all] of byUnit) {
    const outcomes = all.flatMap(({ call, ending }) =>
      ending.kind === 'answer' && isOutcome(ending) ? [{ ...ending, variant: call.variant }] : [],
    );
    const essences = outcomes.map(({ variant, status, contentType, text }) => [variant, status, contentType, text]);
    if (new Set(essences.map((essence) => JSON.stringify(essence))).size > 1) say('answers differ', tag);
    if (outcomes.filter(({ replayed }) => !replayed).length > 1) say('more than one first answer', tag);
  }
  return broken;
}

function history(observations: readonly Observation[], executions: readonly LedgerEntry[]): string {
  const lines = observations.map(({ call, trace, sentAtMs, endedAtMs, ending }) => {
    const said =
      ending.kind === 'answer'
        ? `${nameOf(ending)}${ending.replayed ? ' replayed' : ''} ${ending.text.slice(0, 160)}`
        : JSON.stringify(ending);
    const when = `${sentAtMs.toFixed(0)}..${endedAtMs.toFixed(0)} ms`;
    return `  #${call.index} ${when} replica ${call.replica} variant ${call.variant} within ${call.timeoutMs ?? '-'} ms trace ${trace.slice(-6)}: ${said}`;
  });
  const ran = executions.map(({ pid, at, trace }) => `  executed by ${pid} at ${at} trace ${trace?.slice(-6)}`);
  return [...lines, ...ran].join('\n');
}
