import { isDeepStrictEqual } from 'node:util';
import type { BridgeSettings } from '#core/bridge.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';

/** What a process cannot take over while it runs. */
const OF_PROCESS = [
  'http',
  'ops',
  'auth',
  'ratePerMinute',
  'stores',
  'drain',
  'log',
] as const satisfies readonly (keyof FleetConfig)[];
const OF_BRIDGE = [
  'mode',
  'pool',
  'breaker',
  'era',
  'validateOutput',
  'principalMeta',
  'pinFile',
] as const satisfies readonly (keyof BridgeSettings)[];

/** Names of what differs and is not taken over by a running process; never a value. */
export function restartNeeded(now: FleetConfig, next: FleetConfig): readonly string[] {
  const changed: string[] = OF_PROCESS.filter((key) => !isDeepStrictEqual(now[key], next[key]));
  const before = new Map(now.bridges.map((bridge) => [bridge.name, bridge]));
  for (const bridge of next.bridges) {
    const old = before.get(bridge.name);
    before.delete(bridge.name);
    if (old === undefined) changed.push(`${bridge.name} (new)`);
    else {
      const keys = OF_BRIDGE.filter((key) => !isDeepStrictEqual(old[key], bridge[key]));
      changed.push(...keys.map((key) => `${bridge.name}.${key}`));
    }
  }
  return [...changed, ...[...before.keys()].map((name) => `${name} (gone)`)];
}
