import type { LoadResult } from '../drive/lane.ts';
import type { Section } from '../options.ts';
import { type TreeMemory, treeCpuMs, treeMemory } from '../procfs.ts';
import { RunningSubject } from '../running-subject.ts';
import type { Subject } from '../subjects.ts';
import { LOADS, type Load, VERIFIED } from './loads.ts';
import { type RunContext, reasonOf, rotated } from './run-context.ts';

/** One subject's result of one measurement in one round. */
export interface Sample extends LoadResult {
  readonly load: Load;
  readonly subject: string;
  readonly round: number;
  /** User and system time per call: of the bridge and its children, and of the bridge alone. */
  readonly cpuMsPerCall: number;
  readonly bridgeCpuMsPerCall: number;
}

export interface Throughput {
  readonly samples: readonly Sample[];
  /** What each subject holds after the small calls of all rounds, and at the end. */
  readonly memory: ReadonlyMap<string, TreeMemory>;
}

const WARM_UP = { ms: 150, minCalls: 1, maxMs: 1_000 };
/**
 * By calls as well as by time, the same for every subject: V8 optimises after so many calls, and a service lives for
 * days. By time alone the slow are measured half compiled, and whoever optimises last is measured compiling.
 */
const FIRST_WARM_UP = { ms: 1_500, minCalls: 60_000, maxMs: 12_000 };
/** What a tenth of the calls passes through has to be warm as well. */
const SAMPLED_WARM_UP = { ...FIRST_WARM_UP, minCalls: 200_000 };
const ECHO = { tool: 'echo', bytes: 100 } as const;
/** Of the same program, two processes differ by a tenth: a share of a tenth takes so many times the pairs to be seen. */
const FINE_TIMES = 3;

/** Policies and telemetry are compared among ourselves; everything else knows nothing of the subjects made for that. */
function participants({ subjects }: RunContext, section: Section): readonly Subject[] {
  const loaded = subjects.filter((subject) => subject.loaded);
  return section === 'policies' || section === 'telemetry'
    ? loaded.filter((subject) => subject.onlyIn === section || subject.name === 'ours')
    : loaded.filter((subject) => subject.onlyIn === undefined);
}

async function startAll(context: RunContext, { child, section }: Load): Promise<RunningSubject[]> {
  const started: RunningSubject[] = [];
  for (const subject of participants(context, section)) {
    context.progress(`start ${subject.name} with ${child}`);
    const running = await RunningSubject.spawn(subject, { child, compileCache: context.cacheDir });
    try {
      await running.firstCall({ farewell: true });
      await running.drive(VERIFIED);
      const limits = section === 'telemetry' ? SAMPLED_WARM_UP : FIRST_WARM_UP;
      await running.job({ job: 'load', workload: ECHO, connections: 16, limits });
      started.push(running);
    } catch (error) {
      context.fail(reasonOf(error));
      await running.stop();
    }
  }
  return started;
}

async function measure(context: RunContext, running: RunningSubject, load: Load, round: number): Promise<Sample> {
  const { workload, connections } = load;
  const ms = context.options.seconds * 1_000 * load.times;
  await running.job({ job: 'load', workload, connections, limits: WARM_UP });
  const before = treeCpuMs(running.pid);
  const limits = { ms, minCalls: 2 * connections, maxMs: ms + 10_000 };
  const result = await running.job({ job: 'load', workload, connections, limits });
  const after = treeCpuMs(running.pid);
  if (result.wrong > 0)
    context.fail(`${running.subject.name}: ${result.wrong} of ${result.calls} answers wrong in ${load.name}`);
  return {
    ...result,
    load,
    subject: running.subject.name,
    round,
    cpuMsPerCall: (after.tree - before.tree) / result.calls,
    bridgeCpuMsPerCall: (after.bridge - before.bridge) / result.calls,
  };
}

async function runRounds(
  context: RunContext,
  loads: readonly Load[],
  all: readonly RunningSubject[],
  rounds: readonly number[],
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const broken = new Set<RunningSubject>();
  for (const round of rounds) {
    for (const load of loads) {
      for (const running of rotated(all, round)) {
        if (broken.has(running)) continue;
        try {
          const sample = await measure(context, running, load, round);
          samples.push(sample);
          const { callsPerSecond, p99Ms } = sample;
          context.progress(
            `round ${round + 1} ${load.name}: ${running.subject.name} ${callsPerSecond.toFixed(0)} calls/s, p99 ${p99Ms.toFixed(2)} ms`,
          );
        } catch (error) {
          context.fail(reasonOf(error));
          broken.add(running);
        }
      }
    }
  }
  return samples;
}

async function runWith(
  context: RunContext,
  first: Load,
  loads: readonly Load[],
  rounds: readonly number[],
): Promise<Throughput> {
  const memory = new Map<string, TreeMemory>();
  const all = await startAll(context, first);
  try {
    const samples = await runRounds(context, loads, all, rounds);
    for (const running of all) memory.set(running.subject.name, treeMemory(running.pid));
    return { samples, memory };
  } finally {
    await Promise.all(all.map((running) => running.stop()));
  }
}

/**
 * All measurements under load. Small calls run on subjects of their own, so that the memory after them
 * is not that of large results. Where shares of a few per cent are compared, every round has processes of its own: two
 * of the same program differ by as much, for as long as they live.
 */
export async function measureThroughput(context: RunContext): Promise<Throughput> {
  const samples: Sample[] = [];
  let memory: ReadonlyMap<string, TreeMemory> = new Map();
  const wanted = LOADS.filter((load) => context.options.sections.has(load.section));
  for (const group of [['echo'], ['big', 'sleep'], ['sdk'], ['policies'], ['telemetry']]) {
    const loads = wanted.filter((load) => group.includes(load.section));
    const [first] = loads;
    if (first === undefined) continue;
    const anew = first.section === 'policies' || first.section === 'telemetry';
    const count = context.options.rounds * (anew && !context.options.quick ? FINE_TIMES : 1);
    const rounds = Array.from({ length: count }, (_, round) => round);
    for (const together of anew ? rounds.map((round) => [round]) : [rounds]) {
      const part = await runWith(context, first, loads, together);
      samples.push(...part.samples);
      if (first.section === 'echo') memory = part.memory;
    }
  }
  return { samples, memory };
}
