import { stripVTControlCharacters } from 'node:util';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
/** What is between them a terminal shows at once (DEC 2026); those that do not know them ignore them. */
const TOGETHER = ['\u001b[?2026h', '\u001b[?2026l'] as const;
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const RESET = '\u001b[0m';

/** The part of a terminal that the screen needs. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

/** A table that is drawn over itself on the terminal's second screen: what was there before comes back afterwards. */
export class StatusScreen implements Disposable {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.write(ENTER);
  }

  /** One write, over what is there: nothing is cleared first, so nothing flickers. What does not fit is cut off. */
  draw(lines: readonly string[]): void {
    // A terminal that does not know its size says 0.
    const columns = this.#terminal.columns || 80;
    const shown = lines.slice(0, this.#terminal.rows || 24).map((line) => `${clipped(line, columns)}${CLEAR_LINE}`);
    this.#terminal.write(`${TOGETHER[0]}${HOME}${shown.join('\r\n')}${CLEAR_BELOW}${TOGETHER[1]}`);
  }

  [Symbol.dispose](): void {
    this.#terminal.write(LEAVE);
  }
}

/** The first `width` characters of a line with colours. */
export function clipped(line: string, width: number): string {
  if (stripVTControlCharacters(line).length <= width) return line;
  let text = '';
  let length = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
  for (const [piece] of line.matchAll(/\u001b\[[0-9;]*m|[^\u001b]/g)) {
    if (piece.length === 1 && length++ >= width) break;
    text += piece;
  }
  return text + RESET;
}
