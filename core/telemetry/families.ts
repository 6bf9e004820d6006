import type { LabelValue, Series } from '#core/telemetry/histogram.ts';
import { INSTRUMENTS, type Instrument, type InstrumentName } from '#core/telemetry/instruments.ts';

/** A number and the labels it belongs to, in the order of the instrument's. */
export interface Sample {
  readonly values: readonly LabelValue[];
  readonly value: number;
}

/** A metric as it is now. */
export type Family =
  | {
      readonly instrument: Instrument & { readonly kind: 'counter' | 'gauge' };
      readonly samples: readonly Sample[];
    }
  | {
      readonly instrument: Instrument & { readonly kind: 'histogram' };
      readonly samples: readonly Series[];
    };

/** The metric called `name` with its numbers. */
export function numbers(name: InstrumentName, samples: readonly Sample[]): Family {
  return { instrument: INSTRUMENTS[name] as Family['instrument'], samples } as Family;
}

/** The histogram called `name` with its series. */
export function distribution(name: InstrumentName, samples: readonly Series[]): Family {
  return { instrument: INSTRUMENTS[name] as Family['instrument'], samples } as Family;
}

/** Labels by their attributes' names; those without a value are left out. */
export function labelsOf({ labels }: Instrument, values: readonly LabelValue[]): Record<string, string | number> {
  const named: Record<string, string | number> = {};
  for (const [i, label] of labels.entries()) {
    const value = values[i];
    if (value !== undefined) named[label] = value;
  }
  return named;
}
