import { styleText } from 'node:util';
import { escapeUnprintable } from '#core/telemetry/bounded.ts';

const COLOURS = { debug: 'dim', info: 'cyan', warn: 'yellow', error: 'red' } as const;

/**
 * One JSON line for a person at a terminal: time of day, level where it is not `info`, message, and the fields as
 * `name=value`. Values stay JSON, so control characters stay escaped and a line stays one line.
 */
export function prettyLine(json: string, colours: boolean): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const name = typeof level === 'string' && Object.hasOwn(COLOURS, level) ? (level as keyof typeof COLOURS) : 'info';
  const paint = (format: (typeof COLOURS)[keyof typeof COLOURS], text: string): string =>
    colours ? styleText(format, text, { validateStream: false }) : text;
  const parts = [paint('dim', String(time).slice(11, 19))];
  if (name !== 'info') parts.push(paint(COLOURS[name], name));
  parts.push(bare(String(msg)));
  for (const [key, value] of Object.entries(fields)) parts.push(paint('dim', `${bare(key)}=`) + shown(value));
  return `${parts.join(' ')}\n`;
}

/** JSON without its quotes: escapes stay. */
function bare(text: string): string {
  return escaped(text).slice(1, -1);
}

function shown(value: unknown): string {
  if (typeof value !== 'string') return escaped(value);
  return /^[\w./:@+%-]{1,200}$/.test(value) ? value : escaped(value);
}

function escaped(value: unknown): string {
  return escapeUnprintable(JSON.stringify(value));
}
