import { isIP } from 'node:net';
import type { Environment } from '#core/config/environment.ts';
import { type NumberSetting, numberFrom } from '#core/config/number-setting.ts';
import type { Problems } from '#core/config/problems.ts';

/** What is said on the command line about where to listen, as written there. */
export interface ListenFlags {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly opsPort?: string | undefined;
}

/** Where a process listens: one address, two ports. */
export interface ListenSettings {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly opsPort: number;
  /** What said the host, for messages about it: `HOST` or `--host`. */
  readonly hostWhere: string;
}

const PORT = {
  default: 3000,
  least: 0,
  most: 65_535,
  whole: true,
  help: 'Main port.',
} as const satisfies NumberSetting;
const OPS_PORT = { ...PORT, default: 9464, help: 'Ops port.' } as const satisfies NumberSetting;

/** Address and ports from flags and environment, defaults filled in. Needs nothing else: a health check reads it, too. */
export function listenSettings(environment: Environment, flags: ListenFlags, problems: Problems): ListenSettings {
  const host = flags.host ?? environment.get('HOST') ?? '127.0.0.1';
  const hostWhere = flags.host === undefined ? 'HOST' : '--host';
  if (!isHostName(host)) problems.add(hostWhere, 'must be an address or a host name to listen on');
  const port = numberFrom(PORT, environment, 'PORT', problems, flags.port, '--port');
  const opsPort = numberFrom(OPS_PORT, environment, 'OPS_PORT', problems, flags.opsPort, '--ops-port');
  if (port === opsPort && port !== 0) {
    const where = flags.opsPort === undefined ? 'OPS_PORT' : '--ops-port';
    problems.add(where, `is ${opsPort} as the main port is; the ops addresses need a port of their own`);
  }
  return { host, port, opsPort, hostWhere };
}

/** Whether text is an address or could be a name. */
export function isHostName(host: string): boolean {
  return isIP(host) !== 0 || (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(host) && !/^[\d.]+$/.test(host));
}
