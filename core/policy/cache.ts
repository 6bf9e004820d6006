import type { Invoke, Policy, ToolCall, ToolResult } from '#core/call.ts';
import { cacheKey } from '#core/policy/cache-key.ts';
import { Flight } from '#core/policy/flight.ts';
import type { CachedAnswer, CacheStore } from '#core/store/cache-store.ts';

/** What became of calls to tools that may be cached. */
export interface CacheStats {
  /** Answered with what was kept. */
  readonly hits: number;
  /** Nothing was kept, so it was executed. */
  readonly misses: number;
  /** Waited for what another call had already asked for. */
  readonly joined: number;
  /** Asked for an answer that is not from the cache, and were executed. */
  readonly bypassed: number;
  /** Answers handed to the store. */
  readonly stored: number;
  /** Answers that were too large for it. */
  readonly tooLarge: number;
}

export interface CacheOptions {
  /** What sets the answers of this bridge apart from those of its namesakes that use the same store. */
  readonly scope?: string;
}

/**
 * Answers calls of `read` tools with `cacheTtlMs` from what an earlier call of the same principal got: never an error,
 * never an `isError` result, never one of a tool whose definition has changed since. A call that only looks what became
 * of an earlier one passes by.
 *
 * Calls that ask for the same at the same time are executed once, see {@link Flight}; the one that opens a flight is
 * a miss and the others have its answer, which is not from the cache. A `fresh` call neither looks into the store nor
 * joins others, as what they wait for may have begun before it; it is executed by itself and its answer is kept. Of
 * several executions the one that began last has the say about what is kept.
 */
export class Cache {
  readonly #store: CacheStore;
  #scope: string;
  /** By key: the flight that may be joined. */
  readonly #flights = new Map<string, Flight>();
  /** By key: the execution that began last, while it lasts. */
  readonly #newest = new Map<string, ToolCall>();
  #hits = 0;
  #misses = 0;
  #joined = 0;
  #bypassed = 0;
  #stored = 0;
  #tooLarge = 0;

  constructor(store: CacheStore, { scope = '' }: CacheOptions = {}) {
    this.#store = store;
    this.#scope = scope;
  }

  get stats(): CacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      joined: this.#joined,
      bypassed: this.#bypassed,
      stored: this.#stored,
      tooLarge: this.#tooLarge,
    };
  }

  /** Another scope from now on: nobody joins what is in flight, nor is it kept, since nobody knows whom it asked. */
  rescope(scope: string): void {
    this.#scope = scope;
    this.#flights.clear();
    this.#newest.clear();
  }

  readonly policy: Policy = (next) => (call) =>
    call.policy.cacheTtlMs > 0 && call.effect === 'read' && call.looksOnly === undefined
      ? this.#answer(next, call)
      : next(call);

  async #answer(next: Invoke, call: ToolCall): Promise<ToolResult> {
    call.abort.signal.throwIfAborted();
    const key = cacheKey(call, this.#scope);
    if (call.fresh) {
      this.#bypassed++;
      // Whoever comes now must not be told what is older than this call's answer.
      this.#flights.delete(key);
      return this.#execute(next, call, key);
    }
    const flight = this.#flights.get(key);
    if (flight !== undefined) {
      this.#joined++;
      return flight.join(call);
    }
    const kept = this.#store.get(key);
    if (!(kept instanceof Promise) && isCurrent(kept, call)) {
      this.#hits++;
      call.report.source = 'cache';
      call.report.ageMs = kept.ageMs;
      return resultOf(kept);
    }
    return this.#open(next, call, key, kept);
  }

  /** The flight may be joined from now on: whoever comes while the store is asked need not ask it again. */
  #open(next: Invoke, call: ToolCall, key: string, kept: ReturnType<CacheStore['get']>): Promise<ToolResult> {
    const flight = new Flight(
      (attempt) => this.#execute(next, attempt, key),
      (landed) => {
        if (this.#flights.get(key) === landed) this.#flights.delete(key);
      },
    );
    this.#flights.set(key, flight);
    const answer = flight.join(call);
    if (kept instanceof Promise) void this.#lookUp(flight, call, kept);
    else this.#missed(flight);
    return answer;
  }

  async #lookUp(flight: Flight, call: ToolCall, lookup: Promise<CachedAnswer | undefined>): Promise<void> {
    const kept = await lookup;
    if (isCurrent(kept, call)) {
      this.#hits++;
      flight.land(resultOf(kept), { source: 'cache', ageMs: kept.ageMs });
    } else this.#missed(flight);
  }

  #missed(flight: Flight): void {
    this.#misses++;
    void flight.fly();
  }

  async #execute(next: Invoke, call: ToolCall, key: string): Promise<ToolResult> {
    this.#newest.set(key, call);
    try {
      const result = await next(call);
      if (this.#newest.get(key) === call) this.#keep(key, call, result);
      return result;
    } finally {
      if (this.#newest.get(key) === call) this.#newest.delete(key);
    }
  }

  #keep(key: string, { policy }: ToolCall, { body, length, isError }: ToolResult): void {
    if (isError) return;
    if (length > this.#store.maxAnswerBytes) {
      this.#tooLarge++;
      return;
    }
    this.#stored++;
    void this.#store.set(key, body, policy.cacheTtlMs);
  }
}

/** A shared store may still hold what was kept while the operator allowed a longer life. */
function isCurrent(kept: CachedAnswer | undefined, { policy }: ToolCall): kept is CachedAnswer {
  return kept !== undefined && kept.ageMs < policy.cacheTtlMs;
}

function resultOf({ body }: CachedAnswer): ToolResult {
  return { body: [body], length: body.length, isError: false };
}
