import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** One replica's ops port, or why there is none to ask behind what was named. */
export type ReplicaAddress =
  | { readonly target: string; readonly origin: string }
  | { readonly target: string; readonly problem: string };

/** All addresses of a host name, as `dns.lookup` gives them. */
export type Lookup = (host: string) => Promise<readonly LookupAddress[]>;

export interface FindReplicasOptions {
  /** Where a target names no port. */
  readonly defaultPort: number;
  readonly timeoutMs: number;
  /** Default the system's own, `/etc/hosts` and Docker's DNS included. */
  readonly lookup?: Lookup;
}

/** Replicas looked at in one go; a name that stands for more of them is a mistake. */
const MAX_REPLICAS = 500;

/**
 * The ops ports behind `host`, `host:port`, `[v6]:port` or `http://host:port`. A host name stands for every address it has,
 * so `mcp-slack` is all replicas of slack. Never rejects: what cannot be found is an entry that says why.
 */
export async function findReplicas(
  targets: readonly string[],
  { defaultPort, timeoutMs, lookup = (host) => systemLookup(host, { all: true }) }: FindReplicasOptions,
): Promise<ReplicaAddress[]> {
  const found = await Promise.all(targets.map((target) => addressesOf(target, defaultPort, timeoutMs, lookup)));
  const byOrigin = new Map(found.flat().map((entry) => ['origin' in entry ? entry.origin : entry.target, entry]));
  return [...byOrigin.values()].slice(0, MAX_REPLICAS);
}

/** The host and port that a target names; undefined where it is none. */
export function parseTarget(target: string, defaultPort: number): { host: string; port: number } | undefined {
  const authority = /^(?:http:\/\/)?([^/]+)\/?$/.exec(target)?.[1] ?? '';
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([a-zA-Z0-9._-]+))(?::(\d{1,5}))?$/.exec(authority) ?? [];
  const host = v6 ?? name;
  if (host === undefined || (v6 !== undefined && !isIPv6(v6))) return undefined;
  const number = port === undefined ? defaultPort : Number(port);
  return number >= 1 && number <= 65_535 ? { host, port: number } : undefined;
}

async function addressesOf(
  target: string,
  defaultPort: number,
  timeoutMs: number,
  lookup: Lookup,
): Promise<ReplicaAddress[]> {
  const named = parseTarget(target, defaultPort);
  if (named === undefined) return [{ target, problem: 'is no host, host:port or http://host:port' }];
  const ended = new AbortController();
  try {
    const addresses = await Promise.race([
      lookup(named.host),
      delay(timeoutMs, undefined, { signal: ended.signal }).then(() => {
        throw new Error(`its name was not resolved within ${timeoutMs} ms`);
      }),
    ]);
    return addresses.map(({ address, family }) => ({
      target,
      origin: `http://${family === 6 ? `[${address}]` : address}:${named.port}`,
    }));
  } catch (error) {
    return [{ target, problem: reasonOf(error) }];
  } finally {
    ended.abort();
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOTFOUND') return 'its name is not known here; run this where the name resolves, or give addresses';
  return code === undefined ? message : `its name cannot be resolved (${code})`;
}
