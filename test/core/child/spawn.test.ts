import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Child, describeExit, type SpawnOptions, spawnChild } from '#core/child/spawn.ts';
import { BridgeError } from '#core/errors.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spawn-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function options(command: string, args: readonly string[] = [], more: Partial<SpawnOptions> = {}): SpawnOptions {
  return { command, args, env: {}, baseEnv: { PATH: process.env.PATH }, cwd: dir, ...more };
}

function node(script: string, args: readonly string[] = [], more: Partial<SpawnOptions> = {}): Promise<Child> {
  return spawnChild(options(process.execPath, ['-e', script, ...args], more));
}

async function output(child: Child): Promise<string> {
  const [said] = await Promise.all([text(child.stdout as Readable), child.exited]);
  return said;
}

async function refusal(attempt: Promise<Child>): Promise<BridgeError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BridgeError);
  expect(error).toMatchObject({ code: 'no_worker_ready', executed: 'no' });
  return error as BridgeError;
}

describe('a started process', () => {
  it('gets its arguments as they are: no shell sees them', async () => {
    const args = ['$HOME', '; touch pwned', '`id`', '"quoted" \\', 'ü €'];
    const child = await node('console.log(JSON.stringify(process.argv.slice(1)))', args);
    expect(JSON.parse(await output(child))).toEqual(args);
  });

  it('sees no variable of ours that is not on the list, and all that are configured', async () => {
    const baseEnv = { PATH: '/usr/bin:/bin', CANARY: 'parent secret', NODE_OPTIONS: '--no-such-option' };
    const child = await node('console.log(JSON.stringify(process.env))', [], { baseEnv, env: { TOKEN: 'its own' } });
    expect(JSON.parse(await output(child))).toEqual({ PATH: '/usr/bin:/bin', TOKEN: 'its own' });
  });

  it('runs in its directory', async () => {
    const child = await node('console.log(process.cwd())');
    expect((await output(child)).trim()).toBe(dir);
  });

  it('leads a process group of its own', async () => {
    const child = await node('process.stdin.resume()');
    expect(process.kill(-child.pid, 0)).toBe(true);
    child.stdin.end();
    await child.exited;
    expect(() => process.kill(-child.pid, 0)).toThrow('ESRCH');
  });

  it('is a better victim than we are when memory runs out', async () => {
    const child = await node('process.stdin.resume()');
    const score = (pid: number | 'self') => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));
    expect(score(child.pid)).toBe(Math.min(1000, score('self') + 500));
    child.stdin.end();
    await child.exited;
  });

  it('tells its exit code or the signal that ended it', async () => {
    const exit = await (await node('process.exit(3)')).exited;
    expect(exit).toEqual({ code: 3, signal: null });
    expect(describeExit(exit)).toBe('exit code 3');
    const kill = await (await node('process.kill(process.pid, "SIGKILL")')).exited;
    expect(describeExit(kill)).toBe('signal SIGKILL');
  });

  it('may close its stdin: writing to it is no uncaught error', async () => {
    const child = await node('fs.closeSync(0); console.log("closed"); setTimeout(() => {}, 60_000)');
    await once(child.stdout, 'data');
    const closed = new Promise((resolve) => child.stdin.once('close', resolve));
    child.stdin.write('x'.repeat(1_000_000));
    await closed;
    process.kill(child.pid, 'SIGKILL');
    await child.exited;
    child.stdin.write('more');
  });
});

describe('a process that cannot be started is one kind of rejection', () => {
  it('because the command does not exist', async () => {
    const error = await refusal(spawnChild(options(join(dir, 'no-such-command'))));
    expect(error.message).toContain('ENOENT');
    expect(error.message).not.toContain(dir);
  });

  it('because its directory does not exist', async () => {
    const error = await refusal(spawnChild(options(process.execPath, [], { cwd: join(dir, 'nowhere') })));
    expect(error.message).toContain('ENOENT');
  });

  it('because the command is not executable', async () => {
    const file = join(dir, 'plain');
    writeFileSync(file, 'text', { mode: 0o644 });
    expect((await refusal(spawnChild(options(file)))).message).toContain('EACCES');
  });

  it('because an argument is impossible, which is thrown', async () => {
    expect((await refusal(spawnChild(options(process.execPath, ['a\0b'])))).message).toContain('ERR_INVALID_ARG_VALUE');
  });

  it('because the limit of processes is reached, told by an event', async () => {
    const broken = Object.assign(new EventEmitter(), {
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      stderr: new PassThrough(),
    });
    setImmediate(() => broken.emit('error', Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' })));
    const error = await refusal(spawnChild(options('x'), (() => broken) as unknown as typeof spawn));
    expect(error.message).toContain('EAGAIN');
    expect([broken.stdin, broken.stdout, broken.stderr].every((pipe) => pipe.destroyed)).toBe(true);
  });

  it('because the limit of processes is reached, thrown', async () => {
    const throwing = (() => {
      throw Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
    }) as unknown as typeof spawn;
    expect((await refusal(spawnChild(options('x'), throwing))).message).toContain('the limit of processes');
  });

  it('because no file descriptor is left, and the next attempt after that can succeed', async () => {
    const script = join(import.meta.dirname, '../../fixtures/spawn-without-descriptors.ts');
    const shell = spawn('/bin/sh', ['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = JSON.parse(await text(shell.stdout)) as { refused: string; code: number };
    expect(said.refused).toMatch(/^no_worker_ready: .*EMFILE/);
    expect(said.code).toBe(0);
  });
});
