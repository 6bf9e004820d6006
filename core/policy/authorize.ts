import { BridgeError } from '#core/errors.ts';
import type { Principal } from '#core/principal.ts';

/**
 * Refuses a tool that the caller may not call, whether or not there is such a tool. It needs neither the body nor the
 * list of tools, so it stands at the door and not in the stack: before either is looked at.
 *
 * @throws BridgeError forbidden_tool
 */
export function authorize(principal: Principal, bridge: string, tool: string): void {
  if (principal.mayCall(bridge, tool)) return;
  throw new BridgeError(
    'forbidden_tool',
    'this caller may not call this tool; GET the list of tools for those it may, or have it allowed',
  );
}
