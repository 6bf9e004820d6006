import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { childEnvironment } from '#core/child/environment.ts';
import { raiseOomScore } from '#core/child/oom-score.ts';
import { BridgeError } from '#core/errors.ts';

export interface SpawnOptions {
  readonly command: string;
  /** Handed over one by one; no shell ever sees them. */
  readonly args: readonly string[];
  /** Set over the allow-listed part of `baseEnv`. */
  readonly env: Readonly<Record<string, string>>;
  readonly baseEnv: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** How a process ended; exactly one of the two is set. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A running process, leader of a process group of its own. */
export interface Child {
  /** Also the id of its process group. */
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Fulfilled when it has exited and was reaped; its pipes may still hold data. Never rejects. */
  readonly exited: Promise<ExitStatus>;
}

/** What to do about the errors that starting a process is known to give. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'the command or its working directory does not exist',
  EACCES: 'the command is not executable',
  EPERM: 'this process may not start it',
  EAGAIN: 'the limit of processes is reached',
  EMFILE: 'the limit of open files of this process is reached',
  ENFILE: 'the limit of open files of this machine is reached',
  ENOMEM: 'there is no memory left for it',
  E2BIG: 'its arguments and environment are too long',
};

/**
 * Starts a process without a shell, in a process group of its own, with three pipes. Whether the system
 * refuses by an exception or by an event, the caller sees the same rejection.
 *
 * @throws BridgeError no_worker_ready, executed `no`; the message names the system's error code
 */
export async function spawnChild(options: SpawnOptions, start: typeof spawn = spawn): Promise<Child> {
  let child: ChildProcess | undefined;
  try {
    child = start(options.command, [...options.args], {
      cwd: options.cwd,
      env: childEnvironment(options.baseEnv, options.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      // A session and group of its own: signals reach what the server starts too, and a terminal's ^C does not.
      detached: true,
      windowsHide: true,
    });
    return await started(child);
  } catch (error) {
    for (const pipe of [child?.stdin, child?.stdout, child?.stderr]) pipe?.destroy();
    throw refusal(error);
  }
}

/** `exit code 1` or `signal SIGKILL`, for messages and logs. */
export function describeExit({ code, signal }: ExitStatus): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

function started(child: ChildProcess): Promise<Child> {
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return new Promise((resolve, reject) => {
    // Stays for good: a later `error` (a signal that could not be sent) must not end this process.
    child.on('error', reject);
    child.once('spawn', () => {
      const { pid, stdin, stdout, stderr } = child;
      if (pid === undefined || stdin === null || stdout === null || stderr === null) {
        reject(new Error('started without a pid or pipes'));
        return;
      }
      // A pipe that breaks is no news here: `exited` tells, and an unheard `error` would end this process.
      for (const pipe of [stdin, stdout, stderr]) pipe.on('error', ignore);
      raiseOomScore(pid);
      resolve({ pid, stdin, stdout, stderr, exited });
    });
  });
}

function ignore(): void {}

function refusal(error: unknown): BridgeError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const advice = ADVICE[code] ?? 'check its command, arguments and environment';
  // The system's own message holds the path of the command: it stays in `cause`, for the log.
  return new BridgeError('no_worker_ready', `the worker could not be started (${code}): ${advice}`, { cause: error });
}
