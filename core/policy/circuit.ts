import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import type { BridgeError } from '#core/errors.ts';
import type { BreakerSettings } from '#core/manifest.ts';
import { type OpeningCause, resting, underProbe } from '#core/policy/circuit-open.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/** One tool's circuit in numbers. */
export interface CircuitStats {
  readonly state: CircuitState;
  /** Calls that count and ended within the window; none is added while it is not closed. */
  readonly calls: number;
  /** How many of them failed. */
  readonly failures: number;
  /** How often it has opened, after failed probes too. */
  readonly opened: number;
  /** Until probes are let through; 0 where it is not open. */
  readonly retryAfterMs: number;
}

/** What a circuit tells; `openMs` is the time until probes are let through, `downMs` that since it opened first. */
export type CircuitEvent =
  | ({ readonly event: 'breaker:opened'; readonly openMs: number } & OpeningCause)
  | { readonly event: 'breaker:half_open'; readonly probes: number }
  | { readonly event: 'breaker:closed'; readonly probes: number; readonly downMs: number };

export interface CircuitOptions {
  readonly settings: BreakerSettings;
  readonly on: (event: CircuitEvent) => void;
  /** 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
}

/** Parts of the window: it forgets one at a time, at each `rotate`. */
export const BUCKETS = 10;

/** The open time grows up to here, or stays at `openMs` where that is longer. */
const MAX_OPEN_MS = 300_000;

/** Replicas that opened together should not probe together. */
const JITTER = 0.1;

/** opossum opens above its threshold, an operator's "50 %" means from there on. */
const FROM_THERE_ON = 1e-6;

const NO_CAUSE: OpeningCause = { calls: 0, failures: 0, failedProbes: 0, windowMs: 0 };

type Judge = CircuitBreaker<[BridgeError], never>;

/**
 * The state of one tool:
 *
 * ```
 * closed ──failures──▶ open ──its time is over──▶ half_open ──all probes good──▶ closed
 *                       ▲                             │
 *                       └──── twice as long ◀── one probe bad
 * ```
 *
 * A call enters and leaves; at the door it is told how often the circuit had opened by then, and where it has opened
 * since, the call changes nothing any more: neither one that began while it was closed, nor a probe of an earlier try.
 *
 * opossum keeps the window, decides on opening and times the open state. It is told of calls when they have ended,
 * and only of those that count. Probing is ours, as it would let one through and close after one.
 */
export class Circuit {
  readonly #settings: BreakerSettings;
  readonly #rotation = new EventEmitter();
  readonly #on: (event: CircuitEvent) => void;
  readonly #random: () => number;
  #judge: Judge;
  #state: CircuitState = 'closed';
  /** Good calls the judge has not been told of. */
  #untold = 0;
  /** Before jitter, of the next time it opens. */
  #nextOpenMs: number;
  /** After jitter. */
  #openMs = 0;
  #openedAtMs = 0;
  #downSinceMs = 0;
  #cause: OpeningCause = NO_CAUSE;
  /** How often; nobody enters while it is open, so this also tells the calls of one closed or half-open time apart. */
  #opened = 0;
  /** Probes in flight. */
  #probing = 0;
  #goodProbes = 0;

  constructor({ settings, on, random }: CircuitOptions) {
    this.#settings = settings;
    this.#on = on;
    this.#random = random;
    this.#nextOpenMs = settings.openMs;
    this.#judge = this.#appoint();
  }

  get state(): CircuitState {
    return this.#state;
  }

  stats(): CircuitStats {
    this.#tellJudge();
    const { fires, failures } = this.#judge.stats;
    return {
      state: this.#state,
      calls: fires,
      failures,
      opened: this.#opened,
      retryAfterMs: this.#state === 'open' ? this.#restMs() : 0,
    };
  }

