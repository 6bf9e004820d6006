/** Whoever listens for the one `abort` there is. */
export type CancelListener = (() => void) | { handleEvent(): void };

/** As much of an `AbortSignal` as the way of a call needs; every `AbortSignal` is one. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  /** @throws the reason */
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: CancelListener): void;
  removeEventListener(type: 'abort', listener: CancelListener): void;
}

/** As much of an `AbortController`. */
export interface Canceller {
  readonly signal: CancelSignal;
  abort(reason: unknown): void;
}

/**
 * The cancellation of one call: controller and signal in one object, with the meaning of the platform's, which cost a call
 * two objects, a map and an event target before anybody listens. Listeners are told once, in the order in which they came,
 * and must not throw; who comes after the abort is told nothing and has to look at `aborted`.
 */
export class Cancellation implements Canceller, CancelSignal {
  #aborted = false;
  #reason: unknown;
  #listeners: CancelListener[] | undefined;

  get signal(): CancelSignal {
    return this;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  addEventListener(_type: 'abort', listener: CancelListener): void {
    if (this.#listeners === undefined) this.#listeners = [listener];
    else if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: CancelListener): void {
    const listeners = this.#listeners;
    if (listeners === undefined) return;
    const at = listeners.indexOf(listener);
    if (at !== -1) listeners.splice(at, 1);
  }

  /** Tells all who listen. The first reason counts. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    // Over a copy: most of them stop listening when they are told, and some make others stop.
    for (const listener of [...(this.#listeners ?? [])]) {
      if (!this.#listeners?.includes(listener)) continue;
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
    }
  }
}

/** Waits for `work`, but no longer than until the signal is aborted; the work goes on. @throws the signal's reason, and whatever the work throws */
export function unlessAborted<T>(work: Promise<T>, signal: CancelSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
