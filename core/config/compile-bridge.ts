import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BridgeSettings } from '#core/bridge.ts';
import { fullBreaker } from '#core/config/breaker-settings.ts';
import type { ConfigFile } from '#core/config/config-file.ts';
import type { Environment } from '#core/config/environment.ts';
import { expand } from '#core/config/expand.ts';
import type { FileServer } from '#core/config/file-schema.ts';
import { missingVariables } from '#core/config/missing-variables.ts';
import { mergePool, type PoolLayer } from '#core/config/pool-settings.ts';
import type { Problems } from '#core/config/problems.ts';
import { compileTools, type PartialToolPolicy } from '#core/config/tool-policy.ts';
import type { BridgeManifest } from '#core/manifest.ts';

/** What compiling any bridge needs. */
export interface CompileContext {
  readonly environment: Environment;
  /** `POOL_*`: above the file and the manifest. */
  readonly poolFromEnvironment: PoolLayer;
  /** The process's working directory. */
  readonly directory: string;
  readonly problems: Problems;
}

/** A file's entry for a bridge, with what its messages and paths refer to. */
export interface FileEntry {
  readonly file: ConfigFile;
  readonly server: FileServer;
}

/** A server named on the command line: `--name echo -- command args…`. */
export function compileInline(name: string, command: readonly string[], context: CompileContext): BridgeSettings {
  const [program = '', ...args] = command;
  return {
    ...described(name),
    mode: 'live',
    missing: [],
    command: program,
    args,
    env: {},
    cwd: context.directory,
    secrets: [],
    pool: mergePool(name, [context.poolFromEnvironment], context.problems),
    era: 'auto',
    validateOutput: false,
    principalMeta: false,
    pinFile: undefined,
    breaker: fullBreaker(),
    ...compileTools({}, name, context.problems),
  };
}

/** A server that a config file defines; `entry.server.command` is there. */
export function compileServer(name: string, { file, server }: FileEntry, context: CompileContext): BridgeSettings {
  const { environment, problems } = context;
  const where = `${file.label} mcpServers.${name}`;
  const secrets: string[] = [];
  const put = (text: string, key: string): string => {
    const expanded = expand(text, environment, `${where}.${key}`, problems);
    secrets.push(...expanded.values);
    return expanded.text;
  };
  const cwd = resolve(file.directory, server.cwd ?? '.');
  if (!isDirectory(cwd)) problems.add(`${where}.cwd`, 'is not a folder; it is relative to the config file');
  const args = (server.args ?? []).map((arg, i) => {
    const text = put(arg, `args.${i}`);
    if (text !== arg)
      problems.warn(
        `${where}.args.${i}`,
        'is visible in the process list with its variables put in; pass secrets in env',
      );
    return text;
  });
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(server.env ?? {})) {
    const text = put(value, `env.${key}`);
    env[key] = text;
    if (soundsSecret(key)) secrets.push(text);
  }
  return {
    ...described(name),
    mode: 'live',
    missing: [],
    command: server.command ?? '',
    args,
    env,
    cwd,
    secrets: distinctSecrets(secrets),
    pool: mergePool(name, [context.poolFromEnvironment, poolLayer(server, where)], problems),
    era: server.era ?? 'auto',
    validateOutput: server.validateOutput ?? false,
    principalMeta: server.principalMeta ?? false,
    pinFile: server.pinFile === undefined ? undefined : resolve(file.directory, server.pinFile),
    breaker: fullBreaker(server.breaker),
    ...compileTools(server.tools ?? {}, `${where}.tools`, problems),
  };
}

/**
 * A bridge that comes with the service, refined by a config file's entry without a command. Its server gets the
 * variables its manifest names and nothing else. With `sandboxEnv` a bridge that lacks a required variable runs
 * against its stand-in: it then gets no secret of the operator's at all.
 */
