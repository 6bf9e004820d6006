import { readdirSync, readFileSync } from 'node:fs';

/** A tree larger than this is counted in part; looking must stay cheap. */
const MAX_PROCESSES = 64;

/**
 * Resident bytes of a process and all it has started: a server behind a launcher (`npx …`) is the launcher's
 * child. Shared pages count once per process, so the sum is an upper bound. `undefined` where it cannot be known
 * (not Linux, or the process is gone).
 */
export function residentBytes(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const own = residentBytesOfOne(pid);
  if (own === undefined) return undefined;
  let sum = own;
  const pids = childrenOf(pid);
  for (let seen = 0; seen < pids.length && seen < MAX_PROCESSES; seen += 1) {
    const child = pids[seen] as number;
    sum += residentBytesOfOne(child) ?? 0;
    pids.push(...childrenOf(child));
  }
  return sum;
}

/** From `status`, not the shorter `statm`: that one counts pages, whose size Node cannot tell. */
function residentBytesOfOne(pid: number): number | undefined {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
