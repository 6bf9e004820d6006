import type { Readable } from 'node:stream';
import { z } from '../../core/server-kit/schema.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';

/** Google takes no more in one request. */
export const MAX_CONTENT_BYTES = 5_000_000;
/** Base64 of that many bytes. */
const MAX_BASE64_CHARACTERS = Math.ceil(MAX_CONTENT_BYTES / 3) * 4;

/** The two ways to give content; a tool takes at most one of them. */
export const contentInput = {
  text: z.string().max(MAX_CONTENT_BYTES).optional().describe('The content as text; written as UTF-8'),
  base64: z
    .string()
    .max(MAX_BASE64_CHARACTERS)
    .optional()
    .describe('The content of a binary file as base64; never a path or an address'),
};

interface Given {
  readonly text?: string | undefined;
  readonly base64?: string | undefined;
}

/**
 * The bytes that were given; undefined where there were none.
 * @throws ToolError invalid_arguments, too_large
 */
export function contentOf({ text, base64 }: Given): Buffer | undefined {
  if (text !== undefined && base64 !== undefined) throw wrong('give text or base64, not both');
  if (base64 !== undefined && !/^[A-Za-z0-9+/]*={0,2}$/.test(base64.replaceAll(/\s+/g, ''))) {
    throw wrong('base64 has characters that do not belong there');
  }
  const bytes =
    text !== undefined ? Buffer.from(text) : base64 === undefined ? undefined : Buffer.from(base64, 'base64');
  if (bytes !== undefined && bytes.length > MAX_CONTENT_BYTES) {
    throw new ToolError('too_large', `the content has ${bytes.length} bytes, more than ${MAX_CONTENT_BYTES}`, {
      hint: 'Give less, or several files',
    });
  }
  return bytes;
}

/** Arguments that the schema alone cannot refuse. */
export function wrong(message: string): ToolError {
  return new ToolError('invalid_arguments', message, {
    hint: 'Compare the arguments with the description of the tool',
  });
}

/** A text that was read up to a limit. */
export interface ReadText {
  readonly text: string;
  /** Bytes of `text` as UTF-8. */
  readonly bytes: number;
  readonly truncated: boolean;
}

/** Reads a stream as UTF-8 up to `maxBytes`, cut between characters; what follows is not fetched. */
export async function readText(stream: Readable, maxBytes: number): Promise<ReadText> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(piece);
    length += piece.length;
    if (length > maxBytes) break;
  }
  const truncated = length > maxBytes;
  const all = Buffer.concat(pieces);
  const text = new TextDecoder('utf-8').decode(truncated ? all.subarray(0, wholeCharacters(all, maxBytes)) : all);
  return { text, bytes: Buffer.byteLength(text), truncated };
}

/** At most `end` bytes that do not end within a character. */
function wholeCharacters(bytes: Buffer, end: number): number {
  let at = end;
  while (at > 0 && at > end - 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}
