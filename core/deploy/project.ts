import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { Memory, MODES, type Mode } from '#core/deploy/memory.ts';

/** What names a fleet of containers on an engine, as said on the command line. */
export interface ProjectRequest {
  /** The checkout whose `compose/` holds the files. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly mode?: Mode | undefined;
  readonly monitoring?: boolean | undefined;
  /** Instead of the files of a mode. */
  readonly files?: readonly string[] | undefined;
  readonly name?: string | undefined;
}

const FILES: Readonly<Record<Mode, readonly string[]>> = {
  dev: ['compose.yaml', 'compose.dev.yaml'],
  prod: ['compose.yaml', 'compose.prod.yaml'],
  cluster: ['compose.yaml', 'compose.prod.yaml', 'compose.cluster.yaml'],
  swarm: ['stack.swarm.yaml'],
};
const MONITORING = 'compose.monitoring.yaml';

/** A set of compose files under a name, with what was scaled and deployed remembered beside them. */
export class Project {
  readonly root: string;
  readonly name: string;
  readonly mode: Mode;
  readonly memory: Memory;
  readonly #files: readonly string[];
  /** The process's environment over that of `.env`, as compose has it; a stack is told nothing of `.env` by itself. */
  readonly environment: Readonly<Record<string, string>>;

  constructor(request: ProjectRequest) {
    this.root = request.root;
    const folder = join(request.root, 'compose');
    this.environment = { ...dotEnv(folder), ...request.environment };
    this.name = request.name ?? (this.environment.COMPOSE_PROJECT_NAME || 'fleet');
    this.memory = new Memory(join(folder, '.fleet', `${this.name}.json`));
    const remembered = this.memory.read();
    this.mode = request.mode ?? remembered.mode ?? 'dev';
    const monitoring = request.monitoring ?? (request.mode === undefined && remembered.monitoring === true);
    const own = request.files ?? (request.mode === undefined ? remembered.files : undefined);
    const ofMode = [...FILES[this.mode], ...(monitoring ? [MONITORING] : [])].map((file) => join(folder, file));
    this.#files = own === undefined || own.length === 0 ? ofMode : own.map((file) => resolve(request.root, file));
    this.memory.choose({
      mode: this.mode,
      monitoring,
      files: own === undefined ? [] : this.#files.map((file) => relative(request.root, file)),
    });
  }

  /** Where the files are that compose reads, for messages. */
  get files(): readonly string[] {
    return this.#files.map((file) => relative(process.cwd(), file));
  }

  /** Where the secrets of production are: what compose takes them from, which knows no other rule. */
  get secretsFolder(): string {
    return resolve(this.root, 'compose', this.environment.FLEET_SECRETS || 'secrets');
  }

  /** `docker compose` with the files of this project, and with what is remembered over them. */
  compose(...args: readonly string[]): readonly string[] {
    return this.#compose(this.#withMemory(), args);
  }

  /** The same without what is remembered. */
  filesAlone(...args: readonly string[]): readonly string[] {
    return this.#compose(this.#files, args);
  }

  /** `docker stack deploy` of the same. */
  stackDeploy(): readonly string[] {
    const files = this.#withMemory().flatMap((file) => ['--compose-file', file]);
    return ['stack', 'deploy', '--resolve-image', 'never', ...files, this.name];
  }

  #withMemory(): readonly string[] {
    return this.memory.exists ? [...this.#files, this.memory.path] : this.#files;
  }

  #compose(files: readonly string[], args: readonly string[]): readonly string[] {
    return ['compose', '--project-name', this.name, ...files.flatMap((file) => ['--file', file]), ...args];
  }
}

/** Whether a word names a mode. */
export function isMode(word: string): word is Mode {
  return MODES.some((mode) => mode === word);
}

function dotEnv(folder: string): Readonly<Record<string, string>> {
  try {
    return definedOf(parseEnv(readFileSync(join(folder, '.env'), 'utf8')));
  } catch {
    return {};
  }
}

function definedOf(variables: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const defined: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) defined[name] = value;
  return defined;
}
