import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Agent } from 'undici';
import { until } from './until.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FLEET = join(ROOT, 'core/cli/fleet.ts');
export const FAKE_CHILD = join(ROOT, 'test/fixtures/fake-child.mjs');

/** A start takes half a second where a processor is free. */
const START_DEADLINE_MS = 25_000;

/** One line of the process's log. */
export interface LogLine {
  readonly msg: string;
  readonly level: number | string;
  readonly [member: string]: unknown;
}

/** What came back: the body read as text, and parsed where it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  readonly json: any;
}

export interface FleetOptions {
  /** Arguments of `fleet`; default `serve --config <the file made from config>`. */
  readonly args?: readonly string[];
  readonly config?: { readonly mcpServers: Readonly<Record<string, object>> };
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node, before the command. */
  readonly nodeOptions?: readonly string[];
  /** False: the process is handed over without waiting for its `ready` line. */
  readonly awaitReady?: boolean;
  /** A shell command run first in the same process, e.g. `ulimit -n 64`. */
  readonly limits?: string;
  /** Run as this user (only root may). */
  readonly uid?: number;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly method?: string;
}

/** A running `fleet` process, spoken to from outside only. */
export class Fleet implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly log: LogLine[] = [];
  /** Everything written to stdout that is no JSON, and all of stderr. */
  readonly output: string[] = [];
  url = '';
  opsUrl = '';
  readonly #dir: string;
  readonly #agent = new Agent({ connections: 512, pipelining: 1, keepAliveTimeout: 1_000 });
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(options: FleetOptions) {
    this.#dir = mkdtempSync(join(tmpdir(), 'fleet-'));
    const configFile = join(this.#dir, 'fleet.config.json');
    if (options.config) writeFileSync(configFile, JSON.stringify(options.config));
    if (options.uid !== undefined) chmodSync(this.#dir, 0o755);
    const command = [
      process.execPath,
      ...(options.nodeOptions ?? []),
      FLEET,
      ...(options.args ?? ['serve', '--config', configFile]),
    ];
    const limited = ['sh', '-c', `${options.limits ?? ':'}; exec "$0" "$@"`, ...command];
    const [file = '', ...args] = options.limits === undefined ? command : limited;
    this.process = spawn(file, args, {
      cwd: ROOT,
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        NODE_COMPILE_CACHE: join(ROOT, '.cache/node'),
        PORT: '0',
        OPS_PORT: '0',
        ...options.env,
      },
    });
    this.#ended = new Promise((resolveEnd) => {
      this.process.once('exit', (code, signal) => resolveEnd({ code, signal }));
    });
    if (this.process.stdout) {
      createInterface({ input: this.process.stdout }).on('line', (line) => {
        try {
          this.log.push(JSON.parse(line));
        } catch {
          this.output.push(line);
        }
      });
    }
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.output.push(text));
  }

  /** Starts `fleet` and waits until it says that it is ready. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    if (options.awaitReady === false) return fleet;
    try {
      const isReady = () => {
        if (fleet.process.exitCode !== null) throw new Error('fleet ended early');
        return fleet.log.find(({ msg }) => msg === 'ready');
      };
      const ready = await until('fleet is ready', isReady, { timeoutMs: START_DEADLINE_MS }).catch((error: Error) => {
        throw new Error(`${error.message}: ${fleet.everything()}`, { cause: error });
      });
      fleet.url = String(ready.url);
      fleet.opsUrl = String(ready.opsUrl);
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts one bridge `fake` on the fake child; `env` are its FAKE_ options, the rest its configuration. */
  static fake(
    env: Readonly<Record<string, string>> = {},
    settings: Readonly<Record<string, unknown>> = {},
    options: FleetOptions = {},
  ): Promise<Fleet> {
    const config = { mcpServers: { fake: { command: process.execPath, args: [FAKE_CHILD], env, ...settings } } };
    return Fleet.start({ config, ...options });
  }

  everything(): string {
    return [...this.log.map((line) => JSON.stringify(line)), ...this.output].join('\n');
  }

  request(path: string, body: unknown, options: RequestOptions = {}): Promise<Answer> {
    return this.#request(this.url + path, body, options);
  }

  /** Calls a tool of the bridge `fake`. */
  call(tool: string, args: Readonly<Record<string, unknown>> = {}, options: RequestOptions = {}): Promise<Answer> {
    return this.request(`/fake/mcp/tools/${tool}`, args, options);
  }

  ops(path: string): Promise<Answer> {
    return this.#request(this.opsUrl + path, undefined, { method: 'GET' });
  }

  /** The status of one bridge, as the ops port tells it. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  async status(bridge = 'fake'): Promise<any> {
    const { json } = await this.ops('/status');
    return json.bridges[bridge];
  }

  /** Sends a signal to the process and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.process.kill(signal);
    return this.#ended;
  }

  get ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      const patience = setTimeout(() => this.process.kill('SIGKILL'), 12_000);
      await this.#ended;
      clearTimeout(patience);
    }
    await this.#agent.destroy();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #request(url: string, body: unknown, options: RequestOptions): Promise<Answer> {
    const { origin, pathname, search } = new URL(url);
    const answer = await this.#agent.request({
      origin,
      path: pathname + search,
      method: (options.method ?? 'POST') as 'POST',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      ...(options.signal ? { signal: options.signal } : {}),
      headersTimeout: 60_000,
    });
    const text = await answer.body.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: answer.statusCode, headers: answer.headers, text, json };
  }
}
