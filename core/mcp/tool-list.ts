import { BridgeError } from '#core/errors.ts';
import type { ToolDefinition } from '#core/mcp/catalog.ts';
import type { Reply } from '#core/mcp/exchange.ts';
import { METHOD_NOT_FOUND, MODERN_META } from '#core/mcp/protocol.ts';

/** Guards against a child that lists for ever. */
const MAX_PAGES = 100;
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * All pages of a child's tools/list. Cursors are opaque; to a modern child the empty string is a cursor like any
 * other, legacy children that send one mean the end.
 *
 * @throws BridgeError child_protocol_error for a malformed list, more than 100 pages, more than 16 MiB, or a
 * cursor that comes a second time
 */
export async function listAllTools(
  ask: (method: string, params: string) => Promise<Reply>,
  era: 'legacy' | 'modern',
): Promise<readonly ToolDefinition[]> {
  const tools: ToolDefinition[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 1; page <= MAX_PAGES; page++) {
    const reply = await ask('tools/list', listParams(cursor, era));
    if (reply.kind === 'error') {
      // A server without tools need not know the method.
      if (reply.error.code === METHOD_NOT_FOUND && page === 1) return [];
      throw unusable(`JSON-RPC error ${reply.error.code} on page ${page}`);
    }
    if (reply.kind === 'malformed') throw unusable(`page ${page}: ${reply.why}`);
    bytes += reply.bytes;
    if (bytes > MAX_LIST_BYTES) throw unusable(`more than ${MAX_LIST_BYTES} bytes`);
    const { tools: listed, nextCursor } = reply.value;
    if (!Array.isArray(listed)) throw unusable(`page ${page} has no array of tools`);
    // What is wrong with a single tool is the catalog's to say: the others can be used all the same.
    for (const tool of listed) if (typeof tool === 'object' && tool !== null) tools.push(tool as ToolDefinition);
    if (nextCursor === undefined || nextCursor === null || (nextCursor === '' && era === 'legacy')) return tools;
    if (typeof nextCursor !== 'string') throw unusable(`the cursor of page ${page} is not a string`);
    if (seen.has(nextCursor)) throw unusable(`the cursor of page ${page} came before`);
    seen.add(nextCursor);
    cursor = nextCursor;
  }
  throw unusable(`more than ${MAX_PAGES} pages`);
}

function listParams(cursor: string | undefined, era: 'legacy' | 'modern'): string {
  const members: string[] = [];
  if (cursor !== undefined) members.push(`"cursor":${JSON.stringify(cursor)}`);
  if (era === 'modern') members.push(`"_meta":{${MODERN_META}}`);
  return `{${members.join(',')}}`;
}

function unusable(why: string): BridgeError {
  return new BridgeError('child_protocol_error', `the worker's tools/list cannot be used: ${why}`);
}
