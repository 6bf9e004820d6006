import { readdirSync, readFileSync } from 'node:fs';

/**
 * Signals a whole process group; signal 0 only looks whether it is there.
 * @returns false when no process of it runs any more. One that has ended and was never reaped does not count: where
 * PID 1 does not reap (a container without an init), such a group would be there for ever.
 */
export function signalProcessGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  // 0 and 1 would mean "our own group" and "everything": never, whatever went wrong before.
  if (!Number.isSafeInteger(pid) || pid <= 1) return false;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // EPERM: it exists and is not ours to signal; whoever waits for its end has a time limit.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
  return signal !== 0 || process.platform !== 'linux' || hasRunning(pid);
}

/** Looks at every process there is: only for groups that outlive their leader. */
function hasRunning(group: number): boolean {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return true; // nothing to look at: taken for running until its time is over
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const [state, processGroup] = stateAndGroup(name);
    if (processGroup === group && state !== 'Z' && state !== 'X') return true;
  }
  return false;
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function stateAndGroup(pid: string): [state: string | undefined, group: number] {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return [undefined, 0]; // ended meanwhile
  }
  // Behind the name in parentheses, which may itself hold some: state, parent, group.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
  return [fields[0], Number(fields[2])];
}
