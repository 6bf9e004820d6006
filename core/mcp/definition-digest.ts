import { hash } from 'node:crypto';
import { sortedMembers } from '#core/json/sorted-members.ts';
import type { ToolDefinition } from '#core/mcp/catalog.ts';

/**
 * SHA-256 (hex) over what callers and models rely on in a tool: name, description, inputSchema, outputSchema and
 * annotations, as JSON with sorted keys, so that the order a server happens to write them in does not matter.
 */
export function definitionSha256(definition: ToolDefinition): string {
  // Definitions nested too deep for this have not passed the catalog.
  const { name, description, inputSchema, outputSchema, annotations } = definition;
  return hash('sha256', JSON.stringify(sortedMembers({ name, description, inputSchema, outputSchema, annotations })));
}
