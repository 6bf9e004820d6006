import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The checkout, which containers see at the same path, read-only. */
export const ROOT = resolve(import.meta.dirname, '../../..');

/** What a container is started with; its name is unique by the stage's. */
export interface ContainerOptions {
  readonly image: string;
  /** The first of them at its start, the others before it runs. */
  readonly networks?: readonly { readonly name: string; readonly aliases?: readonly string[] }[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments of `docker create`. */
  readonly options?: readonly string[];
  readonly command?: readonly string[];
}

/** One command of the engine's client. @throws Error with what it said, where it failed */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run('docker', args, { maxBuffer: 64 << 20, timeout: 60_000 });
  return (stdout + (args[0] === 'logs' ? stderr : '')).trim();
}

/** Containers and networks of one test file, and a folder they share with it; all gone at disposal. */
export class Stage implements AsyncDisposable {
  readonly #id = `fleet-test-${randomBytes(4).toString('hex')}`;
  readonly #containers: string[] = [];
  readonly #networks: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'stage-'));

  /** A network of its own; an internal one leads nowhere else. */
  async network(name: string, { internal = true }: { readonly internal?: boolean } = {}): Promise<string> {
    const network = `${this.#id}-${name}`;
    await docker('network', 'create', ...(internal ? ['--internal'] : []), network);
    this.#networks.push(network);
    return network;
  }

  /** Starts a container and returns its name. */
  async start(
    name: string,
    { image, networks = [], env = {}, options = [], command = [] }: ContainerOptions,
  ): Promise<string> {
    const container = `${this.#id}-${name}`;
    const [first, ...others] = networks;
    const attach = (network: typeof first): string[] =>
      (network?.aliases ?? []).flatMap((alias) => [network === first ? '--network-alias' : '--alias', alias]);
    await docker(
      'create',
      '--name',
      container,
      '--label',
      'fleet-test',
      ...(first === undefined ? [] : ['--network', first.name, ...attach(first)]),
      ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...options,
      image,
      ...command,
    );
    this.#containers.push(container);
    for (const network of others) await docker('network', 'connect', ...attach(network), network.name, container);
    await docker('start', container);
    return container;
  }

  /** The address of a container on a network. */
  async address(container: string, network: string): Promise<string> {
    return docker('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);
  }

  /** The port of this machine that leads to a container's port. */
  async published(container: string, port: number): Promise<number> {
    const [line = ''] = (await docker('port', container, String(port))).split('\n');
    return Number(line.split(':').at(-1));
  }

  async remove(...containers: readonly string[]): Promise<void> {
    await docker('rm', '--force', '--volumes', ...containers);
    for (const container of containers) this.#containers.splice(this.#containers.indexOf(container), 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#containers.length > 0) await this.remove(...this.#containers);
    if (this.#networks.length > 0) await docker('network', 'rm', ...this.#networks);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
