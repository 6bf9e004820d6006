import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Another command is changing the same project. */
export class LockedError extends Error {
  constructor(pid: number, path: string) {
    super(`another fleet command is at work here (process ${pid}); wait until it has ended (${path})`);
    this.name = 'LockedError';
  }
}

/**
 * Holds a file that one process at a time may hold; that of a process which is gone is taken over.
 * @throws LockedError while another holds it
 */
export function lock(path: string): Disposable {
  mkdirSync(dirname(path), { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const holder = holderOf(path);
      if (attempt > 1 || (holder !== undefined && isAlive(holder))) throw new LockedError(holder ?? 0, path);
      rmSync(path, { force: true });
    }
  }
}

function holderOf(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
