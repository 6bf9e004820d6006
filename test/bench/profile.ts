import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { table } from './report/markdown.ts';
import { RunningSubject } from './running-subject.ts';
import type { RunContext } from './sections/run-context.ts';

/** The parts of V8's .cpuprofile that say where time went. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const LINES = 40;
/** Lines below this share say nothing. */
const MIN_SHARE = 0.002;
const SECONDS = 6;
const NOT_BUSY = new Set(['(idle)', '(program)']);

function place({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const file = url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${file}`;
}

/** Where a frame belongs, so that shares can be added up. */
function owner({ url, functionName }: CpuProfile['nodes'][number]['callFrame']): string {
  if (url === '') {
    if (functionName === '(garbage collector)') return 'garbage collector';
    return /^write/.test(functionName) ? 'write system calls' : 'V8 and native';
  }
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules)/.exec(url)?.[1];
  if (library !== undefined) return library;
  if (url.startsWith('node:')) return `node:${url.slice(5).replace('internal/', '').split('/')[0]}`;
  const room = /\/core\/([^/]+)/.exec(url)?.[1];
  if (room !== undefined) return `core/${room}`;
  return basename(url);
}

function shares(selfMs: ReadonlyMap<string, number>, busyMs: number): string[][] {
  return [...selfMs]
    .filter(([, ms]) => ms >= busyMs * MIN_SHARE)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, LINES)
    .map(([name, ms]) => [name, ((ms / busyMs) * 100).toFixed(1)]);
}

function summarise(profile: CpuProfile): string {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const byPlace = new Map<string, number>();
  const byOwner = new Map<string, number>();
  let busyMs = 0;
  const add = (map: Map<string, number>, key: string, ms: number): unknown => map.set(key, (map.get(key) ?? 0) + ms);
  profile.samples.forEach((id, index) => {
    const frame = nodes.get(id);
    const ms = (profile.timeDeltas[index] ?? 0) / 1_000;
    if (frame === undefined || NOT_BUSY.has(frame.functionName)) return;
    busyMs += ms;
    add(byPlace, place(frame), ms);
    add(byOwner, owner(frame), ms);
  });
  return [
    table(['where', '% of busy time'], shares(byOwner, busyMs)),
    table(['function', 'self, % of busy time'], shares(byPlace, busyMs)),
  ].join('\n\n');
}

/**
 * Runs one subject at 64 connections under --cpu-prof. Its start and warm-up are part of the profile, a
 * few per cent. @throws Error where the subject is unknown or writes no profile
 */
export async function profile(context: RunContext, name: string): Promise<string> {
  const subject = context.subjects.find((candidate) => candidate.name === name && candidate.server !== undefined);
  if (subject === undefined) throw new Error(`--profile: no such subject: ${name}`);
  const dir = mkdtempSync(join(tmpdir(), `fleet-bench-profile-${name}-`));
  const nodeArgs = ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', dir];
  const running = await RunningSubject.spawn(subject, { child: 'echo', nodeArgs });
  try {
    await running.firstCall({ farewell: true });
    await running.drive([]);
    const limits = { ms: SECONDS * 1_000, minCalls: 1, maxMs: SECONDS * 1_000 };
    const workload = { tool: 'echo', bytes: 100 } as const;
    const { callsPerSecond } = await running.job({ job: 'load', workload, connections: 64, limits });
    context.progress(`${name}: ${callsPerSecond.toFixed(0)} calls/s under the profiler; profiles stay in ${dir}`);
  } finally {
    await running.stop();
  }
  // Children inherit nothing of it, so the largest file is the bridge's.
  const files = readdirSync(dir).filter((file) => file.endsWith('.cpuprofile'));
  const texts = files.map((file) => readFileSync(join(dir, file), 'utf8')).toSorted((a, b) => b.length - a.length);
  const [text] = texts;
  if (text === undefined) throw new Error(`${name} wrote no profile: it has to end by itself on SIGTERM`);
  return summarise(JSON.parse(text));
}
