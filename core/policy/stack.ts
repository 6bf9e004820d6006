import type { Invoke, Policy } from '#core/call.ts';

/**
 * The order of the policies, outermost first, and why each stands where it does:
 *
 * - deadline: everything below it, queueing and second attempts included, shares one deadline;
 * - retry: inside the deadline, outside the pool, so that each attempt takes a worker of its own.
 */
export interface Policies {
  readonly deadline: Policy;
  readonly retry: Policy;
}

/** Puts the policies around `dispatch`, in the one order there is. */
export function stack(policies: Policies, dispatch: Invoke): Invoke {
  return [policies.deadline, policies.retry].reduceRight((next, policy) => policy(next), dispatch);
}
