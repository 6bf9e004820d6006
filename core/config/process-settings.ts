import { isIP } from 'node:net';
import { type AuthSettings, authSettings } from '#core/config/auth-settings.ts';
import type { Environment } from '#core/config/environment.ts';
import { isHostName, type ListenFlags, listenSettings } from '#core/config/listen-settings.ts';
import { type NumberSetting, numberFrom } from '#core/config/number-setting.ts';
import type { Problems } from '#core/config/problems.ts';
import { type StoreSettings, storeSettings } from '#core/config/store-settings.ts';
import { telemetrySettings } from '#core/config/telemetry-settings.ts';

/** What is said on the command line about the process, as written there. */
export type ProcessFlags = ListenFlags;

/** How much is logged; `silent` is nothing at all. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** When the main port opens: with the process, or with its first bridge that can serve. */
export type OpenWhen = 'started' | 'ready';

/** Where the process listens and what it takes there. */
export interface HttpSettings {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** `ready`: not before a call could be served, so that a replica among others is sent none that it cannot take. */
  readonly openWhen: OpenWhen;
  readonly maxBodyBytes: number;
  /** Host names taken, lower case and without a port; undefined: any. */
  readonly allowedHosts: readonly string[] | undefined;
  /** Origins taken, as browsers write them. */
  readonly allowedOrigins: readonly string[];
}

/** The settings of the process that no bridge owns. */
export interface ProcessSettings {
  readonly http: HttpSettings;
  /** The address of the ops endpoints: same host, own port. */
  readonly ops: { readonly host: string; readonly port: number };
  /** Who may call; `none`: anybody. */
  readonly auth: AuthSettings | 'none';
  /** Calls a minute of a caller whose key says nothing else; undefined: as many as it likes. */
  readonly ratePerMinute: number | undefined;
  readonly stores: StoreSettings;
  readonly drain: {
    /** New calls are still taken for this long after SIGTERM. */
    readonly delayMs: number;
    /** What calls in flight have after that. */
    readonly budgetMs: number;
  };
  /** The standard variables ask for an export of telemetry; `telemetry/register.ts` starts it. */
  readonly telemetryWanted: boolean;
  /** `access`: each call has a line. */
  readonly log: { readonly level: LogLevel; readonly access: boolean };
}

const MAX_BODY_BYTES = {
  default: 1_048_576,
  least: 1024,
  most: 268_435_456,
  whole: true,
  help: 'Longest body.',
} as const satisfies NumberSetting;
const DRAIN_MS = {
  default: 30_000,
  least: 0,
  most: 3_600_000,
  whole: true,
  help: 'Calls in flight.',
} as const satisfies NumberSetting;
const DRAIN_DELAY_MS = { ...DRAIN_MS, default: 0, help: 'New calls after SIGTERM.' } as const satisfies NumberSetting;
const RATE_PER_MINUTE = {
  default: 0,
  least: 0,
  most: 1_000_000_000,
  whole: true,
  help: 'Calls a minute of one caller.',
} as const satisfies NumberSetting;
const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'] as const;

/** Settings of the process from flags and environment, defaults filled in. */
export function processSettings(environment: Environment, flags: ProcessFlags, problems: Problems): ProcessSettings {
  const { host, port, opsPort, hostWhere } = listenSettings(environment, flags, problems);
  const loopback = isLoopback(host);
  const auth = authSettings(environment, { host: isHostName(host) ? host : undefined, loopback, hostWhere }, problems);
  const ratePerMinute = numberFrom(RATE_PER_MINUTE, environment, 'RATE_PER_MINUTE', problems);
  const allowedHosts =
    hostsFrom(environment, problems) ?? (loopback ? [...new Set([...LOOPBACK_NAMES, hostHeader(host)])] : undefined);
  return {
    http: {
      host,
      port,
      openWhen: openWhenFrom(environment, problems),
      maxBodyBytes: numberFrom(MAX_BODY_BYTES, environment, 'MAX_BODY_BYTES', problems),
      allowedHosts,
      allowedOrigins: originsFrom(environment, problems),
    },
    ops: { host, port: opsPort },
    auth,
    ratePerMinute: ratePerMinute === 0 ? undefined : ratePerMinute,
    stores: storeSettings(environment, problems),
    drain: {
      delayMs: numberFrom(DRAIN_DELAY_MS, environment, 'DRAIN_DELAY_MS', problems),
      budgetMs: numberFrom(DRAIN_MS, environment, 'DRAIN_MS', problems),
    },
    telemetryWanted: telemetrySettings(environment).settings !== undefined,
    log: { level: levelFrom(environment, problems), access: accessFrom(environment, problems) },
  };
}

/** Whether only this machine can reach a listening address. */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(bare);
}

function levelFrom(environment: Environment, problems: Problems): LogLevel {
  const said = environment.get('LOG_LEVEL');
  const level = LOG_LEVELS.find((known) => known === said);
  if (said !== undefined && level === undefined) problems.add('LOG_LEVEL', `must be one of ${LOG_LEVELS.join(', ')}`);
  return level ?? 'info';
}

function openWhenFrom(environment: Environment, problems: Problems): OpenWhen {
  const said = environment.get('OPEN_WHEN');
  if (said === 'ready' || said === 'started') return said;
  if (said !== undefined) problems.add('OPEN_WHEN', 'must be started or ready');
  return 'started';
}

function accessFrom(environment: Environment, problems: Problems): boolean {
  const said = environment.get('ACCESS_LOG');
  if (said !== undefined && said !== 'on' && said !== 'off') problems.add('ACCESS_LOG', 'must be on or off');
  return said !== 'off';
}

function hostsFrom(environment: Environment, problems: Problems): readonly string[] | undefined {
  const said = listFrom(environment, 'ALLOWED_HOSTS');
  for (const [i, host] of (said ?? []).entries()) {
    if (!isHostName(host.replace(/^\[(.*)\]$/, '$1'))) {
      problems.add('ALLOWED_HOSTS', `entry ${i + 1} must be a host name or address, without scheme, port or *`);
    }
  }
  return said?.map((host) => hostHeader(host.toLowerCase()));
}

function originsFrom(environment: Environment, problems: Problems): readonly string[] {
  const said = listFrom(environment, 'ALLOWED_ORIGINS') ?? [];
  for (const [i, origin] of said.entries()) {
    const parsed = URL.parse(origin);
    if (parsed === null || parsed.origin !== origin || parsed.origin === 'null') {
      problems.add(
        'ALLOWED_ORIGINS',
        `entry ${i + 1} must be an origin such as https://app.example:8443, without path or *`,
      );
    }
  }
  return said;
}

function listFrom(environment: Environment, variable: string): readonly string[] | undefined {
  return environment
    .get(variable)
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** How a host is written in a Host header. */
function hostHeader(host: string): string {
  return isIP(host) === 6 ? `[${host.toLowerCase()}]` : host.toLowerCase();
}
