import { readFileSync, writeFileSync } from 'node:fs';

/** How much sooner than this process a child is chosen when memory runs out, of 1000. */
const OOM_SCORE_STEP = 500;

/**
 * Makes a child the kernel's first choice when memory runs out, so that one server dies and not the bridge with
 * all of them. What it starts afterwards inherits it. Linux only, best effort: elsewhere nothing happens.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html raising needs no privilege
 */
export function raiseOomScore(pid: number): void {
  if (process.platform !== 'linux') return;
  try {
    const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(Math.min(1000, own + OOM_SCORE_STEP)));
  } catch {
    // It ended already, or /proc is not to be written here: the child keeps our own score.
  }
}
