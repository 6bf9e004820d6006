import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';

/** What the `docker` command ended with where that was not 0. The message is fit for a terminal: secrets are hidden. */
export class DockerError extends Error {
  /** The last lines it said, redacted. */
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.name = 'DockerError';
    this.lines = lines;
  }
}

/** How long a command may take, and what ends it before. */
export interface DockerRun {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Told each line as it comes, redacted. */
  readonly onLine?: (line: string) => void;
  readonly input?: string;
}

/** Most that is kept of what a command prints; a `compose config` of the whole fleet has 60 KB. */
const maxOutputBytes = 16 * 1024 * 1024;
const maxErrorLines = 40;
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * The engine, through its own command line client: it knows contexts, TLS, credentials and the compose plugin. Arguments
 * are handed over one by one and no shell sees them. The only file that starts a process in this room.
 */
export class Docker {
  readonly #env: Readonly<Record<string, string>>;
  readonly #redact: (text: string) => string;

  /** @param redact hides what must not be shown in all that `docker` says */
  constructor(env: Readonly<Record<string, string>>, redact: (text: string) => string) {
    // BuildKit is what our Dockerfile's caches need; engines before 23 have it, but not as the default.
    this.#env = { DOCKER_BUILDKIT: '1', COMPOSE_PROGRESS: 'plain', COMPOSE_ANSI: 'never', ...env };
    this.#redact = redact;
  }

  /**
   * Runs to the end and returns what was printed. It has a process group of its own: ^C in the terminal ends what we
   * wait for, never half a step.
   *
   * @throws DockerError where it cannot be started, ends with another code than 0, takes too long or is aborted
   */
  async run(args: readonly string[], { timeoutMs = DEFAULT_TIMEOUT_MS, ...run }: DockerRun = {}): Promise<string> {
    const child = spawn('docker', args, { env: this.#env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    child.stdin.on('error', () => undefined);
    child.stdin.end(run.input ?? '');
    const ended = exitOf(child);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      endGroup(child);
    }, timeoutMs);
    const abort = () => endGroup(child);
    run.signal?.addEventListener('abort', abort, { once: true });
    let stdout = '';
    const lines: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < maxOutputBytes) stdout += text;
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      const shown = this.#redact(stripVTControlCharacters(line)).trimEnd();
      if (shown === '') return;
      lines.push(shown);
      if (lines.length > maxErrorLines) lines.shift();
      run.onLine?.(shown);
    });
    try {
      const code = await ended;
      if (code === 0) return stdout;
      // Some say their last words on standard output.
      if (lines.length === 0) lines.push(...this.redacted(stdout).slice(-maxErrorLines));
      const reason = timedOut ? `took longer than ${timeoutMs / 1000} s` : `ended with ${code}`;
      throw new DockerError(`docker ${verb(args)} ${reason}${lines.length > 0 ? `: ${lines.at(-1)}` : ''}`, lines);
    } finally {
      clearTimeout(timer);
      run.signal?.removeEventListener('abort', abort);
    }
  }

  /** Lines of a container's output, fit to be shown. */
  redacted(text: string): readonly string[] {
    return linesOf(stripVTControlCharacters(this.#redact(text)));
  }

  /** Runs with our own input and output, so that what it prints goes where ours does. Returns its exit code. */
  async hand(args: readonly string[]): Promise<number> {
    const child = spawn('docker', args, { env: this.#env, stdio: 'inherit' });
    const code = await exitOf(child);
    return typeof code === 'number' ? code : 130;
  }
}

/** Its exit code, or the name of the signal that ended it. */
function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      const advice = missing
        ? 'there is no docker on the PATH; install Docker Engine and its compose plugin'
        : error.message;
      reject(new DockerError(`docker cannot be started: ${advice}`, [], { cause: error }));
    });
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'no code'));
  });
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}

/** `compose up`, `service update`: what was done, without the arguments it was done with. */
function verb(args: readonly string[]): string {
  const words = args.filter((word, i) => !word.startsWith('-') && !(args[i - 1] ?? '').startsWith('-'));
  return words.slice(0, words[0] === 'compose' || words[0] === 'service' || words[0] === 'stack' ? 2 : 1).join(' ');
}

/** What a command has listed, one name a line. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter(Boolean);
}
