import { ToolError } from '../../core/server-kit/tool-error.ts';

/** Where the next page begins: Google's token, and what the first page took from the clock. */
export interface Page {
  readonly token: string;
  readonly timeMin: string;
}

/** The opaque form of a page, for callers. */
export function cursorOf(token: string | null | undefined, timeMin: string): string | null {
  if (token === undefined || token === null || token === '') return null;
  return Buffer.from(JSON.stringify([token, timeMin])).toString('base64url');
}

/** @throws ToolError `invalid_cursor` */
export function pageOf(cursor: string): Page {
  try {
    const [token, timeMin] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (typeof token === 'string' && typeof timeMin === 'string') return { token, timeMin };
  } catch {
    // Said below.
  }
  throw new ToolError('invalid_cursor', 'the cursor is none of this tool', {
    hint: 'Give nextCursor of the page before, unchanged, or leave cursor out to begin anew',
  });
}
