import type { SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { Refusal } from './refusal.ts';

/** What an upload carries. */
export interface Upload {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly mimeType: string;
  readonly content: Buffer;
}

/** The two parts of a `multipart/related` upload. @throws Refusal 400 */
export function readUpload(request: SandboxRequest): Upload {
  if (request.query.get('uploadType') === 'media') {
    return { metadata: {}, mimeType: request.headers['content-type'] ?? '', content: request.body };
  }
  const boundary = /^multipart\/related;.*boundary="?([^";]+)"?/.exec(request.headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) throw new Refusal(400, 'badContent', 'Unsupported content with type');
  const parts = split(request.body, Buffer.from(`--${boundary}`));
  const [first, second] = parts;
  if (first === undefined || second === undefined || parts.length !== 2) {
    throw new Refusal(400, 'badRequest', 'Malformed multipart body.');
  }
  return {
    metadata: JSON.parse(first.content.toString('utf8')),
    mimeType: second.headers.get('content-type') ?? 'application/octet-stream',
    content: second.content,
  };
}

interface Part {
  readonly headers: ReadonlyMap<string, string>;
  readonly content: Buffer;
}

function split(body: Buffer, delimiter: Buffer): readonly Part[] {
  const parts: Part[] = [];
  for (let at = body.indexOf(delimiter); at !== -1; ) {
    const next = body.indexOf(delimiter, at + delimiter.length);
    if (next === -1) break;
    // Between a line break after the delimiter and one before the next.
    const part = body.subarray(at + delimiter.length + 2, next - 2);
    const end = part.indexOf('\r\n\r\n');
    const headers = part
      .subarray(0, end)
      .toString('latin1')
      .split('\r\n')
      .map((line) => line.split(/:\s*/, 2))
      .map(([name = '', value = '']) => [name.toLowerCase(), value] as const);
    parts.push({ headers: new Map(headers), content: part.subarray(end + 4) });
    at = next;
  }
  return parts;
}
