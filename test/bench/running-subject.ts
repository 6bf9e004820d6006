import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { firstCall } from './drive/client.ts';
import type { Job, JobReply, JobResults } from './drive/jobs.ts';
import { type ProcessStat, processTree, stillRuns } from './procfs.ts';
import { type ChildName, childModule, type Subject } from './subjects.ts';

const START_MS = 20_000;
const JOB_MS = 60_000;
const CLIENT_MS = 500;
const STOP_MS = 8_000;
const GENERATOR = fileURLToPath(new URL('drive/generator.ts', import.meta.url));

export interface StartOptions {
  readonly child: ChildName;
  /** Folder for NODE_COMPILE_CACHE; none: not set. */
  readonly compileCache?: string | undefined;
  /** For this Node before the subject's own, e.g. --cpu-prof. */
  readonly nodeArgs?: readonly string[];
}

/** Everything started and not yet stopped, for a run that is interrupted. */
const running = new Set<RunningSubject>();
/** Set by `stopAll`: nothing new is started. */
let closed = false;

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return await promise;
}

async function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timeout = delay(ms, undefined, { signal: late.signal }).then(() => {
    throw new Error(`not within ${ms} ms: ${what}`);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    late.abort();
    timeout.catch(() => undefined);
  }
}

/** Subjects see a plain environment, so that a developer's own settings change nothing. */
function environment(compileCache: string | undefined): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, ...(compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }) };
}

/** A subject's process in a process group of its own, and the generator beside it. */
export class RunningSubject {
  readonly subject: Subject;
  readonly port: number;
  readonly #dir: string;
  readonly #process: ChildProcess | undefined;
  readonly #options: StartOptions;
  #generator: ChildProcess | undefined;
  #stopped: Promise<void> | undefined;

  private constructor(subject: Subject, options: StartOptions, dir: string, port: number, opsPort: number) {
    this.subject = subject;
    this.port = port;
    this.#dir = dir;
    this.#options = options;
    this.#process = this.#spawn(opsPort);
    running.add(this);
  }

  /** Spawns; nothing is known of it before the first call. @throws Error after `stopAll` */
  static async spawn(subject: Subject, options: StartOptions): Promise<RunningSubject> {
    const [port, opsPort] = [await freePort(), await freePort()];
    if (closed) throw new Error('the run has ended');
    return new RunningSubject(subject, options, mkdtempSync(join(tmpdir(), 'fleet-bench-')), port, opsPort);
  }

  /** Ends whatever runs, now and for good: the end of a run, also of an interrupted one. */
  static async stopAll(): Promise<void> {
    closed = true;
    await Promise.all([...running].map((subject) => subject.stop()));
  }

  /** The process whose tree is the subject; for a pipe that is the generator. */
  get pid(): number {
    return this.#process?.pid ?? this.#generator?.pid ?? -1;
  }

  /**
   * Settles with the first right answer. With `farewell` the client ends its session, where there are sessions.
   * @throws Error with the subject's last words where no right answer comes
   */
  async firstCall({ farewell }: { readonly farewell: boolean }): Promise<void> {
    const { server } = this.subject;
    const gone = this.#process;
    if (server === undefined || gone === undefined) return;
    const giveUpAt = performance.now() + START_MS;
    for (;;) {
      try {
        const client = firstCall(server.dialect, this.port);
        const { connection, dialect } = await within('the first call', START_MS, client);
        if (farewell && dialect.farewell !== undefined) {
          await within('the end of a session', START_MS, connection.ask(dialect.farewell));
        }
        connection.close();
        return;
      } catch (error) {
        const ended = gone.exitCode !== null || gone.signalCode !== null;
        if (ended || performance.now() > giveUpAt) {
          const reason = error instanceof Error ? error.message : String(error);
          throw new Error(`${this.subject.name} does not start: ${reason}\n${this.#lastWords()}`);
        }
        await delay(2);
      }
    }
  }

  /** Starts the generator and checks whole answers once. @throws Error where one is wrong */
  async drive(verify: (Job & { job: 'open' })['verify']): Promise<void> {
    if (closed) throw new Error('the run has ended');
    this.#generator = fork(GENERATOR, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    const { server } = this.subject;
    const target =
      server === undefined
        ? ({ kind: 'pipe', command: process.execPath, args: [childModule(this.#options.child)] } as const)
        : ({ kind: 'http', dialect: server.dialect, port: this.port } as const);
    await this.job({ job: 'open', target, verify });
  }

  /** @throws Error where the job fails or does not end in time */
  async job<J extends Job>(job: J): Promise<JobResults[J['job']]> {
    const generator = this.#generator;
    if (generator?.connected !== true) throw new Error(`${this.subject.name}: it has no generator`);
    const { promise, resolve, reject } = Promise.withResolvers<JobReply>();
    generator.once('message', resolve);
    const exited = (): void => reject(new Error(`${this.subject.name}: its generator ended during ${job.job}`));
    generator.once('exit', exited);
    generator.send(job);
    const ms = JOB_MS + (job.job === 'clients' ? job.count * CLIENT_MS : 0);
    try {
      const reply = await within(`${this.subject.name}: ${job.job}`, ms, promise);
      if (!reply.ok) throw new Error(`${this.subject.name}: ${job.job}: ${reply.message}\n${this.#lastWords()}`);
      return reply.result as JobResults[J['job']];
    } finally {
      generator.off('message', resolve);
      generator.off('exit', exited);
    }
  }

  /** SIGTERM, then SIGKILL for all that descended from it. Idempotent, never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #spawn(opsPort: number): ChildProcess | undefined {
    const { server } = this.subject;
    if (server === undefined) return undefined;
    const child = childModule(this.#options.child);
    const place = { port: this.port, opsPort, child, dir: this.#dir };
    const argv = server.argv(place);
    // A file and not a pipe: reading a subject's log would cost the harness CPU that the subject needs.
    const log = openSync(join(this.#dir, 'log'), 'a');
    const started = spawn(process.execPath, [...(this.#options.nodeArgs ?? []), ...argv], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...environment(this.#options.compileCache), ...server.env?.(place) },
      cwd: this.#dir,
    });
    started.on('error', () => undefined);
    closeSync(log);
    return started;
  }

  async #stop(): Promise<void> {
    const generator = this.#generator;
    if (generator?.connected === true) generator.disconnect();
    if (generator !== undefined) await ended(generator, [], 2_000);
    const subject = this.#process;
    if (subject?.pid !== undefined) {
      const tree = processTree(subject.pid);
      subject.kill('SIGTERM');
      await ended(subject, tree, STOP_MS);
    }
    running.delete(this);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #lastWords(): string {
    try {
      return readFileSync(join(this.#dir, 'log'), 'utf8').slice(-2_000);
    } catch {
      return '';
    }
  }
}

/** Waits for a process and all of its tree to end; kills by pid what has not, only where it is still the same process. */
async function ended(root: ChildProcess, tree: readonly ProcessStat[], ms: number): Promise<void> {
  const giveUpAt = performance.now() + ms;
  const left = (): boolean => root.exitCode === null && root.signalCode === null;
  while (left() || tree.some(stillRuns)) {
    if (performance.now() > giveUpAt) {
      if (left()) root.kill('SIGKILL');
      for (const process_ of tree.filter(stillRuns)) {
        try {
          process.kill(process_.pid, 'SIGKILL');
        } catch {
          // ended just now
        }
      }
      return;
    }
    await delay(5);
  }
}
