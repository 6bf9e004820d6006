import type { MetricSample } from '#core/fleet-status/metrics-text.ts';

/** A quantile out of buckets: all that is known of one in the first bucket is that it is below its bound. */
export interface Latency {
  readonly seconds: number;
  readonly is: 'about' | 'below' | 'above';
}

/** Counts by upper bound in seconds, each bucket by itself; the last bound is infinite. */
export type Buckets = ReadonlyMap<number, number>;

/** The `_bucket` samples of a histogram, summed over all labels but `le`. */
export function bucketsOf(samples: readonly MetricSample[]): Buckets {
  const cumulative = new Map<number, number>();
  for (const { labels, value } of samples) {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    if (!Number.isNaN(bound)) cumulative.set(bound, (cumulative.get(bound) ?? 0) + value);
  }
  const sorted = [...cumulative].sort(([a], [b]) => a - b);
  return new Map(sorted.map(([bound, count], i) => [bound, count - (sorted[i - 1]?.[1] ?? 0)]));
}

/** What came between two looks at the same buckets. */
export function bucketsSince(now: Buckets, before: Buckets): Buckets {
  return new Map([...now].map(([bound, count]) => [bound, Math.max(0, count - (before.get(bound) ?? 0))]));
}

/** Those of several replicas together. */
export function bucketsTogether(all: readonly Buckets[]): Buckets {
  const sum = new Map<number, number>();
  for (const buckets of all) for (const [bound, count] of buckets) sum.set(bound, (sum.get(bound) ?? 0) + count);
  return new Map([...sum].sort(([a], [b]) => a - b));
}

/**
 * The quantile `q` (0 to 1), linear within its bucket as Prometheus computes it; undefined where nothing was counted. In
 * the first bucket it is `below` its bound, in the last one `above` the greatest finite one.
 */
export function quantile(q: number, buckets: Buckets): Latency | undefined {
  const total = [...buckets.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = q * total;
  let below = 0;
  let lower: number | undefined;
  for (const [bound, count] of buckets) {
    if (below + count >= rank && count > 0) {
      if (bound === Number.POSITIVE_INFINITY) return { seconds: lower ?? 0, is: 'above' };
      if (lower === undefined) return { seconds: bound, is: 'below' };
      return { seconds: lower + ((bound - lower) * (rank - below)) / count, is: 'about' };
    }
    below += count;
    lower = bound;
  }
  return { seconds: lower ?? 0, is: 'above' };
}
