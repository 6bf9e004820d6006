import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What a process knows of itself. */
export interface ProcessFigures {
  readonly rssBytes: number;
  readonly cpuSeconds: number;
  /** Undefined where the system does not tell. */
  readonly openFds: number | undefined;
  /** How late the event loop was, in seconds, by quantile. */
  readonly eventLoopDelay: Readonly<Record<'0.5' | '0.99' | '1', number>>;
}

/** How often the delay is looked at: a timer of libuv that wakes no JavaScript, below 0.01 % of a processor. */
const RESOLUTION_MS = 20;
/** The delay is told of at least this long, whoever asks how often. */
const WINDOW_MS = 10_000;

/** Reads what a process knows of itself; the delay of the event loop is watched from its construction on. */
export class ProcessProbe implements Disposable {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #sinceMs = performance.now();
  #told: ProcessFigures['eventLoopDelay'] = { '0.5': 0, '0.99': 0, '1': 0 };

  constructor() {
    this.#delay.enable();
  }

  read(): ProcessFigures {
    const { user, system } = process.cpuUsage();
    return {
      rssBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      openFds: openFds(),
      eventLoopDelay: this.#eventLoopDelay(),
    };
  }

  [Symbol.dispose](): void {
    this.#delay.disable();
  }

  /** Of the last full window, or of what there is of the first one. */
  #eventLoopDelay(): ProcessFigures['eventLoopDelay'] {
    const now = performance.now();
    const delay = this.#delay;
    if (delay.count === 0) return this.#told;
    this.#told = {
      '0.5': late(delay.percentile(50)),
      '0.99': late(delay.percentile(99)),
      '1': late(delay.max),
    };
    if (now - this.#sinceMs >= WINDOW_MS) {
      this.#sinceMs = now;
      delay.reset();
    }
    return this.#told;
  }
}

/** What is measured is the distance of two looks, in nanoseconds. */
function late(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
}

function openFds(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
