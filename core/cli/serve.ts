import { compileFleet } from '#core/config/compile-fleet.ts';
import { ConfigError } from '#core/config/problems.ts';
import { EXIT } from './exit-codes.ts';
import { type FleetArguments, requestOf } from './fleet-arguments.ts';
import { processLog } from './process-log.ts';
import { runFleet } from './run-fleet.ts';
import { said, tellProblems } from './say.ts';

/** `fleet serve`: compiles the configuration and runs it; SIGHUP compiles it again. Returns the exit code. */
export async function serve(args: FleetArguments): Promise<number> {
  try {
    const config = await compileFleet(requestOf(args));
    const log = processLog(config);
    return await runFleet(config, log, { onHangup: () => compileFleet(requestOf(args)) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    tellProblems(error.problems);
    await said();
    return EXIT.config;
  }
}
