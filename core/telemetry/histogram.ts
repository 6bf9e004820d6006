import { OTHER } from '#core/telemetry/instruments.ts';

/** One combination of label values and what was measured for it. */
export interface Series {
  readonly values: readonly LabelValue[];
  /** How many fell into each bucket, not cumulated; one more than there are bounds. */
  readonly counts: Float64Array;
  count: number;
  sum: number;
}

/** `undefined`: the label is left out. */
export type LabelValue = string | number | undefined;

/** Label values lead to a series, one map for each label. */
interface Branch extends Map<LabelValue, Branch | Series> {}

/**
 * Counts values in buckets, for each combination of label values. Recording costs a map look-up for each label and no
 * allocation. Beyond `maxSeries` combinations everything new is counted as `_OTHER`, so that nobody outside can make it
 * grow.
 */
export class Histogram {
  readonly bounds: readonly number[];
  readonly #root: Branch = new Map();
  readonly #all: Series[] = [];
  readonly #maxSeries: number;
  #other: Series | undefined;

  constructor(bounds: readonly number[], maxSeries = 1_000) {
    this.bounds = bounds;
    this.#maxSeries = maxSeries;
  }

  get series(): readonly Series[] {
    return this.#all;
  }

  /** @param values one for each label, always as many */
  record(value: number, ...values: readonly LabelValue[]): void {
    const series = this.#find(values) ?? this.#add(values);
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    (series.counts[bucket] as number)++;
    series.count++;
    series.sum += value;
  }

  #find(values: readonly LabelValue[]): Series | undefined {
    let node: Branch | Series | undefined = this.#root;
    for (const label of values) {
      if (node === undefined) return undefined;
      node = (node as Branch).get(label);
    }
    return node as Series | undefined;
  }

  #add(values: readonly LabelValue[]): Series {
    if (this.#all.length >= this.#maxSeries) {
      this.#other ??= this.#create(values.map(() => OTHER));
      return this.#other;
    }
    const series = this.#create(values);
    let node = this.#root;
    for (const label of values.slice(0, -1)) {
      let next = node.get(label) as Branch | undefined;
      if (next === undefined) {
        next = new Map();
        node.set(label, next);
      }
      node = next;
    }
    node.set(values.at(-1), series);
    return series;
  }

  #create(values: readonly LabelValue[]): Series {
    const series: Series = { values, counts: new Float64Array(this.bounds.length + 1), count: 0, sum: 0 };
    this.#all.push(series);
    return series;
  }
}
