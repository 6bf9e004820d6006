/**
 * How a service may be exchanged without losing a call: a `bridge` one replica at a time, a `proxy` by reloading its
 * configuration, a `store` not at all (it is one process, and the others lean on it), what stands `aside` at any time.
 */
export type Role = 'bridge' | 'proxy' | 'store' | 'aside';

const PREFIX = 'mcp-';
const PROXIES: ReadonlySet<string> = new Set(['front', 'egress']);
const ASIDE: ReadonlySet<string> = new Set(['collector', 'prometheus', 'alertmanager', 'grafana', 'tempo']);

/** The role of a service; one of a name we do not know is handled with the greatest care. */
export function roleOf(service: string): Role {
  if (service.startsWith(PREFIX)) return 'bridge';
  if (PROXIES.has(service)) return 'proxy';
  return ASIDE.has(service) ? 'aside' : 'store';
}

/** What people call it: `slack` for the service `mcp-slack`. */
export function shortName(service: string): string {
  return service.startsWith(PREFIX) ? service.slice(PREFIX.length) : service;
}

/** The service among those there are that a person means by `slack` or `mcp-slack`; a bridge goes before a store. */
export function serviceNamed(said: string, services: Iterable<string>): string | undefined {
  const names = new Set(services);
  return [`${PREFIX}${said}`, said].find((name) => names.has(name));
}
