import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The scriptable stdio server; its header lists what it can be told to do. */
export const FAKE_CHILD = fileURLToPath(new URL('../fixtures/fake-child.mjs', import.meta.url));

/** Whether a process runs; one that has ended and was not reaped does not. Linux. */
export function isRunning(pid: number): boolean {
  try {
    // After the command in parentheses, which may itself hold some.
    const [state] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