  /**
   * A call comes in. Each entry ends with one of `succeeded`, `failed` and `withdrew`, which take what is returned.
   * @throws BridgeError circuit_open
   */
  enter(): number {
    if (this.#state !== 'closed') {
      const { probes } = this.#settings;
      if (this.#state === 'open') throw resting(this.#cause, this.#restMs());
      if (this.#probing + this.#goodProbes >= probes) throw underProbe(probes, this.#goodProbes);
      this.#probing++;
    }
    return this.#opened;
  }

  /** The tool answered, whatever it said. */
  succeeded(opening: number): void {
    if (opening !== this.#opened) return;
    if (this.#state === 'closed') {
      this.#untold++;
      return;
    }
    this.#probing--;
    this.#goodProbes++;
    if (this.#goodProbes === this.#settings.probes) this.#close();
  }

  /** The tool failed. */
  failed(opening: number, error: BridgeError): void {
    if (opening !== this.#opened) return;
    if (this.#state === 'closed') {
      this.#tellJudge();
      this.#judge.fire(error).catch(ignore);
      return;
    }
    this.#nextOpenMs = Math.min(this.#nextOpenMs * 2, Math.max(this.#settings.openMs, MAX_OPEN_MS));
    this.#replaceJudge();
    this.#judge.open();
  }

  /** It ended in a way that says nothing about the tool. */
  withdrew(opening: number): void {
    if (opening === this.#opened && this.#state === 'half_open') this.#probing--;
  }

  /** The clock of the window: to be called every `windowMs / BUCKETS`. */
  rotate(): void {
    this.#tellJudge();
    this.#rotation.emit('rotate');
  }

  /** Ends it: nothing is judged or refused any more, no timer is left. Idempotent. */
  dispose(): void {
    this.#judge.shutdown();
    this.#state = 'closed';
  }

  #tellJudge(): void {
    const [bucket] = this.#judge.status.window;
    if (this.#untold === 0 || bucket === undefined) return;
    bucket.fires += this.#untold;
    bucket.successes += this.#untold;
    this.#untold = 0;
  }

  /** A judge with an empty window, who knows how long the next open time is. */
  #appoint(): Judge {
    const { errorPercent, minCalls, windowMs } = this.#settings;
    this.#openMs = Math.ceil(this.#nextOpenMs * (1 - JITTER * this.#random()));
    const judge: Judge = new CircuitBreaker(fail, {
      timeout: false,
      resetTimeout: this.#openMs,
      errorThresholdPercentage: errorPercent - FROM_THERE_ON,
      volumeThreshold: minCalls,
      rollingCountTimeout: windowMs,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotation,
    });
    judge.on('open', () => this.#open());
    judge.on('halfOpen', () => this.#halfOpen());
    return judge;
  }

  #replaceJudge(): void {
    this.#judge.shutdown();
    this.#judge = this.#appoint();
  }

  #open(): void {
    this.#openedAtMs = performance.now();
    if (this.#state === 'closed') {
      this.#downSinceMs = this.#openedAtMs;
      const { fires: calls, failures } = this.#judge.stats;
      this.#cause = { calls, failures, failedProbes: 0, windowMs: this.#settings.windowMs };
    } else {
      const { failedProbes, windowMs } = this.#cause;
      this.#cause = { calls: this.#goodProbes + 1, failures: 1, failedProbes: failedProbes + 1, windowMs };
    }
    this.#state = 'open';
    this.#opened++;
    this.#on({ event: 'breaker:opened', ...this.#cause, openMs: this.#openMs });
  }

  #halfOpen(): void {
    this.#state = 'half_open';
    this.#probing = 0;
    this.#goodProbes = 0;
    this.#on({ event: 'breaker:half_open', probes: this.#settings.probes });
  }

  #close(): void {
    this.#nextOpenMs = this.#settings.openMs;
    this.#replaceJudge();
    this.#state = 'closed';
    this.#on({
      event: 'breaker:closed',
      probes: this.#settings.probes,
      downMs: Math.round(performance.now() - this.#downSinceMs),
    });
  }

  #restMs(): number {
    return Math.max(1, Math.ceil(this.#openedAtMs + this.#openMs - performance.now()));
  }
}

/** What the judge fires: the failure as it was, at once. */
function fail(error: BridgeError): never {
  throw error;
}

function ignore(): void {}
