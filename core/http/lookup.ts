import type { Bridge } from '#core/bridge.ts';
import { BridgeError } from '#core/errors.ts';
import type { Catalog, Tool } from '#core/mcp/catalog.ts';
import { nearNames } from '#core/near-names.ts';
import type { Principal } from '#core/principal.ts';
import type { Inquiry } from './conclude.ts';
import type { Edge } from './edge.ts';

/**
 * The bridge that an address names, or the only one where it names none.
 * @throws BridgeError unknown_bridge
 */
export function findBridge(edge: Edge, inquiry: Inquiry, name: string | undefined, principal: Principal): Bridge {
  const bridge = name === undefined ? edge.onlyBridge : edge.bridges.get(name);
  if (bridge === undefined) throw unknownBridge(edge, name, principal);
  inquiry.bridge = bridge;
  return bridge;
}

/** No bridge is meant by `name`; undefined where the address left the name out. Tells of those the caller may use. */
export function unknownBridge(edge: Edge, name: string | undefined, principal: Principal): BridgeError {
  const usable = [...edge.bridges.keys()].filter((known) => principal.mayUse(known));
  if (name === undefined) {
    return new BridgeError(
      'unknown_bridge',
      `this process serves ${edge.bridges.size} bridges; say which one: /{bridge}/mcp/tools`,
      { details: { suggestions: usable.slice(0, 3) } },
    );
  }
  return new BridgeError('unknown_bridge', 'no bridge at this address; GET / lists the bridges of this process', {
    details: { suggestions: nearNames(name, usable) },
  });
}

/**
 * The tool that was asked for, which the caller may call.
 * @throws BridgeError unknown_tool, with near names of others that it may call
 */
export function findTool(inquiry: Inquiry, catalog: Catalog, principal: Principal): Tool {
  const { bridge, toolName } = inquiry;
  const tool = toolName === undefined ? undefined : catalog.get(toolName);
  if (tool === undefined) {
    const isShown = (known: string): boolean => bridge !== undefined && principal.mayCall(bridge.name, known);
    throw new BridgeError('unknown_tool', 'the bridge has no tool of this name; GET the list of its tools', {
      details: { suggestions: toolName === undefined ? [] : catalog.near(toolName, isShown) },
    });
  }
  inquiry.tool = tool;
  return tool;
}
