import type { Bridge, BridgeSettings, ReloadOutcome } from '#core/bridge.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';
import { ConfigError, problemLine } from '#core/config/problems.ts';
import type { FleetLog } from './process-log.ts';
import { restartNeeded } from './restart-needed.ts';

export interface ReloaderOptions {
  /** What the process was started with. */
  readonly config: FleetConfig;
  /** Reads the configuration and its secrets again. @throws ConfigError */
  readonly recompile: () => Promise<FleetConfig>;
  readonly bridges: readonly Bridge[];
  /** Reads the keys of callers again. */
  readonly services: { reload(): Promise<void> };
  readonly log: FleetLog;
  /** The process is ending: what comes of a reload is of no interest. */
  readonly ending: () => boolean;
}

/**
 * What SIGHUP asks for: keys, pins, configuration and secrets are read again, and each bridge takes over what it can.
 * What is wrong changes nothing and is told. One at a time; asked for meanwhile, once more afterwards.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #asked = false;
  #running: Promise<void> | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** Settles when nothing is left to be read. Never rejects. */
  reload(): Promise<void> {
    this.#asked = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#asked && !this.#options.ending()) {
      this.#asked = false;
      await this.#once();
    }
  }

  async #once(): Promise<void> {
    const { bridges, services, log } = this.#options;
    log.info('SIGHUP: keys, pins, configuration and secrets are read again');
    const [config] = await Promise.all([this.#read(), services.reload()]);
    const next = new Map(config?.bridges.map((settings) => [settings.name, settings]));
    await Promise.all(bridges.map((bridge) => this.#apply(bridge, next.get(bridge.name))));
  }

  /** Undefined where it cannot be used. */
  async #read(): Promise<FleetConfig | undefined> {
    const { config, recompile, log } = this.#options;
    let next: FleetConfig;
    try {
      next = await recompile();
    } catch (error) {
      if (!(error instanceof ConfigError)) log.error('the configuration could not be read', { error });
      else for (const problem of error.problems) log.error(`configuration: ${problemLine(problem)}`);
      log.error('the configuration of before stays in force; correct it and send SIGHUP again');
      return undefined;
    }
    // Before anything is started with them.
    log.hide(next.secrets);
    for (const warning of next.warnings) log.warn(`configuration: ${problemLine(warning)}`);
    const changed = restartNeeded(config, next);
    if (changed.length > 0) log.warn('what has changed here takes a restart to be in force', { changed });
    return next;
  }

  async #apply(bridge: Bridge, next: BridgeSettings | undefined): Promise<void> {
    const { log, ending } = this.#options;
    // Another mode is another bridge: it takes a restart, which has been told.
    const outcome = await bridge.reload(next?.mode === bridge.mode ? next : undefined);
    if (!ending()) SAY[outcome](log, bridge.name);
  }
}

const SAY = {
  unchanged: () => {},
  applied: (log, bridge) => log.info('new settings are in force', { bridge }),
  refused: (log, bridge) =>
    log.error(
      'no worker started with the new settings; those of before stay in force: correct them and send SIGHUP again',
      {
        bridge,
      },
    ),
} as const satisfies Record<ReloadOutcome, (log: FleetLog, bridge: string) => void>;
