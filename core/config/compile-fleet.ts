import type { BridgeSettings } from '#core/bridge.ts';
import { refusedBridgeName } from '#core/config/bridge-name.ts';
import {
  type CompileContext,
  compileInline,
  compileManifest,
  compileServer,
  distinctSecrets,
} from '#core/config/compile-bridge.ts';
import { type ConfigFile, readConfigFile } from '#core/config/config-file.ts';
import type { Environment } from '#core/config/environment.ts';
import type { BridgeOrigin, FleetConfig } from '#core/config/fleet-config.ts';
import { poolFromEnvironment } from '#core/config/pool-settings.ts';
import { ConfigError, type Problem, Problems } from '#core/config/problems.ts';
import { type ProcessFlags, processSettings } from '#core/config/process-settings.ts';
import { collectorSecrets } from '#core/config/telemetry-settings.ts';
import type { BridgeManifest } from '#core/manifest.ts';
import { nearNames } from '#core/near-names.ts';

/** The bridges that come with the service, by name; a manifest is loaded only when its bridge is served. */
export type ManifestTable = Readonly<Record<string, () => Promise<BridgeManifest>>>;

/** What is to be served, from the command line. */
export interface FleetRequest {
  readonly environment: Environment;
  readonly manifests: ManifestTable;
  /** Bridges named; with none of them, a config file's servers are all served. */
  readonly names: readonly string[];
  /** Every bridge that comes with the service. */
  readonly all: boolean;
  readonly configFile?: string | undefined;
  /** `--name echo -- command args…` */
  readonly inline?: { readonly name: string | undefined; readonly command: readonly string[] | undefined } | undefined;
  readonly flags: ProcessFlags;
  /** The working directory; relative paths of the command line start there. */
  readonly directory: string;
  /** Variables of started stand-ins, by bridge (see `sandboxesNeeded`). */
  readonly sandboxes?: ReadonlyMap<string, Readonly<Record<string, string>>> | undefined;
}

/** Compiles as far as possible and tells every mistake; `config` has defaults where a value was wrong. */
export async function examineFleet(
  request: FleetRequest,
): Promise<{ readonly config: FleetConfig; readonly problems: readonly Problem[] }> {
  const problems = new Problems();
  const { environment, directory, flags } = request;
  const settings = processSettings(environment, flags, problems);
  const context: CompileContext = {
    environment,
    directory,
    problems,
    poolFromEnvironment: poolFromEnvironment(environment, problems),
  };
  const file = request.configFile === undefined ? undefined : readConfigFile(request.configFile, directory, problems);
  const bridges = new Map<string, BridgeSettings>();
  const origins = new Map<string, BridgeOrigin>();
  for (const name of selection(request, file, problems)) {
    const server = file?.servers.get(name);
    const entry = file === undefined || server === undefined ? undefined : { file, server };
    const manifest = Object.hasOwn(request.manifests, name) ? request.manifests[name] : undefined;
    if (entry?.server.command !== undefined) {
      bridges.set(name, compileServer(name, entry, context));
      origins.set(name, 'config file');
    } else if (manifest !== undefined) {
      bridges.set(name, compileManifest(await manifest(), entry, request.sandboxes?.get(name), context));
      origins.set(name, 'manifest');
    } else if (entry !== undefined) {
      const where = `${entry.file.label} mcpServers.${name}.command`;
      if (!problems.has(where)) problems.add(where, 'is missing; it is the program to run');
    }
  }
  const { name, command } = request.inline ?? {};
  if (name !== undefined && command !== undefined && inlineIsSound(name, command, bridges, problems)) {
    bridges.set(name, compileInline(name, command, context));
    origins.set(name, 'command line');
  }
  const list = [...bridges.values()];
  return {
    config: {
      ...settings,
      bridges: list,
      origins,
      baseEnv: environment.all,
      secrets: distinctSecrets([
        ...list.flatMap((bridge) => bridge.secrets),
        ...Object.values(settings.stores).filter((secret) => secret !== undefined),
        ...collectorSecrets(environment),
      ]),
      warnings: problems.warnings,
    },
    problems: problems.list,
  };
}

/** The configuration a process runs on. @throws ConfigError with every mistake */
export async function compileFleet(request: FleetRequest): Promise<FleetConfig> {
  const { config, problems } = await examineFleet(request);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The bridges that could run against a stand-in since variables are missing: start those and compile again. */
export async function sandboxesNeeded(
  config: FleetConfig,
  manifests: ManifestTable,
): Promise<readonly (BridgeManifest & Required<Pick<BridgeManifest, 'sandbox'>>)[]> {
  const needed: (BridgeManifest & Required<Pick<BridgeManifest, 'sandbox'>>)[] = [];
  for (const { name, mode } of config.bridges) {
    if (mode !== 'not_configured') continue;
    const manifest = await manifests[name]?.();
    if (manifest?.sandbox !== undefined) needed.push({ ...manifest, sandbox: manifest.sandbox });
  }
  return needed;
}

/** The names to serve that exist, in the order they were said. */
function selection(request: FleetRequest, file: ConfigFile | undefined, problems: Problems): ReadonlySet<string> {
  const known = new Set([...Object.keys(request.manifests), ...(file?.servers.keys() ?? [])]);
  const names = new Set<string>();
  for (const name of request.names) {
    if (known.has(name)) {
      names.add(name);
      continue;
    }
    const [near] = nearNames(name, known);
    const hint = near === undefined ? `known are ${[...known].join(', ') || 'none'}` : `did you mean ${near}?`;
    problems.add('serve', `there is no bridge ${JSON.stringify(name)}; ${hint}`);
  }
  if (request.all) for (const name of Object.keys(request.manifests)) names.add(name);
  if (request.names.length === 0) for (const name of file?.servers.keys() ?? []) names.add(name);
  const { name, command } = request.inline ?? {};
  if (name !== undefined && command === undefined)
    problems.add('--name', 'names a command; write it after --: --name echo -- node server.mjs');
  if (name === undefined && command !== undefined)
    problems.add('--', 'a command needs a name; write --name echo -- node server.mjs');
  const nothing = names.size === 0 && name === undefined && command === undefined;
  if (nothing && request.names.length === 0 && file === undefined) {
    problems.add('serve', 'names no bridge; name some, or use --all, --config FILE, or --name NAME -- COMMAND');
  } else if (nothing && file !== undefined && file.servers.size === 0 && problems.list.length === 0) {
    problems.add(`${file.label} mcpServers`, 'has no server; add one');
  }
  return names;
}

function inlineIsSound(
  name: string,
  command: readonly string[],
  bridges: ReadonlyMap<string, BridgeSettings>,
  problems: Problems,
): boolean {
  const refused = refusedBridgeName(name);
  if (refused !== undefined) problems.add('--name', refused);
  if (bridges.has(name)) problems.add('--name', `${name} is served already; choose another name`);
  if (command.length === 0 || command[0] === '')
    problems.add('--', 'no command follows; write --name echo -- node server.mjs');
  return refused === undefined && !bridges.has(name) && command.length > 0 && command[0] !== '';
}
