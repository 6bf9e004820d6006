/** Who calls, once the credential has been checked; what a principal is allowed may change between two calls. */
export interface Principal {
  /** Stands in logs and the audit, and scopes idempotency records, cached answers and quotas. */
  readonly id: string;
  /** Calls a minute over all tools and replicas; undefined: no quota. */
  readonly ratePerMinute: number | undefined;
  /** Whether this tool may be called. Asked before it is known whether the tool exists. */
  mayCall(bridge: string, tool: string): boolean;
  /** Whether any tool of this bridge might be called: whether the bridge is shown at all. */
  mayUse(bridge: string): boolean;
}

/** Everybody, where authentication is off. */
export function anonymousPrincipal(ratePerMinute?: number): Principal {
  return { id: 'anonymous', ratePerMinute, mayCall: () => true, mayUse: () => true };
}
