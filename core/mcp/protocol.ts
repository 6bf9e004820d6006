/** The revision spoken with modern children: no handshake, everything in each request's `_meta`. */
export const MODERN_VERSION = '2026-07-28';

/** The revision offered to legacy children. */
export const LEGACY_VERSION = '2025-11-25';

/** What a legacy child may answer instead; tools/list and tools/call are the same in all of them. */
export const LEGACY_VERSIONS: ReadonlySet<string> = new Set([
  LEGACY_VERSION,
  '2025-06-18',
  '2025-03-26',
  '2024-11-05',
  '2024-10-07',
]);

/** JSON-RPC and MCP error codes that mean something to us. */
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
const MISSING_CAPABILITY = -32021;
const UNSUPPORTED_VERSION = -32022;

/** Errors that only a server of the modern revision gives to `server/discover`. */
export const MODERN_ERRORS: ReadonlySet<number> = new Set([MISSING_CAPABILITY, UNSUPPORTED_VERSION]);

/** How we introduce ourselves; the version is that of the surface, not of a build. */
export const CLIENT_INFO = '{"name":"mcp-bridge-fleet","version":"1"}';

/** Members of `_meta` in each request to a modern child. We relay none of the optional capabilities. */
export const MODERN_META =
  `"io.modelcontextprotocol/protocolVersion":"${MODERN_VERSION}",` +
  `"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":${CLIENT_INFO}`;

/** `params` of a modern request that has none of its own. */
export const MODERN_PARAMS = `{"_meta":{${MODERN_META}}}`;

/** Where modern servers put their name and version. */
export const SERVER_INFO_KEY = 'io.modelcontextprotocol/serverInfo';
