import { resolve } from 'node:path';
import { compileFleet, sandboxesNeeded } from '#core/config/compile-fleet.ts';
import { ConfigError } from '#core/config/problems.ts';
import type { BridgeManifest } from '#core/manifest.ts';
import { devBanner } from './dev-banner.ts';
import { EXIT } from './exit-codes.ts';
import { type FleetArguments, requestOf } from './fleet-arguments.ts';
import { processLog } from './process-log.ts';
import { runFleet } from './run-fleet.ts';
import { Sandboxes } from './sandboxes.ts';
import { said, tell, tellProblems } from './say.ts';

/** Stand-ins keep their data here, each in a folder of its own. */
const DATA = resolve(import.meta.dirname, '../../.data');

/**
 * `fleet dev`: serves on this machine; bridges that lack a required variable run against their stand-in.
 * SIGHUP, the end of its terminal, ends it. The configuration is compiled twice: first to learn who needs a stand-in, then with what the started ones say.
 */
export async function dev(args: FleetArguments): Promise<number> {
  const request = requestOf(args);
  try {
    const first = await compileFleet(request);
    await using sandboxes = new Sandboxes();
    await sandboxes.start(await sandboxesNeeded(first, request.manifests), DATA);
    if (sandboxes.interrupted) return EXIT.interrupted;
    const config = await compileFleet({ ...request, sandboxes: sandboxes.env });
    const pretty = process.stdout.isTTY === true;
    const log = processLog(config, { pretty, colours: pretty && process.stdout.hasColors() });
    const manifests = new Map<string, BridgeManifest>();
    for (const { name } of config.bridges) {
      const manifest = await request.manifests[name]?.();
      if (manifest !== undefined) manifests.set(name, manifest);
    }
    sandboxes.release();
    return await runFleet(config, log, {
      onHangup: 'stop',
      onReady: (addresses) =>
        tell(devBanner({ addresses, bridges: config.bridges, manifests, summaries: sandboxes.summaries })),
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    tellProblems(error.problems);
    await said();
    return EXIT.config;
  }
}
