/** One line of Prometheus text. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of the named metrics in a text of format 0.0.4. What cannot be read is left out. */
export function samplesOf(text: string, names: ReadonlySet<string>): Map<string, MetricSample[]> {
  const samples = new Map<string, MetricSample[]>();
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const [, name = '', labelText = '', value = ''] = LINE.exec(line) ?? [];
    if (!names.has(name)) continue;
    const labels = Object.fromEntries(
      Array.from(labelText.matchAll(LABEL), ([, label = '', escaped = '']) => [label, unescaped(escaped)]),
    );
    const list = samples.get(name);
    if (list === undefined) samples.set(name, [{ labels, value: numberFrom(value) }]);
    else list.push({ labels, value: numberFrom(value) });
  }
  return samples;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

/** As the format spells numbers: `+Inf` and `-Inf` are not JavaScript's. */
function numberFrom(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}
