import type { Invoke, Policy } from '#core/call.ts';

/**
 * The order of the policies, outermost first, and why each stands where it does. Who may call (`authorize`) is asked
 * at the door, before a call is made of the request.
 */
export interface Policies {
  /** Around everything, so that what any other policy decided is written down. Undefined where nobody reads it. */
  readonly audit: Policy | undefined;
  /** Everything below it, stores, queue and second attempts included, shares one deadline. */
  readonly deadline: Policy;
  /** Before anything that costs: a caller over its quota takes no key, no record, no slot. */
  readonly rateLimit: Policy;
  /** Around whatever may run: a replay needs neither a worker nor a closed breaker. */
  readonly idempotency: Policy;
  /** Before any attempt: what is known need not be asked again. */
  readonly cache: Policy;
  /** Outside the breaker and the pool, so that each attempt is judged and takes a worker of its own. */
  readonly retry: Policy;
  /** Right before the pool: it sees every attempt, and nothing else. */
  readonly breaker: Policy;
}

/** Puts the policies around `dispatch`, in the one order there is. */
export function stack(policies: Policies, dispatch: Invoke): Invoke {
  const { audit, deadline, rateLimit, idempotency, cache, retry, breaker } = policies;
  return [audit, deadline, rateLimit, idempotency, cache, retry, breaker]
    .filter((policy) => policy !== undefined)
    .reduceRight((next, policy) => policy(next), dispatch);
}
