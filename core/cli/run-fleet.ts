import { flushCompileCache } from 'node:module';
import { type BridgeEvent, createBridge } from '#core/bridge.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';
import { problemLine } from '#core/config/problems.ts';
import { authenticateWith } from '#core/http/authenticate.ts';
import { Edge } from '#core/http/edge.ts';
import { canServe } from '#core/http/health.ts';
import { HttpServer } from '#core/http/server.ts';
import { bindToProcess, type Entrance, Lifecycle, type LifecycleEvent } from '#core/lifecycle.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { fleetFamilies } from '#core/telemetry/fleet-families.ts';
import { FleetMeters } from '#core/telemetry/fleet-meters.ts';
import type { Log } from '#core/telemetry/log.ts';
import { logBridge } from '#core/telemetry/log-bridge.ts';
import { ProcessProbe } from '#core/telemetry/process-figures.ts';
import { prometheusText } from '#core/telemetry/prometheus-text.ts';
import { NOTHING_DROPPED, registered } from '#core/telemetry/registered.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import { logConnection, logProblem } from './http-log.ts';
import { ListenError, listenOn } from './listen-on.ts';
import type { FleetLog } from './process-log.ts';
import { Reloader } from './reloader.ts';
import { said, tell } from './say.ts';
import { Services } from './services.ts';

/** Where a running fleet can be reached. */
export interface Addresses {
  readonly url: string;
  readonly opsUrl: string;
}

export interface RunOptions {
  /** What SIGHUP means: the end, or that the configuration is compiled again. */
  readonly onHangup: 'stop' | (() => Promise<FleetConfig>);
  /** Called once, when every bridge has started or failed once. */
  readonly onReady?: (addresses: Addresses) => void;
}

const lastLinesBudgetMs = 500;
/** For audit rows that wait, where the process ends in peace. */
const lastRowsBudgetMs = 2000;
/** For spans and numbers that wait; a collector that hangs holds up nobody. */
const lastSpansBudgetMs = 1500;

/**
 * Composes services, bridges, ports and lifecycle out of a configuration and runs them to their end. Returns the exit code.
 * @throws ConfigError where what the configuration names cannot be used
 */
