import { Redactor } from '#core/child/redact.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';
import { createLog, type ProcessLog } from '#core/telemetry/log.ts';

/** The log of a process that can be told of further secrets. */
export interface FleetLog extends ProcessLog {
  /** Between `debug` and what is configured, or `info` where that is `debug`. @returns the level from now on */
  turnLevel(): ProcessLog['level'];
  /** Shows none of these from now on, nor those of the last times before. */
  hide(secrets: readonly string[]): void;
}

/** Secrets are turned now and then; whoever held one that old has long been replaced. */
const MAX_GENERATIONS = 16;

/** The log on standard output, with what the configuration says of secrets and level. */
export function processLog(
  { log, secrets }: Pick<FleetConfig, 'log' | 'secrets'>,
  options: { readonly pretty?: boolean; readonly colours?: boolean } = {},
): FleetLog {
  let generations = [secrets];
  let redactor = new Redactor(secrets);
  const lines = createLog({
    output: process.stdout,
    level: log.level,
    redact: (text) => redactor.redact(text),
    ...options,
  });
  // Not spread: what it has lost is a getter.
  return Object.assign(lines, {
    turnLevel: () => {
      const configured = log.level === 'debug' ? 'info' : log.level;
      lines.level = lines.level === 'debug' ? configured : 'debug';
      return lines.level;
    },
    hide: (more: readonly string[]): void => {
      generations = [...generations, more].slice(-MAX_GENERATIONS);
      redactor = new Redactor([...new Set(generations.flat())]);
    },
  });
}
