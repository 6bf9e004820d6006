import type { WatchRequest } from '#core/request-end.ts';
import type { Family } from '#core/telemetry/families.ts';
import type { TelemetryDropped } from '#core/telemetry/fleet-families.ts';

/** The export of a process's telemetry, as `--import core/telemetry/register.ts` has started it. */
export interface Exporting {
  /** Undefined where no traces are exported. */
  readonly watch: WatchRequest | undefined;
  /** What the collector did not get. */
  readonly dropped: TelemetryDropped;
  /** What is exported from now on as metrics. */
  export(families: () => readonly Family[]): void;
  /** Who hears of failures from now on; at most one line a minute. */
  tell(warn: (message: string, fields: Readonly<Record<string, unknown>>) => void): void;
  /** Sends what is left, for at most `budgetMs`. Never rejects. */
  close(budgetMs: number): Promise<void>;
}

/** Nothing was lost where nothing is exported. */
export const NOTHING_DROPPED: TelemetryDropped = {
  traces: { queue_full: 0, failed: 0 },
  metrics: { queue_full: 0, failed: 0 },
};

let exporting: Exporting | undefined;

/** Makes the export known to the process; once, before anything is served. */
export function register(started: Exporting): void {
  exporting = started;
}

/** The export of this process, undefined where none was asked for. */
export function registered(): Exporting | undefined {
  return exporting;
}
