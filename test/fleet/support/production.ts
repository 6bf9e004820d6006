import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../../support/free-port.ts';
import { docker, ROOT } from './stage.ts';

/** What a command came to. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProductionOptions {
  readonly mode: 'prod' | 'swarm';
  /** Settings, as of the shell. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files of the folder of secrets that an operator writes before the first start. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** What the suites say while they run: on standard error, so that somebody who watches knows where they are. */
export function tell(line: string): void {
  process.stderr.write(`# ${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

/** A fleet under a name of its own, handled by the project's own commands and nothing else. */
export class Production implements AsyncDisposable {
  readonly project = `production-${randomBytes(3).toString('hex')}`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'production-'));
  readonly secrets = join(this.#folder, 'secrets');
  readonly #env: Record<string, string | undefined>;
  readonly #images: string[] = [];
  httpsPort = '';

  private constructor({ mode, env = {} }: ProductionOptions) {
    const { PATH, HOME, DOCKER_CONFIG, DOCKER_HOST } = process.env;
    this.mode = mode;
    this.#env = {
      ...{ PATH, HOME, DOCKER_CONFIG, DOCKER_HOST, NODE_COMPILE_CACHE: join(ROOT, '.cache/node') },
      ...{ FLEET_SECRETS: this.secrets, FLEET_TAG: 'test', BIND_ADDRESS: '127.0.0.1' },
      ...env,
    };
  }

  readonly mode: 'prod' | 'swarm';

  static async create(options: ProductionOptions): Promise<Production> {
    const production = new Production(options);
    mkdirSync(production.secrets, { mode: 0o700 });
    for (const [name, value] of Object.entries(options.secrets ?? {})) {
      writeFileSync(join(production.secrets, name), `${value}\n`);
    }
    production.httpsPort = String(await freePort());
    production.#env.HTTPS_PORT = production.httpsPort;
    production.#env.HTTP_PORT = String(await freePort());
    return production;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.httpsPort}`;
  }

  /** `fleet …`, told the name of the project. */
  async fleet(...args: readonly string[]): Promise<Ran> {
    tell(`fleet ${args.join(' ')}`);
    const command = ['core/cli/fleet.ts', ...args, '--project-name', this.project];
    const child = spawn(process.execPath, command, { cwd: ROOT, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
    return { code, stdout, stderr };
  }

  /** The same. @throws Error with what it said, where it ended with another code than 0 */
  async mustFleet(...args: readonly string[]): Promise<Ran> {
    const ran = await this.fleet(...args);
    if (ran.code !== 0) throw new Error(`fleet ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
    return ran;
  }

  /** The names of the containers of a service (all services without one) that run, oldest first. */
  async containers(service?: string): Promise<readonly string[]> {
    const swarm = this.mode === 'swarm';
    const filters = swarm
      ? [`label=com.docker.stack.namespace=${this.project}`]
      : [`label=com.docker.compose.project=${this.project}`];
    if (service !== undefined) {
      filters.push(
        swarm
          ? `label=com.docker.swarm.service.name=${this.project}_${service}`
          : `label=com.docker.compose.service=${service}`,
      );
    }
    const listed = await docker('ps', ...filters.flatMap((filter) => ['--filter', filter]), '--format', '{{.Names}}');
    return listed
      .split('\n')
      .filter(Boolean)
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  /** The image of a bridge under another tag, by further lines of a Dockerfile; gone at disposal. */
  async image(bridge: string, tag: string, lines: string): Promise<string> {
    const full = `${this.project}-${tag}`;
    const image = `mcp-bridge-${bridge}:${full}`;
    const child = spawn('docker', ['build', '--quiet', '--tag', image, '-'], {
      env: this.#env,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    child.stdin.end(`FROM mcp-bridge-${bridge}:test\n${lines}\n`);
    const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
    if (code !== 0) throw new Error(`docker build of ${image} failed: ${stderr}`);
    this.#images.push(image);
    return full;
  }

  /** What the ops port of a bridge's container answers. */
  ops(container: string, path: string): Promise<string> {
    const script = `fetch('http://127.0.0.1:9464${path}').then((answer) => answer.text()).then(console.log)`;
    return docker('exec', container, 'node', '-e', script);
  }

  /** How many calls each container has answered, by its own count. */
  async answered(containers: readonly string[]): Promise<readonly number[]> {
    const metrics = await Promise.all(containers.map((container) => this.ops(container, '/metrics')));
    return metrics.map((page) => {
      let sum = 0;
      for (const [, count] of page.matchAll(/^bridge_calls_total\{[^}]*\} (\d+)/gm)) sum += Number(count);
      return sum;
    });
  }

  /** One statement as the owner of the database. */
  async sql(database: string, statement: string): Promise<string> {
    const [container = ''] = await this.containers('postgres');
    const script =
      'PGPASSWORD=$(cat /run/secrets/postgres_password) exec psql -h 127.0.0.1 -U postgres -v ON_ERROR_STOP=1 -Atq "$@"';
    return docker('exec', container, 'sh', '-c', script, 'psql', '-d', database, '-c', statement);
  }

  /** What of it is on the engine, stopped or not. */
  async left(): Promise<Readonly<Record<'containers' | 'networks' | 'volumes', string>>> {
    const filter = ['--filter', `label=${this.#label}`];
    return {
      containers: await docker('ps', '--all', '--quiet', ...filter),
      networks: await docker('network', 'ls', '--quiet', ...filter),
      volumes: await docker('volume', 'ls', '--quiet', ...filter),
    };
  }

  get #label(): string {
    return `${this.mode === 'swarm' ? 'com.docker.stack.namespace' : 'com.docker.compose.project'}=${this.project}`;
  }

  /** By force, and only what bears its name: also what a command that failed has left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const lines = (listed: string) => listed.split('\n').filter(Boolean);
    const { containers } = await this.left();
    if (containers !== '') await docker('rm', '--force', '--volumes', ...lines(containers));
    const { networks, volumes } = await this.left();
    if (networks !== '') await docker('network', 'rm', ...lines(networks));
    if (volumes !== '') await docker('volume', 'rm', '--force', ...lines(volumes));
    if (this.#images.length > 0) await docker('rmi', '--force', ...this.#images);
    const memory = join(ROOT, 'compose/.fleet', `${this.project}.json`);
    for (const path of [memory, `${memory}.lock`, this.#folder]) rmSync(path, { recursive: true, force: true });
  }
}
