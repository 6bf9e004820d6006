import { Redactor } from '#core/child/redact.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';
import { createLog, type ProcessLog } from '#core/telemetry/log.ts';

/** The log on standard output, with what the configuration says of secrets and level. */
export function processLog(
  { log, secrets }: Pick<FleetConfig, 'log' | 'secrets'>,
  options: { readonly pretty?: boolean; readonly colours?: boolean } = {},
): ProcessLog {
  const redactor = new Redactor(secrets);
  return createLog({ output: process.stdout, level: log.level, redact: (text) => redactor.redact(text), ...options });
}
