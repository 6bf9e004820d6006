import { readdirSync, readFileSync } from 'node:fs';

/** `USER_HZ`, in which Linux reports CPU time whatever its own tick is. */
const TICK_MS = 10;

/** One line of /proc/PID/stat, as far as it is needed. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** Ticks after boot; with the pid it names a process for good. */
  readonly startedAt: number;
  /** Ended and only waiting for its parent to notice. */
  readonly zombie: boolean;
  /** User and system time, that of reaped children included. */
  readonly cpuMs: number;
}

/** Memory of a process tree. */
export interface TreeMemory {
  readonly processes: number;
  /** The first process alone: the bridge. */
  readonly bridgeRssKiB: number;
  readonly rssKiB: number;
  readonly pssKiB: number;
}

function parseStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // ended between listing and reading, or not Linux
  }
  // The name in parentheses may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (index: number): number => Number(fields[index]);
  return {
    pid,
    zombie: fields[0] === 'Z',
    parent: field(1),
    startedAt: field(19),
    cpuMs: (field(11) + field(12) + field(13) + field(14)) * TICK_MS,
  };
}

/** The process and all that descend from it, itself first; empty where there is no such process or no /proc. */
export function processTree(root: number): ProcessStat[] {
  let pids: number[];
  try {
    pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
  const all = pids.map(parseStat).filter((stat) => stat !== undefined);
  const tree = all.filter((stat) => stat.pid === root);
  // Grows while it is walked: each process found brings its own children.
  for (const { pid } of tree) tree.push(...all.filter((stat) => stat.parent === pid));
  return tree;
}

/** True while the very process of an earlier snapshot still runs. */
export function stillRuns(process: ProcessStat): boolean {
  const now = parseStat(process.pid);
  return now !== undefined && now.startedAt === process.startedAt && !now.zombie;
}

function rollup(pid: number): { readonly rssKiB: number; readonly pssKiB: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    const value = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
    return { rssKiB: value('Rss'), pssKiB: value('Pss') };
  } catch {
    return { rssKiB: 0, pssKiB: 0 };
  }
}

/** What a process and its descendants hold now; NaN where there is no /proc. */
export function treeMemory(root: number): TreeMemory {
  const parts = processTree(root).map((stat) => rollup(stat.pid));
  const nothing = parts.length === 0 ? Number.NaN : 0;
  return {
    processes: parts.length,
    bridgeRssKiB: parts[0]?.rssKiB ?? Number.NaN,
    rssKiB: parts.reduce((sum, part) => sum + part.rssKiB, nothing),
    pssKiB: parts.reduce((sum, part) => sum + part.pssKiB, nothing),
  };
}

/** CPU time so far of a process, and of it with its descendants; NaN where there is no /proc. */
export function treeCpuMs(root: number): { readonly bridge: number; readonly tree: number } {
  const stats = processTree(root);
  if (stats.length === 0) return { bridge: Number.NaN, tree: Number.NaN };
  return { bridge: stats[0]?.cpuMs ?? Number.NaN, tree: stats.reduce((sum, stat) => sum + stat.cpuMs, 0) };
}
