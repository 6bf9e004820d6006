import type { Policy, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, type ErrorCode } from '#core/errors.ts';
import type { BreakerSettings } from '#core/manifest.ts';
import { BUCKETS, Circuit, type CircuitEvent, type CircuitStats } from '#core/policy/circuit.ts';

/** What a breaker tells, for the log. */
export type BreakerEvent = CircuitEvent & { readonly tool: string };

/** The circuit of one tool, as `/status` and the metrics show it. */
export interface ToolCircuitStats extends CircuitStats {
  readonly tool: string;
}

export interface BreakerOptions {
  readonly on?: (event: BreakerEvent) => void;
  /** For the jitter of open times: 0 (inclusive) to 1 (exclusive). */
  readonly random?: () => number;
}

/** A bridge lists far fewer tools; a server that renames them all the time must not cost memory for ever. */
const MAX_CIRCUITS = 1_000;

/** Endings that another caller of this tool must expect too. An answer that is too large is the caller's question. */
const OF_THE_TOOL: ReadonlySet<ErrorCode> = new Set(['child_crashed', 'child_protocol_error', 'child_error']);

/** A call that was given this much time and still got no answer says something about the tool. */
const FAIR_TIMEOUT_MS = 1_000;

/**
 * Stops calling a tool that only fails, each tool by itself. It judges what reached a child: an answer is good
 * whatever it says, a crash, a broken protocol, a JSON-RPC error and a time-out are bad, and everything else (refusals,
 * wrong arguments, a client that left, a deadline its caller made too short) counts as neither.
 *
 * It never aborts a call: those in flight when it opens end by themselves.
 *
 * @throws BridgeError `circuit_open`, executed `no`, with the time until the next probe
 */
export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #on: (event: BreakerEvent) => void;
  readonly #random: () => number;
  readonly #circuits = new Map<string, Circuit>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(settings: BreakerSettings, options: BreakerOptions = {}) {
    this.#settings = settings;
    this.#on = options.on ?? (() => {});
    this.#random = options.random ?? Math.random;
  }

  readonly policy: Policy = (next) => (call) => {
    const circuit = this.#circuits.get(call.tool) ?? this.#add(call.tool);
    let opening: number;
    try {
      opening = circuit.enter();
    } catch (error) {
      return Promise.reject(error);
    }
    const failed = (error: unknown): void => {
      if (isFailure(call, error)) circuit.failed(opening, error);
      else circuit.withdrew(opening);
    };
    let answer: Promise<ToolResult>;
    try {
      answer = next(call);
    } catch (error) {
      // Nothing of ours throws; if it did, a place among the probes would never be free again.
      failed(error);
      return Promise.reject(error);
    }
    answer.then(() => circuit.succeeded(opening), failed);
    return answer;
  };

  /** The tools that have been called. Costs some microseconds per tool. */
  stats(): readonly ToolCircuitStats[] {
    return Array.from(this.#circuits, ([tool, circuit]) => ({ tool, ...circuit.stats() }));
  }

  /** Ends all timers; calls still pass, and nothing is counted any more. Idempotent. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const circuit of this.#circuits.values()) circuit.dispose();
  }

  #add(tool: string): Circuit {
    if (this.#circuits.size >= MAX_CIRCUITS) this.#forgetOne();
    const circuit = new Circuit({
      settings: this.#settings,
      on: (event) => this.#on({ ...event, tool }),
      random: this.#random,
    });
    this.#circuits.set(tool, circuit);
    if (this.#closed) circuit.dispose();
    else this.#timer ??= setInterval(() => this.#rotate(), this.#settings.windowMs / BUCKETS).unref();
    return circuit;
  }

  #rotate(): void {
    for (const circuit of this.#circuits.values()) circuit.rotate();
  }

  /** The oldest that keeps nobody out. */
  #forgetOne(): void {
    let [oldest] = this.#circuits.keys();
    for (const [tool, circuit] of this.#circuits) {
      if (circuit.state !== 'closed') continue;
      oldest = tool;
      break;
    }
    if (oldest === undefined) return;
    this.#circuits.get(oldest)?.dispose();
    this.#circuits.delete(oldest);
  }
}

function isFailure(call: ToolCall, error: unknown): error is BridgeError {
  if (!(error instanceof BridgeError) || error.executed === 'no') return false;
  if (error.code !== 'deadline_exceeded') return OF_THE_TOOL.has(error.code);
  // Nobody may open it for all by asking for an answer within a millisecond.
  return call.timeoutMs >= Math.min(call.policy.deadlineMs, FAIR_TIMEOUT_MS);
}
