import type { FleetRequest } from '#core/config/compile-fleet.ts';
import { Environment } from '#core/config/environment.ts';
import { bridges } from '../../bridges/index.ts';

/** What the command line says about the fleet; the rest of a request is the process's own. */
export type FleetArguments = Omit<FleetRequest, 'environment' | 'manifests' | 'directory' | 'sandboxes'>;

/** The request to compile: the command line's words in this process's surroundings. */
export function requestOf(args: FleetArguments): FleetRequest {
  return { ...args, environment: Environment.ofProcess(), manifests: bridges, directory: process.cwd() };
}
