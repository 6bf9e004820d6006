import type { BridgeSettings } from '#core/bridge.ts';
import type { Problem } from '#core/config/problems.ts';
import type { ProcessSettings } from '#core/config/process-settings.ts';

/** Where a bridge was defined. */
export type BridgeOrigin = 'manifest' | 'config file' | 'command line';

/** Everything a process runs on, compiled once and then only read. */
export interface FleetConfig extends ProcessSettings {
  readonly bridges: readonly BridgeSettings[];
  readonly origins: ReadonlyMap<string, BridgeOrigin>;
  /** The process's own environment, from which spawning a child takes its allow-listed base. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Values that must not appear in any output. */
  readonly secrets: readonly string[];
  readonly warnings: readonly Problem[];
}
