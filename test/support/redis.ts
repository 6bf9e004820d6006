import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { redisBinary } from './redis-binary.ts';
import { until } from './until.ts';

/** A real Redis of its own for a test: on loopback, in a temporary folder, gone afterwards. */
export interface TestRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:PORT`, with the password where there is one. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** SIGSTOP: it takes connections (the kernel does) and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL; resolves when it is gone. Idempotent. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data, after killing it where it still runs. */
  restart(): Promise<void>;
}

/** What a test wants different. */
export interface TestRedisOptions {
  /** Keeps every write in an append-only file before it answers, so that `restart` has them all. */
  readonly appendfsync?: 'always';
  /** Default: a free one. */
  readonly port?: number;
  readonly password?: string;
  /** More of redis-server's own arguments, e.g. `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
}

const START_DEADLINE_MS = 10_000;
const MAX_PORTS = 3;

/**
 * Starts it and waits until it answers PING, in some 20 ms.
 * @throws Error saying what to install where there is no Redis on this machine
 */
export async function startTestRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const binary = await redisBinary();
  const folder = await mkdtemp(join(tmpdir(), 'fleet-redis-'));
  try {
    for (let turn = 1; ; turn++) {
      const server = new Server(binary, folder, options.port ?? (await freePort()), options);
      try {
        await server.start();
        return server;
      } catch (error) {
        // Somebody may have taken the port between the look and the start.
        if (options.port !== undefined || turn === MAX_PORTS) throw error;
      }
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

class Server implements TestRedis {
  readonly port: number;
  readonly url: string;
  readonly #binary: string;
  readonly #folder: string;
  readonly #options: TestRedisOptions;
  #child: ChildProcess | undefined;
  /** A run that is broken off leaves no Redis behind. */
  readonly #atExit = (): void => {
    this.#child?.kill('SIGKILL');
  };

  constructor(binary: string, folder: string, port: number, options: TestRedisOptions) {
    this.#binary = binary;
    this.#folder = folder;
    this.port = port;
    this.#options = options;
    this.url = `redis://${options.password === undefined ? '' : `:${options.password}@`}127.0.0.1:${port}`;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('this Redis does not run');
    return this.#child.pid;
  }

  async start(): Promise<void> {
    const { appendfsync, password, args = [] } = this.#options;
    const child = spawn(
      this.#binary,
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''],
        ...(appendfsync === undefined ? [] : ['--appendonly', 'yes', '--appendfsync', appendfsync]),
        ...(password === undefined ? [] : ['--requirepass', password]),
        ...args,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    process.once('exit', this.#atExit);
    let said = '';
    const keep = (chunk: Buffer): void => {
      said = (said + chunk).slice(-2_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', keep);
    const gone = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
    try {
      await until('Redis answers PING', async () => gone() || this.#answers(), { timeoutMs: START_DEADLINE_MS });
      if (gone()) throw new Error('Redis ended while it started');
    } catch (error) {
      await this.kill();
      throw new Error(`${this.#binary} did not start:\n${said}`, { cause: error });
    }
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    process.off('exit', this.#atExit);
    if (child === undefined || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Whether it is this Redis that answers: another's would have ended ours with a port in use. */
  #answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(500, () => socket.destroy());
    socket.once('data', (answer) => {
      resolve(/^(\+PONG|-NOAUTH)/.test(answer.toString('latin1')));
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(false));
    return promise;
  }
}
