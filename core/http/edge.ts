import type { Bridge } from '#core/bridge.ts';
import type { Canceller } from '#core/cancellation.ts';
import type { BridgeError } from '#core/errors.ts';
import type { RequestEnd, WatchRequest } from '#core/request-end.ts';
import { type Listed, Roster } from '#core/roster.ts';
import { type Authenticate, anonymous } from './authenticate.ts';
import type { Exchange } from './exchange.ts';
import type { Problem, ProblemContext } from './problem.ts';

/** A problem answered with 500 or more, for the log: `error` is what was thrown, never shown to the caller. */
export interface ProblemReport extends ProblemContext {
  readonly status: number;
  readonly code: Problem['code'];
  readonly executed: Problem['executed'];
  readonly error: unknown;
}

export interface HttpOptions {
  /** By name; a process with exactly one serves it without its name in the path too. */
  readonly bridges: ReadonlyMap<string, Bridge>;
  /** This product's version, said in `/` and `/status`. */
  readonly version: string;
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Host names in lower case, without port; undefined allows any. */
  readonly allowedHosts?: ReadonlySet<string> | undefined;
  /** A Host that is an address and no name is allowed as well; default false. */
  readonly allowAddresses?: boolean;
  /** Origins as a browser sends them, e.g. `https://app.example`; default none. */
  readonly allowedOrigins?: ReadonlySet<string>;
  /** True from the first signal to stop; `Edge.drain` says the same from within. */
  readonly draining?: () => boolean;
  /** Who calls; default everybody is `anonymous`. */
  readonly authenticate?: Authenticate;
  readonly onProblem?: (report: ProblemReport) => void;
  /** Told of every request that has its answer, or lost whoever asked (status undefined). Must not throw. */
  readonly onAnswered?: ((end: RequestEnd) => void) | undefined;
  /** Begins the trace of a request; default none is kept. */
  readonly watch?: WatchRequest | undefined;
}

/** A call between its first header and its answer. */
interface OngoingCall extends Listed {
  readonly abort: Canceller;
  readonly exchange: Exchange;
}

/** Answers since the start by the first digit of their status; `gone` are those that nobody waited for. */
export type AnswerCounts = Record<'2xx' | '4xx' | '5xx' | 'gone', number>;

/** What the handlers of one port share: the options with their defaults, what is in flight, what was counted. */
export class Edge {
  readonly bridges: ReadonlyMap<string, Bridge>;
  /** The only bridge of this process, where there is exactly one. */
  readonly onlyBridge: Bridge | undefined;
  readonly version: string;
  readonly maxBodyBytes: number;
  readonly allowedHosts: ReadonlySet<string> | undefined;
  readonly allowAddresses: boolean;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly authenticate: Authenticate;
  readonly onProblem: (report: ProblemReport) => void;
  readonly onAnswered: HttpOptions['onAnswered'];
  readonly watch: WatchRequest | undefined;
  /** The Host that was admitted last: nearly every request names the same. */
  admittedHost: string | undefined;
  readonly answers: AnswerCounts = { '2xx': 0, '4xx': 0, '5xx': 0, gone: 0 };
  readonly #calls = new Roster<OngoingCall>();
  readonly #askDraining: (() => boolean) | undefined;
  #draining = false;
  #onIdle: (() => void) | undefined;

  constructor(options: HttpOptions) {
    this.bridges = options.bridges;
    this.onlyBridge = options.bridges.size === 1 ? options.bridges.values().next().value : undefined;
    this.version = options.version;
    this.maxBodyBytes = options.maxBodyBytes ?? 1_048_576;
    this.allowedHosts = options.allowedHosts;
    this.allowAddresses = options.allowAddresses ?? false;
    this.allowedOrigins = options.allowedOrigins ?? new Set();
    this.authenticate = options.authenticate ?? anonymous;
    this.onProblem = options.onProblem ?? (() => undefined);
    this.onAnswered = options.onAnswered;
    this.watch = options.watch;
    this.#askDraining = options.draining;
  }

  /**
   * The edge of the ops port beside this one: it takes no calls, asks nobody who they are and counts for itself. Who scrapes
   * replicas asks each by its address, which DNS rebinding, always by a name, cannot.
   */
  forOps(): Edge {
    const { version, allowedHosts } = this;
    return new Edge({ bridges: new Map(), version, allowedHosts, allowAddresses: true });
  }

  /** True while this process is on its way out; calls are still taken. */
  get draining(): boolean {
    return this.#draining || this.#askDraining?.() === true;
  }

  /** Answers say goodbye from now on. Idempotent. */
  drain(): void {
    this.#draining = true;
  }

  /** Calls that have no answer yet. */
  get callsInFlight(): number {
    return this.#calls.size;
  }

  /** Remembers a call until `leave`, so that `abortAll` reaches it. */
  enter(exchange: Exchange, abort: Canceller): OngoingCall {
    const call = { exchange, abort, seat: -1 };
    this.#calls.join(call);
    return call;
  }

  leave(call: OngoingCall): void {
    this.#calls.leave(call);
    if (this.#calls.size === 0) this.#onIdle?.();
  }

  /** Calls `listener` whenever the last call in flight has ended; one listener, set once. */
  onIdle(listener: () => void): void {
    this.#onIdle = listener;
  }

  /** Ends every call in flight, keyed ones too; each is answered with what its path makes of `error`. */
  abortAll(error: BridgeError): void {
    for (const { abort, exchange } of this.#calls) {
      abort.abort(error);
      exchange.stopReading(error);
    }
  }

  /** Counts one answer; undefined where nobody was left to read it. */
  count(status: number | undefined): void {
    if (status === undefined) this.answers.gone += 1;
    else if (status < 400) this.answers['2xx'] += 1;
    else if (status < 500) this.answers['4xx'] += 1;
    else this.answers['5xx'] += 1;
  }
}
