import type { Bridge, BridgeSettings } from '#core/bridge.ts';
import { NO_CALLS } from '#core/call-path.ts';
import { NO_CHILD_STATS } from '#core/child/child-stats.ts';
import { BridgeError } from '#core/errors.ts';
import { authorize } from '#core/policy/authorize.ts';

/** A bridge whose required variables are missing: it is listed, and says what it lacks to whoever calls. */
export function unconfiguredBridge(settings: BridgeSettings): Bridge {
  const { name, title, description, mode, missing } = settings;
  const refuse = (): never => {
    throw new BridgeError('not_configured', `bridge ${name} is not configured: set ${missing.join(', ')} and restart`);
  };
  return {
    name,
    title,
    description,
    mode,
    ready: false,
    authorize: ({ principal, tool }) => authorize(principal, name, tool),
    tools: refuse,
    invoke: async () => refuse(),
    stats: () => ({
      name,
      mode,
      missing,
      pool: undefined,
      child: NO_CHILD_STATS,
      ...NO_CALLS,
    }),
    reload: async () => 'unchanged',
    start: async () => {},
    drain: async () => {},
    destroy: async () => {},
  };
}
