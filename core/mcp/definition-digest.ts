import { hash } from 'node:crypto';
import type { ToolDefinition } from '#core/mcp/catalog.ts';

/**
 * SHA-256 (hex) over what callers and models rely on in a tool: name, description, inputSchema, outputSchema and
 * annotations, as JSON with sorted keys, so that the order a server happens to write them in does not matter.
 */
export function definitionSha256(definition: ToolDefinition): string {
  const { name, description, inputSchema, outputSchema, annotations } = definition;
  return hash('sha256', JSON.stringify(sorted({ name, description, inputSchema, outputSchema, annotations })));
}

/** Definitions nested too deep for this have not passed the catalog. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  // A `__proto__` of the child's stays a member like any other.
  const copy: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) copy[key] = sorted((value as Record<string, unknown>)[key]);
  return copy;
}
