import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './stage.ts';

const run = promisify(execFile);

/** Files of compose/ in the order in which they are given. */
export type Files = readonly string[];

/** The modes a stack is brought up in, by their files. */
export const MODES = {
  dev: ['compose.yaml', 'compose.dev.yaml'],
  prod: ['compose.yaml', 'compose.prod.yaml'],
  cluster: ['compose.yaml', 'compose.prod.yaml', 'compose.cluster.yaml'],
  monitoring: ['compose.yaml', 'compose.prod.yaml', 'compose.monitoring.yaml'],
} as const satisfies Record<string, Files>;

export interface ComposeOptions {
  /** Of the shell; nothing of this process's own settings gets through but what the client needs. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further files, e.g. one that a test has written. */
  readonly more?: Files;
  /** Read instead of compose/.env, which is somebody's own. */
  readonly envFile?: string;
}

/** A stack of its own, brought up from the files as they are; gone with its volumes at disposal. */
export class ComposeStack implements AsyncDisposable {
  readonly project = `fleet-test-${randomBytes(4).toString('hex')}`;
  readonly folder = mkdtempSync(join(tmpdir(), 'compose-'));
  readonly #arguments: readonly string[];
  readonly #env: Readonly<Record<string, string | undefined>>;
  #isUp = false;

  constructor(files: Files, { env = {}, more = [], envFile = '/dev/null' }: ComposeOptions = {}) {
    const paths = [...files.map((file) => join(ROOT, 'compose', file)), ...more];
    this.#arguments = ['--project-name', this.project, '--env-file', envFile, ...paths.flatMap((path) => ['-f', path])];
    const { PATH, HOME, DOCKER_CONFIG, DOCKER_HOST } = process.env;
    this.#env = { PATH, HOME, DOCKER_CONFIG, DOCKER_HOST, ...env };
  }

  /** One command of compose. @throws Error with what it said, where it failed */
  async compose(...args: readonly string[]): Promise<string> {
    if (args[0] === 'up') this.#isUp = true;
    const { stdout } = await run('docker', ['compose', ...this.#arguments, ...args], {
      env: this.#env,
      maxBuffer: 64 << 20,
      timeout: 170_000,
    });
    return stdout.trim();
  }

  /** The files as compose understands them together. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary members
  async config(): Promise<any> {
    return JSON.parse(await this.compose('config', '--format', 'json'));
  }

  /** The name of a service's container. */
  container(service: string, replica = 1): string {
    return `${this.project}-${service}-${replica}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isUp) await this.compose('down', '--volumes', '--timeout', '5');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
