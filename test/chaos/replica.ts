import type { Answer, Fleet, RequestOptions } from '../support/fleet.ts';

/** A span of `performance.now()` in which a replica was told to end, ended and was started again. */
interface Outage {
  readonly fromMs: number;
  toMs: number;
}

/** One of the processes that callers know by its number: whoever stops it starts another in its place. */
export class Replica implements AsyncDisposable {
  readonly #start: () => Promise<Fleet>;
  readonly #outages: Outage[] = [];
  #fleet: Fleet | undefined;
  #calls = new Set<Promise<unknown>>();

  private constructor(start: () => Promise<Fleet>) {
    this.#start = start;
  }

  static async start(start: () => Promise<Fleet>): Promise<Replica> {
    const replica = new Replica(start);
    replica.#fleet = await start();
    return replica;
  }

  /** The process; undefined while there is none. */
  get fleet(): Fleet | undefined {
    return this.#fleet;
  }

  /** Calls it. @throws Error where there is no process, or its end broke the connection */
  async call(tool: string, args: Readonly<Record<string, unknown>>, options: RequestOptions): Promise<Answer> {
    if (this.#fleet === undefined) throw new Error('no process');
    const calls = this.#calls;
    const call = this.#fleet.call(tool, args, options);
    const ended: Promise<unknown> = call.then(
      () => calls.delete(ended),
      () => calls.delete(ended),
    );
    calls.add(ended);
    return call;
  }

  /** Whether it was ending, gone or starting at some time since then. */
  wasAwaySince(sinceMs: number): boolean {
    return this.#outages.some(({ toMs }) => toMs >= sinceMs);
  }

  /** Ends it with this signal, and starts another after `restMs`. */
  async restart(signal: 'SIGTERM' | 'SIGKILL', rest: () => Promise<unknown>): Promise<void> {
    const fleet = this.#fleet;
    if (fleet === undefined) throw new Error('it has been stopped already');
    const outage: Outage = { fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
    this.#outages.push(outage);
    const ending = fleet.stop(signal);
    // One that is told to finish still takes calls; one that was killed does not, and nobody should wait for it.
    if (signal === 'SIGKILL') this.#fleet = undefined;
    await ending;
    this.#fleet = undefined;
    await this.#leave(fleet);
    await rest();
    this.#fleet = await this.#start();
    outage.toMs = performance.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const fleet = this.#fleet;
    this.#fleet = undefined;
    await fleet?.stop('SIGTERM');
    if (fleet !== undefined) await this.#leave(fleet);
  }

  /** Every answer that it has sent is read before its connections are closed. */
  async #leave(fleet: Fleet): Promise<void> {
    const calls = this.#calls;
    this.#calls = new Set();
    await Promise.all(calls);
    await fleet[Symbol.asyncDispose]();
  }
}
