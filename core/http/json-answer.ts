import type { Inquiry } from './conclude.ts';
import type { Answer } from './exchange.ts';

/** A JSON document of our own. */
export function jsonAnswer(inquiry: Inquiry, status: number, document: unknown): Answer {
  return bytesAnswer(inquiry, status, 'application/json', Buffer.from(JSON.stringify(document)));
}

/** Any small document. */
export function bytesAnswer(inquiry: Inquiry, status: number, contentType: string, bytes: Buffer): Answer {
  const headers = ['Content-Type', contentType, 'X-Request-Id', inquiry.requestId, 'Cache-Control', 'no-store'];
  headers.push('Content-Length', String(bytes.length));
  return { status, headers, body: [bytes] };
}
