import { describe, expect, it } from 'vitest';
import { type Buckets, bucketsOf, bucketsSince, bucketsTogether, quantile } from '#core/fleet-status/latency.ts';
import { samplesOf } from '#core/fleet-status/metrics-text.ts';

const INF = Number.POSITIVE_INFINITY;

function buckets(...counts: readonly (readonly [number, number])[]): Buckets {
  return new Map(counts);
}

describe('a quantile', () => {
  it('is linear within its bucket, as Prometheus computes it', () => {
    const hundred = buckets([0.1, 50], [0.2, 40], [0.4, 10], [INF, 0]);
    expect(quantile(0.9, hundred)).toEqual({ seconds: 0.2, is: 'about' });
    expect(quantile(0.7, hundred)?.seconds).toBeCloseTo(0.15);
    expect(quantile(0.99, hundred)?.seconds).toBeCloseTo(0.38);
  });

  it('is only known to be below the first bound, and above the last', () => {
    expect(quantile(0.5, buckets([0.005, 10], [0.01, 0], [INF, 0]))).toEqual({ seconds: 0.005, is: 'below' });
    expect(quantile(0.99, buckets([0.005, 10], [10, 0], [INF, 5]))).toEqual({ seconds: 10, is: 'above' });
  });

  it('skips buckets that nothing fell into', () => {
    expect(quantile(1, buckets([0.1, 0], [0.2, 0], [0.4, 4], [INF, 0]))).toEqual({ seconds: 0.4, is: 'about' });
  });

  it('of nothing is not known', () => {
    expect(quantile(0.5, buckets([0.1, 0], [INF, 0]))).toBeUndefined();
    expect(quantile(0.5, new Map())).toBeUndefined();
  });
});

describe('buckets', () => {
  const text = [
    '# TYPE d histogram',
    'd_bucket{bridge="a",status="200",le="0.1"} 3',
    'd_bucket{bridge="a",status="200",le="1"} 5',
    'd_bucket{bridge="a",status="200",le="+Inf"} 6',
    'd_bucket{bridge="a",status="502",le="0.1"} 1',
    'd_bucket{bridge="a",status="502",le="1"} 1',
    'd_bucket{bridge="a",status="502",le="+Inf"} 1',
    'other_bucket{le="0.1"} 9',
    'd_bucket broken {',
    '',
  ].join('\n');

  it('are read out of Prometheus text, summed over all labels but le', () => {
    const samples = samplesOf(text, new Set(['d_bucket']));
    expect([...samples.keys()]).toEqual(['d_bucket']);
    expect([...bucketsOf(samples.get('d_bucket') ?? [])]).toEqual([
      [0.1, 4],
      [1, 2],
      [INF, 1],
    ]);
  });

  it('of two looks make those of the time between; a bound that is new counts from nothing', () => {
    const now = buckets([0.1, 5], [1, 7], [INF, 1]);
    expect([...bucketsSince(now, buckets([0.1, 2], [INF, 1]))]).toEqual([
      [0.1, 3],
      [1, 7],
      [INF, 0],
    ]);
  });

  it('of several replicas are put together in the order of their bounds', () => {
    expect([...bucketsTogether([buckets([1, 1], [INF, 1]), buckets([0.1, 2], [1, 2])]).entries()]).toEqual([
      [0.1, 2],
      [1, 3],
      [INF, 1],
    ]);
  });
});

it('labels of Prometheus text may hold quotes, braces, commas and line breaks', () => {
  const samples = samplesOf('m{a="x\\"}, y\\\\",b="1\\n2"} 7 1700000000\nm 8', new Set(['m']));
  expect(samples.get('m')).toEqual([
    { labels: { a: 'x"}, y\\', b: '1\n2' }, value: 7 },
    { labels: {}, value: 8 },
  ]);
});
