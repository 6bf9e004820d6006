import type { Spread } from '../statistics.ts';

/** A number as wide as its size deserves; a dash where there is none. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  if (Math.abs(value) >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** The middle with its ends. */
export function range(value: Spread | undefined): string {
  return value === undefined ? '–' : `${figure(value.median)} [${figure(value.min)}–${figure(value.max)}]`;
}

/** A Markdown table; the first column to the left, the others to the right unless told otherwise. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], align = '---:'): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : align))), ...rows.map(line)].join('\n');
}
