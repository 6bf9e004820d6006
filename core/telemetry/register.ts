import { isMainThread } from 'node:worker_threads';
import { Environment } from '#core/config/environment.ts';
import { problemLine } from '#core/config/problems.ts';
import { telemetrySettings } from '#core/config/telemetry-settings.ts';

/*
 * For `node --import`. Where the standard OTEL_* variables ask for no export this is all that telemetry costs: nothing of
 * OpenTelemetry is loaded. Threads of the process get the same --import and are no services.
 */
if (isMainThread) {
  const { settings, problems } = telemetrySettings(Environment.ofProcess());
  for (const problem of problems) process.stderr.write(`telemetry: ${problemLine(problem)}\n`);
  if (settings !== undefined) {
    const [{ startExport }, { register }] = await Promise.all([
      import('#core/telemetry/start-export.ts'),
      import('#core/telemetry/registered.ts'),
    ]);
    register(await startExport(settings));
  }
}
