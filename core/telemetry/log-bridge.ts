import type { BridgeEvent } from '#core/bridge.ts';
import type { Log } from '#core/telemetry/log.ts';

/** How loud each event of a bridge is; a refused call is counted elsewhere and would only flood the log. */
const LEVELS = {
  'worker:starting': 'debug',
  'worker:ready': 'info',
  'worker:retiring': 'info',
  'worker:ended': 'info',
  'worker:stderr': 'info',
  'pool:backoff': 'warn',
  'pool:failed': 'error',
  'pool:recovered': 'info',
  'tools:listed': 'info',
  'acquire:refused': 'debug',
  'breaker:opened': 'warn',
  'breaker:half_open': 'info',
  'breaker:closed': 'info',
} as const satisfies Record<BridgeEvent['event'], keyof Log>;

const SENTENCES = {
  'worker:starting': 'worker starting',
  'worker:ready': 'worker ready',
  'worker:retiring': 'worker retiring',
  'worker:ended': 'worker ended',
  'worker:stderr': 'worker stderr',
  'pool:backoff': 'a worker was lost; the next start waits',
  'pool:failed': 'no worker can be started; calls are refused until one can',
  'pool:recovered': 'workers start again',
  'tools:listed': 'tools listed',
  'acquire:refused': 'call refused',
  'breaker:opened': 'a tool only fails; its calls are refused for a while',
  'breaker:half_open': 'a failing tool is tried out',
  'breaker:closed': 'a tool works again',
} as const satisfies Record<BridgeEvent['event'], string>;

/** Writes the events of one bridge to the log, one line each. */
export function logBridge(log: Log, bridge: string): (event: BridgeEvent) => void {
  return ({ event, ...fields }) => {
    // Also one that we ended because it did not become ready: the operator has to know why.
    const failed =
      event === 'worker:ended' && 'end' in fields && (!fields.end.expected || fields.reason === 'start_failed');
    const refused = 'changed' in fields && (fields.changed.length > 0 || fields.pinsUnreadable !== undefined);
    log[failed || refused ? 'warn' : LEVELS[event]](SENTENCES[event], { event, bridge, ...fields });
  };
}
