import type { Bridge } from '#core/bridge.ts';
import type { ToolPolicy } from '#core/call.ts';
import { Cancellation } from '#core/cancellation.ts';
import { CLIENT_GONE } from '#core/errors.ts';
import type { Catalog, Tool } from '#core/mcp/catalog.ts';
import { isToolName, type ToolAddress } from './address.ts';
import { authorizeCall, catalogOf } from './call-tool.ts';
import type { Inquiry } from './conclude.ts';
import type { Edge } from './edge.ts';
import type { Answer } from './exchange.ts';
import { jsonAnswer } from './json-answer.ts';
import { findBridge, findTool } from './lookup.ts';

/** A tool as callers see it: what the child says of it, and the operator's policy. */
export interface ToolDocument {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema: unknown;
  readonly outputSchema?: unknown;
  readonly annotations?: unknown;
  readonly policy: Pick<ToolPolicy, 'effect' | 'deadlineMs' | 'cacheTtlMs' | 'idempotencyKey'>;
  /** The problem code that every call would get. */
  readonly unavailable?: 'schema_rejected' | 'tool_definition_changed' | undefined;
}

/** `GET /{bridge}/mcp/tools`: those that the caller may call. @throws BridgeError */
export async function listTools(edge: Edge, inquiry: Inquiry, name: string | undefined): Promise<Answer> {
  inquiry.address = 'tools';
  const principal = await edge.authenticate(inquiry.exchange);
  const bridge = findBridge(edge, inquiry, name, principal);
  const { tools } = await catalog(edge, inquiry, bridge);
  const callable = tools.filter((tool) => principal.mayCall(bridge.name, tool.name));
  return jsonAnswer(inquiry, 200, { bridge: bridge.name, tools: callable.map(toolDocument) });
}

/** `GET /{bridge}/mcp/tools/{tool}`. @throws BridgeError */
export async function showTool(edge: Edge, inquiry: Inquiry, address: ToolAddress): Promise<Answer> {
  inquiry.address = 'tool';
  const principal = await edge.authenticate(inquiry.exchange);
  const bridge = findBridge(edge, inquiry, address.bridge, principal);
  if (isToolName(address.tool)) inquiry.toolName = address.tool;
  authorizeCall(inquiry, bridge, principal, address.tool);
  const tool = findTool(inquiry, await catalog(edge, inquiry, bridge), principal);
  return jsonAnswer(inquiry, 200, toolDocument(tool));
}

async function catalog(edge: Edge, inquiry: Inquiry, bridge: Bridge): Promise<Catalog> {
  const abort = new Cancellation();
  inquiry.exchange.onGone(() => abort.abort(CLIENT_GONE));
  const ongoing = edge.enter(inquiry.exchange, abort);
  try {
    return await catalogOf(bridge, inquiry, abort);
  } finally {
    edge.leave(ongoing);
  }
}

function toolDocument({ definition, name, policy, changed, rejected }: Tool): ToolDocument {
  const { effect, deadlineMs, cacheTtlMs, idempotencyKey } = policy;
  return {
    name,
    title: definition.title,
    description: definition.description,
    inputSchema: definition.inputSchema,
    outputSchema: definition.outputSchema,
    annotations: definition.annotations,
    policy: { effect, deadlineMs, cacheTtlMs, idempotencyKey },
    unavailable: changed ? 'tool_definition_changed' : rejected === undefined ? undefined : 'schema_rejected',
  };
}
