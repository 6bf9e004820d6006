/** What the connection to a child has counted; summed over the workers of a bridge. */
export interface ChildStats {
  /** Lines on stdout that are no message. */
  readonly noiseLines: number;
  /** Lines over `maxLineBytes`, thrown away while they streamed in. */
  readonly oversizeLines: number;
  /** Answers to calls that had been given up. */
  readonly lateAnswers: number;
  /** Answers to ids that were never asked, or a second time. */
  readonly unknownAnswers: number;
  /** Requests of the child to us that were refused. */
  readonly refusedRequests: number;
  readonly stderrBytes: number;
  readonly stderrDroppedLines: number;
}

export const NO_CHILD_STATS = {
  noiseLines: 0,
  oversizeLines: 0,
  lateAnswers: 0,
  unknownAnswers: 0,
  refusedRequests: 0,
  stderrBytes: 0,
  stderrDroppedLines: 0,
} as const satisfies ChildStats;

/** The sum of two counts. */
export function addChildStats(a: ChildStats, b: ChildStats): ChildStats {
  return {
    noiseLines: a.noiseLines + b.noiseLines,
    oversizeLines: a.oversizeLines + b.oversizeLines,
    lateAnswers: a.lateAnswers + b.lateAnswers,
    unknownAnswers: a.unknownAnswers + b.unknownAnswers,
    refusedRequests: a.refusedRequests + b.refusedRequests,
    stderrBytes: a.stderrBytes + b.stderrBytes,
    stderrDroppedLines: a.stderrDroppedLines + b.stderrDroppedLines,
  };
}
