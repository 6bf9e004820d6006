import type { BridgeSettings } from '#core/bridge.ts';
import type { BridgeManifest } from '#core/manifest.ts';
import type { Addresses } from './run-fleet.ts';

/** What the first lines of `fleet dev` are made of. */
export interface DevBanner {
  readonly addresses: Addresses;
  readonly bridges: readonly BridgeSettings[];
  readonly manifests: ReadonlyMap<string, BridgeManifest>;
  readonly summaries: ReadonlyMap<string, string>;
}

/** A few lines for the person who started it: what runs where, which of it is a stand-in, and one command to copy. */
export function devBanner({ addresses, bridges, manifests, summaries }: DevBanner): string {
  const width = Math.max(...bridges.map(({ name }) => name.length));
  const lines = ['', `  ${addresses.url}   state: ${addresses.opsUrl}/status`, ''];
  for (const { name, mode, missing } of bridges) {
    const says = {
      live: 'live',
      sandbox: `SANDBOX  ${summaries.get(name) ?? 'a stand-in'}`,
      not_configured: `not configured: set ${missing.join(', ')}`,
    }[mode];
    lines.push(`  ${name.padEnd(width)}  ${says}`);
  }
  // The one that is easiest to make real: all of them would be more lines than anybody reads.
  const [sandbox] = bridges.filter(({ mode }) => mode === 'sandbox').sort((a, b) => lengthOf(a) - lengthOf(b));
  if (sandbox !== undefined) {
    lines.push(
      '',
      '  SANDBOX is a stand-in on this machine: nothing reaches the vendor. A bridge is live where its variables are set,',
      `  such as ${sandbox.missing.join(', ')} for ${sandbox.name}; bridges/README.md has them all.`,
    );
  }
  const example = bridges.find(({ name, mode }) => mode !== 'not_configured' && manifests.get(name)?.example);
  const command = example && curl(addresses.url, example.name, manifests.get(example.name)?.example);
  if (command !== undefined) lines.push('', '  Try it:', '', command);
  lines.push('', '  Ctrl-C stops it.', '');
  return lines.join('\n');
}

function lengthOf({ missing }: BridgeSettings): number {
  return missing.join(', ').length;
}

function curl(url: string, bridge: string, example: BridgeManifest['example']): string | undefined {
  if (example === undefined) return undefined;
  // An address that means every address cannot be called on every system.
  const reachable = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
  const body = JSON.stringify(example.arguments).replaceAll("'", "'\\''");
  return `curl -s ${reachable}/${bridge}/mcp/tools/${example.tool} -H 'content-type: application/json' -d '${body}'`;
}
