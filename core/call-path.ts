import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import type { CallMeter } from '#core/call-meter.ts';
import type { McpWorker } from '#core/child/mcp-worker.ts';
import { dispatch } from '#core/dispatch.ts';
import { BridgeError } from '#core/errors.ts';
import type { BreakerSettings } from '#core/manifest.ts';
import { audit } from '#core/policy/audit.ts';
import { Breaker, type BreakerEvent, type ToolCircuitStats } from '#core/policy/breaker.ts';
import { Cache, type CacheStats } from '#core/policy/cache.ts';
import { Deadline } from '#core/policy/deadline.ts';
import { Idempotency, type IdempotencyStats } from '#core/policy/idempotency.ts';
import { RateLimit, type RateLimitStats } from '#core/policy/rate-limit.ts';
import { Retry, type RetryStats } from '#core/policy/retry.ts';
import { stack } from '#core/policy/stack.ts';
import type { Pool } from '#core/pool/pool.ts';
import type { AuditLog } from '#core/store/audit-store.ts';
import type { PolicyStores } from '#core/store/open-stores.ts';

/** What each policy of a bridge has done since the start. */
export interface CallPathStats {
  /** Calls that passed validation, by outcome: `ok`, `tool_error`, `client_gone` or an error code. */
  readonly calls: Readonly<Record<string, number>>;
  readonly rateLimit: RateLimitStats;
  readonly idempotency: IdempotencyStats;
  readonly cache: CacheStats;
  readonly retries: RetryStats;
  /** Tools that have been called. */
  readonly breakers: readonly ToolCircuitStats[];
}

/** Of a bridge that takes no calls. */
export const NO_CALLS: CallPathStats = {
  calls: {},
  rateLimit: { principal: 0, tool: 0 },
  idempotency: {
    claims: { claimed: 0, in_flight: 0, lost: 0, done: 0, reused: 0 },
    replayed: 0,
    unavailable: 0,
    reconciled: { executed: 0, not_executed: 0, unknown: 0, failed: 0 },
    recorded: 0,
    recordedLate: 0,
    released: 0,
    orphaned: 0,
    dropped: 0,
    pending: 0,
    pendingBytes: 0,
  },
  cache: { hits: 0, misses: 0, joined: 0, bypassed: 0, stored: 0, tooLarge: 0 },
  retries: { r0: 0, r1: 0, overBudget: 0 },
  breakers: [],
};

export interface CallPathOptions {
  readonly pool: Pool<McpWorker>;
  readonly breaker: BreakerSettings;
  readonly stores: PolicyStores;
  /** Sets cached answers apart from those of namesakes that ask somebody else. */
  readonly cacheScope: string;
  readonly audit: AuditLog | undefined;
  readonly meter: CallMeter | undefined;
  readonly onBreaker: (event: BreakerEvent) => void;
}

/** The way of a bridge's calls from the edge to its workers: the policies in their order, around the pool. */
export class CallPath {
  readonly invoke: Invoke;
  readonly #calls: Record<string, number> = {};
  readonly #deadline = new Deadline();
  readonly #rateLimit: RateLimit;
  readonly #idempotency: Idempotency;
  readonly #cache: Cache;
  readonly #retry = new Retry();
  readonly #breaker: Breaker;

  constructor({ pool, breaker, stores, cacheScope, audit: log, meter, onBreaker }: CallPathOptions) {
    this.#rateLimit = new RateLimit(stores.rateLimits);
    this.#idempotency = new Idempotency(stores.idempotency);
    this.#cache = new Cache(stores.cache, { scope: cacheScope });
    this.#breaker = new Breaker(breaker, { on: onBreaker });
    const policies = {
      audit: log === undefined ? undefined : audit(log),
      deadline: this.#deadline.policy,
      rateLimit: this.#rateLimit.policy,
      idempotency: this.#idempotency.policy,
      cache: this.#cache.policy,
      retry: this.#retry.policy,
      breaker: this.#breaker.policy,
    };
    this.invoke = this.#tally(stack(policies, dispatch(pool, meter)));
  }

  stats(): CallPathStats {
    return {
      calls: { ...this.#calls },
      rateLimit: this.#rateLimit.stats,
      idempotency: this.#idempotency.stats,
      cache: this.#cache.stats,
      retries: this.#retry.stats,
      breakers: this.#breaker.stats(),
    };
  }

  /** Sets what is cached from now on apart from what was cached before. */
  rescopeCache(scope: string): void {
    this.#cache.rescope(scope);
  }

  /** Records what is still to be recorded, for at most half a second, and ends all timers. Idempotent. */
  async close(): Promise<void> {
    this.#breaker.close();
    await this.#idempotency.close();
    this.#deadline.close();
  }

  /** Counts outcomes around the whole path, so that every ending is one number somewhere. */
  #tally(next: Invoke): Invoke {
    const calls = this.#calls;
    const count = (outcome: string): void => {
      calls[outcome] = (calls[outcome] ?? 0) + 1;
    };
    return function tallied(call: ToolCall): Promise<ToolResult> {
      const answer = next(call);
      answer.then(
        ({ isError }) => count(isError ? 'tool_error' : 'ok'),
        (error: unknown) => {
          if (error instanceof BridgeError) count(error.code);
          else count(call.abort.signal.aborted ? 'client_gone' : 'internal');
        },
      );
      return answer;
    };
  }
}