export function compileManifest(
  manifest: BridgeManifest,
  entry: FileEntry | undefined,
  sandboxEnv: Readonly<Record<string, string>> | undefined,
  context: CompileContext,
): BridgeSettings {
  const { environment, problems, poolFromEnvironment } = context;
  const { name, server } = manifest;
  const where = entry === undefined ? name : `${entry.file.label} mcpServers.${name}`;
  const refined = entry?.server ?? {};
  for (const key of ['args', 'cwd'] as const) {
    if (refined[key] !== undefined)
      problems.add(`${where}.${key}`, 'belongs to a command of your own; set command too, or remove it');
  }
  const own: Record<string, string> = {};
  const secrets: string[] = [];
  for (const variable of manifest.environment) {
    const fromFile = refined.env?.[variable.name];
    const said =
      fromFile === undefined
        ? undefined
        : expand(fromFile, environment, `${where}.env.${variable.name}`, problems).text;
    const value =
      said || (variable.secret ? environment.secret(variable.name, problems, 'unset') : environment.get(variable.name));
    if (value === undefined) continue;
    own[variable.name] = value;
    if (variable.secret) secrets.push(value);
  }
  for (const key of Object.keys(refined.env ?? {})) {
    if (manifest.environment.every((variable) => variable.name !== key)) {
      problems.add(`${where}.env.${key}`, `is not a variable of bridge ${name}; remove it`);
    }
  }
  const missing = missingVariables(manifest, own, problems);
  const sandboxed = missing.length > 0 && sandboxEnv !== undefined;
  if (sandboxed) for (const { name: variable, secret } of manifest.environment) if (secret) delete own[variable];
  const runs =
    'module' in server ? moduleServer(server.module, context) : { ...server, env: {}, cwd: context.directory };
  return {
    name,
    title: manifest.title,
    description: manifest.description,
    mode: missing.length === 0 ? 'live' : sandboxed ? 'sandbox' : 'not_configured',
    missing,
    command: runs.command,
    args: runs.args,
    env: {
      ...runs.env,
      ...own,
      ...(sandboxed ? sandboxEnv : {}),
    },
    cwd: runs.cwd,
    secrets: distinctSecrets(secrets),
    pool: mergePool(
      name,
      [
        poolFromEnvironment,
        poolLayer(refined, where),
        // Of many stand-ins on one machine few are called: each rests until then.
        ...(sandboxed ? [{ values: { min: 0 }, where: () => `the stand-in of ${name}` }] : []),
        { values: manifest.pool ?? {}, where: () => `the manifest of ${name}` },
      ],
      problems,
    ),
    era: refined.era ?? manifest.era ?? 'auto',
    validateOutput: refined.validateOutput ?? false,
    principalMeta: refined.principalMeta ?? manifest.principalMeta ?? false,
    pinFile:
      entry === undefined || refined.pinFile === undefined ? undefined : resolve(entry.file.directory, refined.pinFile),
    breaker: fullBreaker(refined.breaker),
    ...compileTools(mergeTools(manifest.tools, refined.tools), `${where}.tools`, problems),
  };
}

/** A module of ours runs under this very Node, and shares its compile cache so that TypeScript starts fast. */
function moduleServer(module: URL, { environment, directory }: CompileContext) {
  const path = fileURLToPath(module);
  const compileCache = environment.get('NODE_COMPILE_CACHE');
  return {
    command: process.execPath,
    args: [path],
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: resolve(directory, compileCache) },
    cwd: dirname(path),
  };
}

/** The file's word on a tool goes member by member over the manifest's. */
function mergeTools(
  manifest: Readonly<Record<string, PartialToolPolicy>>,
  file: Readonly<Record<string, PartialToolPolicy>> = {},
): Readonly<Record<string, PartialToolPolicy>> {
  const merged = Object.entries(file).map(([tool, said]) => [tool, { ...manifest[tool], ...said }]);
  return { ...manifest, ...Object.fromEntries(merged) };
}

function poolLayer(server: FileServer, where: string): PoolLayer {
  return { values: server.pool ?? {}, where: (key) => `${where}.pool.${key}` };
}

function described(name: string): { readonly name: string; readonly title: string; readonly description: string } {
  return { name, title: name, description: '' };
}

function soundsSecret(name: string): boolean {
  return /key|token|secret|pass|pwd|credential|auth|cookie|dsn|private|_url$|_uri$/i.test(name);
}

/** Every value once, with the password inside an address, which may be printed on its own. */
export function distinctSecrets(values: readonly string[]): readonly string[] {
  const all = new Set<string>();
  for (const value of values) {
    if (value === '') continue;
    all.add(value);
    const password = URL.parse(value)?.password;
    if (password) all.add(password).add(decoded(password));
  }
  return [...all];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
