import { type Family, labelsOf } from '#core/telemetry/families.ts';
import type { Series } from '#core/telemetry/histogram.ts';
import { prometheusLabel, prometheusName } from '#core/telemetry/instruments.ts';

/** Metrics in Prometheus' text format 0.0.4. */
export function prometheusText(families: readonly Family[]): string {
  return `${families.map(familyText).join('\n')}\n`;
}

function familyText({ instrument, samples }: Family): string {
  const name = prometheusName(instrument);
  const lines = [`# HELP ${name} ${instrument.help}`, `# TYPE ${name} ${instrument.kind}`];
  for (const sample of samples) {
    const labels = Object.entries(labelsOf(instrument, sample.values)).map(
      ([label, value]) => `${prometheusLabel(label)}="${escapeLabel(String(value))}"`,
    );
    if ('counts' in sample) pushBuckets(lines, name, labels, instrument.buckets ?? [], sample);
    else lines.push(`${name}${inBraces(labels)} ${sample.value}`);
  }
  return lines.join('\n');
}

function pushBuckets(
  lines: string[],
  name: string,
  labels: readonly string[],
  bounds: readonly number[],
  { counts, count, sum }: Series,
): void {
  let below = 0;
  for (const [i, bound] of bounds.entries()) {
    below += counts[i] as number;
    lines.push(`${name}_bucket${inBraces([...labels, `le="${bound}"`])} ${below}`);
  }
  lines.push(`${name}_bucket${inBraces([...labels, 'le="+Inf"'])} ${count}`);
  lines.push(`${name}_sum${inBraces(labels)} ${sum}`, `${name}_count${inBraces(labels)} ${count}`);
}

function inBraces(labels: readonly string[]): string {
  return labels.length === 0 ? '' : `{${labels.join(',')}}`;
}

/** Backslash, quote and newline, as the text format asks. */
function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
