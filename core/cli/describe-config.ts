import type { BridgeSettings } from '#core/bridge.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';

const hidden = '[redacted]';

/** The effective configuration as plain data for a person to read: no secret is in it. */
export function describeConfig(config: FleetConfig): Readonly<Record<string, unknown>> {
  const { http, ops, auth, ratePerMinute, stores, drain, log, bridges, origins } = config;
  return {
    http: { ...http, allowedHosts: http.allowedHosts ?? 'any' },
    ops,
    auth,
    ratePerMinute: ratePerMinute ?? 'unlimited',
    stores: {
      shared: stores.redisUrl === undefined ? 'memory' : 'redis',
      audit: stores.auditDatabaseUrl === undefined ? 'off' : 'postgresql',
    },
    drain,
    log,
    bridges: Object.fromEntries(
      bridges.map((bridge) => [bridge.name, describeBridge(bridge, origins.get(bridge.name) ?? 'manifest')]),
    ),
  };
}

function describeBridge(settings: BridgeSettings, from: string): Readonly<Record<string, unknown>> {
  const {
    secrets,
    mode,
    missing,
    env,
    command,
    args,
    cwd,
    pool,
    era,
    validateOutput,
    pinFile,
    breaker,
    tools,
    otherTools,
  } = settings;
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
  const shown = (text: string): string => longestFirst.reduce((rest, secret) => rest.replaceAll(secret, hidden), text);
  return {
    from,
    mode,
    ...(missing.length === 0 ? {} : { missing }),
    command: shown(command),
    args: args.map(shown),
    // Nobody told us which variables of a config file are secret.
    env: Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, from === 'config file' ? hidden : shown(value)]),
    ),
    cwd,
    pool,
    era,
    validateOutput,
    pinFile,
    breaker,
    tools: { ...tools, '*': otherTools },
  };
}
