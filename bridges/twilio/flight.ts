/** One request to Twilio, as far as it came: what an error of it means depends on that. */
export interface Flight {
  /** The call's own end, and the request's time-out. */
  readonly signal: AbortSignal;
  /** Of the call, for a header of this name. */
  readonly traceparent: string | undefined;
  /** Some of it may have left this process. */
  sent: boolean;
  /** Of the answer, once it is there. */
  status: number | undefined;
  /** Twilio wants to be left alone for this long. */
  retryAfterMs: number | undefined;
}

/** A request that has not begun. */
export function newFlight(signal: AbortSignal, traceparent?: string): Flight {
  return { signal, traceparent, sent: false, status: undefined, retryAfterMs: undefined };
}
