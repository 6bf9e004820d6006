import type { Bridge } from '#core/bridge.ts';
import { BridgeError } from '#core/errors.ts';
import type { Catalog, Tool } from '#core/mcp/catalog.ts';
import { nearNames } from '#core/near-names.ts';
import { isToolName } from './address.ts';
import type { Inquiry } from './conclude.ts';
import type { Edge } from './edge.ts';

/**
 * The bridge that an address names, or the only one where it names none.
 * @throws BridgeError unknown_bridge
 */
export function findBridge(edge: Edge, inquiry: Inquiry, name: string | undefined): Bridge {
  const bridge = name === undefined ? edge.onlyBridge : edge.bridges.get(name);
  if (bridge === undefined) throw unknownBridge(edge, name);
  inquiry.bridge = bridge;
  return bridge;
}

/** No bridge is meant by `name`; undefined where the address left the name out. */
export function unknownBridge(edge: Edge, name: string | undefined): BridgeError {
  const names = [...edge.bridges.keys()];
  if (name === undefined) {
    return new BridgeError(
      'unknown_bridge',
      `this process serves ${names.length} bridges; say which one: /{bridge}/mcp/tools`,
      { details: { suggestions: names.slice(0, 3) } },
    );
  }
  return new BridgeError('unknown_bridge', 'no bridge at this address; GET / lists the bridges of this process', {
    details: { suggestions: nearNames(name, names) },
  });
}

/**
 * The tool of that name.
 * @throws BridgeError unknown_tool, with near names
 */
export function findTool(inquiry: Inquiry, catalog: Catalog, name: string): Tool {
  const tool = isToolName(name) ? catalog.get(name) : undefined;
  if (tool === undefined) {
    throw new BridgeError('unknown_tool', 'the bridge has no tool of this name; GET the list of its tools', {
      details: { suggestions: isToolName(name) ? catalog.near(name) : [] },
    });
  }
  inquiry.tool = tool;
  return tool;
}
