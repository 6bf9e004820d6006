import { BridgeError } from '#core/errors.ts';

/** The longest path that is read, in bytes; what nginx takes by default. */
export const MAX_PATH_BYTES = 8192;

const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const DIRECT = /^\/(?:([a-z0-9-]{1,63})\/)?mcp\/tools\/([A-Za-z0-9_.-]{1,128})(?:\?|$)/;

/** The names in a tool's address; no bridge where the prefix was left out. */
export interface ToolAddress {
  readonly bridge: string | undefined;
  readonly tool: string;
}

/** A name that a tool may have in a path. `.` and `..` fit the pattern and are still no names. */
export function isToolName(name: string): boolean {
  return TOOL_NAME.test(name) && name !== '.' && name !== '..';
}

/** The part of a request-target before its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/**
 * The names in a request-target that is a tool's address written plainly. Anything unusual, an escape
 * above all, is left to the router by answering undefined.
 */
export function directToolAddress(target: string): ToolAddress | undefined {
  const match = DIRECT.exec(target);
  return match === null ? undefined : { bridge: match[1], tool: match[2] as string };
}

/**
 * Refuses what is no path at all. A path that passes decodes without loss, segment by segment.
 * @throws BridgeError uri_too_long, bad_path
 */
export function checkTarget(target: string): void {
  if (target.length > MAX_PATH_BYTES) {
    throw new BridgeError('uri_too_long', `the path has ${target.length} bytes, at most ${MAX_PATH_BYTES} are read`);
  }
  if (target.charCodeAt(0) !== 0x2f) {
    throw new BridgeError('bad_path', 'the request-target must be a path that starts with "/"');
  }
  if (!target.includes('%')) return;
  try {
    decodeURIComponent(pathOf(target));
  } catch {
    throw new BridgeError('bad_path', 'the path holds a "%" that is not followed by two hex digits of valid UTF-8');
  }
}
