import { expect, test } from 'vitest';
import { Histogram } from '#core/telemetry/histogram.ts';
import { OTHER } from '#core/telemetry/instruments.ts';

test('a value falls into the first bucket whose bound it does not exceed', () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [0, 1, 1.5, 2, 3]) histogram.record(value, 'a');
  const [series] = histogram.series;
  expect([...(series?.counts ?? [])]).toEqual([2, 2, 1]);
  expect(series).toMatchObject({ count: 5, sum: 7.5, values: ['a'] });
});

test('each combination of labels is a series, a label without a value included', () => {
  const histogram = new Histogram([1]);
  histogram.record(1, 'a', undefined);
  histogram.record(1, 'a', 'x');
  histogram.record(1, 'a', undefined);
  expect(histogram.series.map(({ values, count }) => [values, count])).toEqual([
    [['a', undefined], 2],
    [['a', 'x'], 1],
  ]);
});

test('10 000 combinations are a bounded number of series, and no value is lost', () => {
  const histogram = new Histogram([1], 100);
  for (let i = 0; i < 10_000; i++) histogram.record(1, `tool-${i}`, 'b');
  histogram.record(1, 'tool-0', 'b');
  expect(histogram.series).toHaveLength(101);
  expect(histogram.series.at(-1)).toMatchObject({ values: [OTHER, OTHER], count: 9_900 });
  expect(histogram.series[0]?.count).toBe(2);
});
