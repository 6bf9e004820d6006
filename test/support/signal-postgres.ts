import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from './postgres.ts';

/** Sends a signal to every process of a test's PostgreSQL: SIGSTOP makes it hang, SIGKILL is a crash. Linux only. */
export function signalPostgres({ server }: TestPostgres, signal: NodeJS.Signals): void {
  const first = readFileSync(join(server.folder, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0] ?? '';
  // The first one first, so that it starts no others meanwhile.
  const children = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === first);
  const before = children();
  send(first, signal);
  for (const pid of new Set([...before, ...children()])) send(pid, signal);
}

function send(pid: string, signal: NodeJS.Signals): void {
  try {
    process.kill(Number(pid), signal);
  } catch (error) {
    // A session may end by itself between the look and the signal.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function parentOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
  } catch {
    return undefined;
  }
}
