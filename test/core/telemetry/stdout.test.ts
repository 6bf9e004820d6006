import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { until } from '../../support/until.ts';

const PROGRAM = join(import.meta.dirname, 'logging-process.ts');
let child: ChildProcess | undefined;

afterEach(async () => {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
});

/** A process that logs a line per command on its IPC channel and tells what it lost. */
function start(stdout: 'pipe' | number): ChildProcess {
  child = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', stdout, 'inherit', 'ipc'] });
  return child;
}

async function ask(of: ChildProcess, command: string): Promise<{ failed: number; dropped: number; blockedMs: number }> {
  of.send(command);
  const [answer] = await once(of, 'message');
  return answer;
}

it('the process goes on when the reader of its output is gone, and counts what it lost', async () => {
  const logging = start('pipe');
  const lines: string[] = [];
  if (logging.stdout === null) throw new Error('no stdout');
  createInterface({ input: logging.stdout }).on('line', (line) => lines.push(line));
  await ask(logging, 'log');
  await until('the first line arrives', () => lines.length > 0);
  logging.stdout.destroy();
  await until('lines are lost', async () => (await ask(logging, 'log')).failed > 2);
  logging.send('exit');
  expect(await once(logging, 'exit')).toEqual([0, null]);
});

it('the process goes on when the disk of its output is full', async () => {
  const full = openSync('/dev/full', 'w');
  const logging = start(full);
  closeSync(full);
  await until('lines are lost', async () => (await ask(logging, 'log')).failed > 2);
  logging.send('exit');
  expect(await once(logging, 'exit')).toEqual([0, null]);
});

it('a reader that has stopped reading blocks neither the process nor its end', async () => {
  const logging = start('pipe');
  logging.stdout?.pause();
  await until('lines are dropped', async () => (await ask(logging, 'flood')).dropped > 0);
  const { blockedMs } = await ask(logging, 'flood');
  expect(blockedMs).toBeLessThan(5000);
  logging.send('exit');
  const [code] = await once(logging, 'exit');
  expect(code).toBe(0);
  logging.stdout?.destroy();
});