export async function runFleet(config: FleetConfig, log: FleetLog, options: RunOptions): Promise<number> {
  const meters = new FleetMeters();
  const exporting = registered();
  using probe = new ProcessProbe();
  const services = await Services.open(config, log, meters);
  const { stores, audit, authenticator } = services;
  const bridges = config.bridges.map((settings) =>
    createBridge(settings, {
      baseEnv: config.baseEnv,
      stores,
      audit,
      meter: meters.of(settings.name),
      on: both(logBridge(log, settings.name), meters.lives(settings.name)),
    }),
  );
  const everybody = anonymousPrincipal(config.ratePerMinute);
  const edge = new Edge({
    bridges: new Map(bridges.map((bridge) => [bridge.name, bridge])),
    version: packageJson.version,
    maxBodyBytes: config.http.maxBodyBytes,
    allowedHosts: config.http.allowedHosts === undefined ? undefined : new Set(config.http.allowedHosts),
    allowedOrigins: new Set(config.http.allowedOrigins),
    authenticate: authenticator === undefined ? () => everybody : authenticateWith(authenticator),
    onProblem: logProblem(log),
    onAnswered: (end) => {
      meters.answered(end);
      if (end.isCall && config.log.access) log.call(end);
    },
    watch: exporting?.watch,
  });
  const families = () =>
    fleetFamilies({
      version: packageJson.version,
      uptimeMs: performance.now(),
      answers: edge.answers,
      bridges: bridges.map((bridge) => bridge.stats()),
      services: services.status(),
      meters,
      process: probe.read(),
      logLosses: log.losses,
      telemetryDropped: exporting?.dropped ?? NOTHING_DROPPED,
    });
  exporting?.export(families);
  exporting?.tell((message, fields) => log.warn(message, fields));
  const opsEdge = edge.forOps();
  const main = new HttpServer({
    edge,
    app: async () => (await import('#core/http/app.ts')).createApp(edge),
    onEvent: logConnection(log, 'main'),
  });
  const ops = new HttpServer({
    edge: opsEdge,
    app: async () =>
      (await import('#core/http/ops.ts')).createOpsApp({
        edge: opsEdge,
        main: edge,
        open: () => main.listening,
        services,
        metrics: () => prometheusText(families()),
        about: () => ({ log: { level: log.level, ...log.losses } }),
      }),
    onEvent: logConnection(log, 'ops'),
  });
  const addresses = { url: '', opsUrl: '' };
  const lifecycle = new Lifecycle({
    entrance: entranceOf(main, edge, async () => {
      addresses.url = await listenOn(main, config.http, '--port');
    }),
    // A process none of whose bridges has its settings opens all the same, to say so.
    opensWhen:
      config.http.openWhen === 'ready'
        ? () => canServe(edge) || bridges.every(({ mode }) => mode === 'not_configured')
        : undefined,
    ops: {
      name: 'ops port',
      open: async () => {
        addresses.opsUrl = await listenOn(ops, config.ops, '--ops-port');
      },
      destroy: () => ops.destroy(),
    },
    engines: bridges,
    drain: config.drain,
    on: (event) => logLifecycle(log, event, addresses),
  });
  if (exporting === undefined && config.telemetryWanted) {
    log.warn(
      'OTEL_ variables ask for an export that was not started: run node with --import core/telemetry/register.ts',
    );
  }
  for (const warning of config.warnings) log.warn(`configuration: ${problemLine(warning)}`);
  for (const { name, mode, missing } of config.bridges) {
    if (mode === 'not_configured') log.warn(`bridge ${name} is not configured: set ${missing.join(', ')}`);
  }
  const turnLevel = (): void => log.warn('log level turned by SIGUSR2', { to: log.turnLevel() });
  process.on('SIGUSR2', turnLevel);
  const { onHangup } = options;
  const reloader =
    onHangup === 'stop'
      ? undefined
      : new Reloader({ config, recompile: onHangup, bridges, services, log, ending: () => lifecycle.draining });
  using _bound = bindToProcess(lifecycle, process, () => {
    if (reloader !== undefined) void reloader.reload();
    else lifecycle.stop('SIGHUP', { drained: EXIT.ok, killed: 129 });
  });
  try {
    await lifecycle.start();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    tell(`fleet: ${error.message}`);
    await Promise.all([said(), log.flush(lastLinesBudgetMs), services.close(0)]);
    return EXIT.unavailable;
  }
  // A process that is killed later would leave no compile cache to the next one.
  flushCompileCache();
  if (!lifecycle.draining) options.onReady?.(addresses);
  const exitCode = await lifecycle.ended;
  process.off('SIGUSR2', turnLevel);
  await Promise.all([
    services.close(exitCode === EXIT.ok ? lastRowsBudgetMs : 0),
    exporting?.close(exitCode === EXIT.ok ? lastSpansBudgetMs : 0),
  ]);
  await log.flush(lastLinesBudgetMs);
  return exitCode;
}

function both(...listeners: readonly ((event: BridgeEvent) => void)[]): (event: BridgeEvent) => void {
  return (event) => {
    for (const listen of listeners) listen(event);
  };
}

function entranceOf(server: HttpServer, edge: Edge, open: () => Promise<void>): Entrance {
  return {
    name: 'main port',
    open,
    announce: () => server.drain(),
    close: (budgetMs) => server.close(budgetMs),
    destroy: () => server.destroy(),
    get inFlight() {
      // A keyed call may have lost its client; a request that is no call is in the server alone.
      return Math.max(server.inFlight, edge.callsInFlight);
    },
  };
}

/** How each event of the process's life is said. */
const SAID = {
  'process:opened': ['info', 'listening'],
  'process:ready': ['info', 'ready'],
  'process:draining': ['info', 'draining'],
  'process:expired': ['warn', 'calls in flight are answered as out of time'],
  'process:killed': ['warn', 'ended at once'],
  'process:failed': ['error', 'an error that nobody caught'],
  'part:failed': ['error', 'a part failed'],
  'part:overdue': ['warn', 'parts are waited for no longer'],
  'process:stopped': ['info', 'stopped'],
} as const satisfies Record<LifecycleEvent['event'], readonly [keyof Log, string]>;

function logLifecycle(log: Log, { event, ...fields }: LifecycleEvent, addresses: Addresses): void {
  const [level, sentence] = SAID[event];
  log[level](sentence, event === 'process:opened' || event === 'process:ready' ? { ...addresses, ...fields } : fields);
}
