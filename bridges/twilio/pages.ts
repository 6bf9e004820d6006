import { hash } from 'node:crypto';
import { ToolError } from '../../core/server-kit/tool-error.ts';

/** Where a page of Twilio's begins, as its list methods take it. */
export interface PageStart {
  readonly pageSize: number;
  readonly pageNumber?: number;
  readonly pageToken?: string;
}

interface Position {
  readonly page: number;
  readonly token: string;
  /** Digest of what was asked for: a token goes on in one list only. */
  readonly of: string;
}

function digestOf(filter: object): string {
  return hash('sha256', JSON.stringify(filter), 'base64url').slice(0, 16);
}

function decode(cursor: string): Position | undefined {
  try {
    const { page, token, of } = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as Partial<Position>;
    const good = Number.isSafeInteger(page) && typeof token === 'string' && typeof of === 'string';
    return good && page !== undefined ? { page, token, of } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where the page of a cursor begins.
 * @param filter everything that was asked for but limit and cursor
 * @throws ToolError `invalid_cursor`
 */
export function pageStart(limit: number, cursor: string | undefined, filter: object): PageStart {
  if (cursor === undefined) return { pageSize: limit };
  const position = decode(cursor);
  if (position === undefined || position.of !== digestOf(filter)) {
    throw new ToolError('invalid_cursor', 'this cursor belongs to no page of this list', {
      hint: 'Give nextCursor of the page before unchanged, with the same filters; or leave cursor out to begin anew',
    });
  }
  return { pageSize: limit, pageNumber: position.page, pageToken: position.token };
}

/** The cursor of the page after, from the address that Twilio gives for it; null on the last page. */
export function nextCursorOf(nextPageUrl: string | undefined, filter: object): string | null {
  if (nextPageUrl === undefined) return null;
  const query = new URL(nextPageUrl).searchParams;
  const token = query.get('PageToken');
  if (token === null) return null;
  const position: Position = { page: Number(query.get('Page') ?? 0), token, of: digestOf(filter) };
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}
