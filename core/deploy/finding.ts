/** `bad`: the fleet does not come up, or loses what it must keep. `warning`: it runs, and somebody should know. */
export type Verdict = 'good' | 'warning' | 'bad';

/** What one look at the machine or the fleet has found. */
export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly detail: string;
  /** What to do about it; undefined where nothing has to be done. */
  readonly mend: string | undefined;
}

export function good(check: string, detail: string): Finding {
  return { check, verdict: 'good', detail, mend: undefined };
}

export function warning(check: string, detail: string, mend: string): Finding {
  return { check, verdict: 'warning', detail, mend };
}

export function bad(check: string, detail: string, mend: string): Finding {
  return { check, verdict: 'bad', detail, mend };
}
