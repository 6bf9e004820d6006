import type { Invoke, Policy, Quota, ToolCall, ToolResult } from '#core/call.ts';
import { unlessAborted } from '#core/cancellation.ts';
import { BridgeError } from '#core/errors.ts';
import type { Limit, RateLimitStore, Taken } from '#core/store/rate-limit-store.ts';

/** Calls refused since the start, by the quota that was used up. */
export interface RateLimitStats {
  readonly principal: number;
  readonly tool: number;
}

/**
 * Holds each principal to its quota over all tools of all bridges, and to a tool's own where the manifest gives it one.
 * A call is counted against both or against none: who is refused by one quota loses nothing of the other. The tighter
 * one stands in `call.report.quota`, on a refusal too. Nothing happens to a call that no quota concerns.
 *
 * @throws BridgeError `rate_limited`, executed `no`, `retryAfterMs` until the quota is full again
 */
export class RateLimit {
  readonly #store: RateLimitStore;
  #principal = 0;
  #tool = 0;

  /** @param store shared by all bridges of the process, since a principal's quota is */
  constructor(store: RateLimitStore) {
    this.#store = store;
  }

  get stats(): RateLimitStats {
    return { principal: this.#principal, tool: this.#tool };
  }

  readonly policy: Policy = (next) => (call) => {
    const perMinute = call.principal.ratePerMinute;
    if (perMinute === undefined && call.policy.ratePerMinute === 0) return next(call);
    const taken = this.#take(call, perMinute);
    return taken instanceof Promise ? this.#goOnLater(taken, call, next) : this.#goOn(taken, call, next);
  };

  #take(call: ToolCall, perMinute: number | undefined): Taken | Promise<Taken> {
    if (perMinute === undefined) return this.#store.take(toolLimit(call));
    const limit: Limit = { name: 'principal', key: call.principal.id, perMinute };
    return call.policy.ratePerMinute === 0 ? this.#store.take(limit) : this.#store.take(limit, toolLimit(call));
  }

  async #goOnLater(taking: Promise<Taken>, call: ToolCall, next: Invoke): Promise<ToolResult> {
    // A store that is slow to say that it is away must not hold a call beyond its deadline.
    return this.#goOn(await unlessAborted(taking, call.abort.signal), call, next);
  }

  #goOn({ allowed, quota }: Taken, call: ToolCall, next: Invoke): Promise<ToolResult> {
    call.report.quota = quota;
    if (allowed) return next(call);
    if (quota.name === 'tool') this.#tool++;
    else this.#principal++;
    return Promise.reject(overQuota(quota));
  }
}

/** Names of bridges and tools hold no colon, so that the id, which may hold anything, can stand at the end. */
function toolLimit({ bridge, tool, principal, policy }: ToolCall): Limit {
  return { name: 'tool', key: `${bridge}:${tool}:${principal.id}`, perMinute: policy.ratePerMinute };
}

function overQuota({ name, perMinute, resetMs }: Quota): BridgeError {
  const of = name === 'tool' ? 'calls of this tool' : 'calls';
  const seconds = Math.ceil(resetMs / 1000);
  return new BridgeError(
    'rate_limited',
    `this caller's quota of ${of} is used up (${perMinute} in 60 s); the next window starts in ${seconds} s, call again then`,
    { retryAfterMs: resetMs },
  );
}
