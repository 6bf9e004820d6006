import { ToolError } from '../../core/server-kit/tool-error.ts';

/** What may begin a statement that reads. */
const READING = new Set(['select', 'with', 'values', 'table', 'show', 'explain']);
/** What may begin a statement that changes rows. */
const WRITING = new Set(['insert', 'update', 'delete', 'merge', 'with']);

/** The first word after white space, comments (which nest) and opening brackets; lower case, `''` without one. */
export function firstWord(sql: string): string {
  let at = 0;
  while (at < sql.length) {
    if (sql.startsWith('--', at)) {
      const end = sql.slice(at).search(/[\r\n]/);
      if (end < 0) return '';
      at += end + 1;
    } else if (sql.startsWith('/*', at)) {
      let depth = 1;
      at += 2;
      while (at < sql.length && depth > 0) {
        if (sql.startsWith('/*', at)) {
          depth += 1;
          at += 2;
        } else if (sql.startsWith('*/', at)) {
          depth -= 1;
          at += 2;
        } else at += 1;
      }
    } else if (/[\s(]/.test(sql[at] ?? '')) at += 1;
    else break;
  }
  return /^[a-z_]+/i.exec(sql.slice(at))?.[0].toLowerCase() ?? '';
}

function refuse(kinds: ReadonlySet<string>, word: string): never {
  const allowed = [...kinds].map((kind) => kind.toUpperCase()).join(', ');
  throw new ToolError(
    'statement_not_allowed',
    `${word === '' ? 'an empty statement' : 'this kind of statement'} is not run here`,
    {
      hint: `Give one statement that begins with ${allowed}`,
    },
  );
}

/**
 * Refuses what is no reading statement before it reaches the server: transaction control, SET, COPY, DO, CALL, LOCK.
 * This is for a clear answer; what keeps the data safe are the role and the read-only transaction.
 * @throws ToolError `statement_not_allowed`
 */
export function requireReading(sql: string): void {
  const word = firstWord(sql);
  if (!READING.has(word)) refuse(READING, word);
}

/** Lets through only what changes rows. @throws ToolError `statement_not_allowed` */
export function requireWriting(sql: string): void {
  const word = firstWord(sql);
  if (!WRITING.has(word)) refuse(WRITING, word);
}
