const reserved: readonly string[] = ['mcp', 'health', 'docs'];

/** Why a text cannot name a bridge, as the end of a message; undefined when it can. */
export function refusedBridgeName(name: string): string | undefined {
  if (reserved.includes(name)) return 'this name is taken by an address of the service; choose another';
  if (!/^[a-z0-9-]{1,63}$/.test(name)) return 'a bridge is named with 1 to 63 of a-z, 0-9 and -; rename it';
  return undefined;
}
