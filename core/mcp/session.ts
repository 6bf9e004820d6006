// (to be written: the southbound MCP session; the surface that child/mcp-worker.ts relies on is fixed here)
import type { Readable, Writable } from 'node:stream';
import type { ToolResult, TraceContext } from '#core/call.ts';
import type { BridgeError } from '#core/errors.ts';
import type { Era } from '#core/manifest.ts';
import type { ToolDefinition } from '#core/mcp/catalog.ts';

/** How the slot of a call became free. `answered` also covers errors and a dead child. */
export type SlotEnd = 'answered' | 'abandoned' | 'silent' | 'overcommitted';
