import type { AuditRecord } from '#core/store/postgres-audit-reader.ts';
import { escapeUnprintable } from '#core/telemetry/bounded.ts';

/** How rows of the audit are written: for a person, for `cut` and `grep`, or for `jq`. */
export type AuditFormat = 'table' | 'tabs' | 'json';

const TITLES = ['TIME', 'PRINCIPAL', 'TOOL', 'EFFECT', 'OUTCOME', 'EXECUTED', 'TRIES', 'MS', 'REPLAYED', 'REQUEST'];
/** Columns of numbers stand at the right. */
const AT_THE_RIGHT: ReadonlySet<string> = new Set(['TRIES', 'MS']);
/** Beyond it a value is not allowed to move the columns after it. */
const MAX_WIDTH = 40;

/** Turns rows into lines. The columns of a table stay as wide as they once had to be. */
export class AuditTable {
  readonly #format: AuditFormat;
  readonly #widths: number[] = TITLES.map((title) => title.length);
  #headed = false;

  constructor(format: AuditFormat) {
    this.#format = format;
  }

  /** Each line ends with a line break; a table starts with its titles. Control characters are escaped throughout. */
  lines(records: readonly AuditRecord[]): string {
    if (this.#format === 'json') return joined(records.map((record) => escapeUnprintable(JSON.stringify(record))));
    const rows = records.map((record) => cellsOf(record).map(printable));
    if (this.#format === 'tabs') return joined(rows.map((row) => row.join('\t')));
    for (const row of rows) {
      for (const [i, cell] of row.entries()) {
        this.#widths[i] = Math.max(this.#widths[i] ?? 0, Math.min(cell.length, MAX_WIDTH));
      }
    }
    const titled = this.#headed ? rows : [TITLES, ...rows];
    this.#headed = true;
    return joined(titled.map((row) => this.#aligned(row)));
  }

  #aligned(row: readonly string[]): string {
    const cells = row.map((cell, i) => {
      const width = this.#widths[i] ?? 0;
      return AT_THE_RIGHT.has(TITLES[i] ?? '') ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join('  ').trimEnd();
  }
}

function cellsOf(record: AuditRecord): readonly string[] {
  const { at, principal, bridge, tool, effect, outcome, executed, attempts, durationMs, replayed, requestId } = record;
  const missing = record.dropped === null ? undefined : `(${record.dropped} rows missing)`;
  return [
    at.toISOString(),
    principal ?? '-',
    missing ?? `${bridge ?? '-'}/${tool ?? '-'}`,
    effect ?? '-',
    outcome,
    executed ?? '-',
    attempts === null ? '-' : String(attempts),
    durationMs === null ? '-' : durationMs.toFixed(1),
    replayed === null ? '-' : replayed ? 'yes' : 'no',
    requestId ?? '-',
  ];
}

/** A text in which nothing can move the cursor, colour the terminal, turn the direction or be taken for a column's end. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return escapeUnprintable(text.replace(/[\u0000-\u001f\\]/g, escaped));
}

function escaped(character: string): string {
  return character === '\\' ? '\\\\' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
