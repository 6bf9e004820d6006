import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from './postgres.ts';

/** The processes of a test's PostgreSQL, the first one first: to stop it with SIGSTOP, or to kill it. Linux only. */
export function postgresPids({ server }: TestPostgres): number[] {
  const first = readFileSync(join(server.folder, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0] ?? '';
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === first);
  return [first, ...children].map(Number);
}

function parentOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
  } catch {
    return undefined;
  }
}
