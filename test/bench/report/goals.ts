import type { ColdStart } from '../sections/cold-start.ts';
import { LOADS } from '../sections/loads.ts';
import { median, type Spread } from '../statistics.ts';
import { figure, range, table } from './markdown.ts';
import { isPeer, pairedCpu, pairedRatio } from './ratios.ts';
import { kibPerClient, type Results } from './tables.ts';

interface Goal {
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

/** At least so many times the other's calls/s, by the median over the rounds. */
const FASTER = [
  { load: 'echo c64', than: 'best peer', times: 10 },
  { load: 'echo c16', than: 'best peer', times: 8 },
  { load: 'echo c1', than: 'best peer', times: 1.9 },
  { load: '1 MB c1', than: 'best peer', times: 7 },
  { load: '1 MB c1', than: 'naive', times: 6 },
] as const;

const MAX_KIB_PER_CLIENT = 32;
const MAX_FIRST_CALL_MIB = 90;
const MAX_START_SHARE = 0.5;
const MAX_POLICY_SHARE = 1.15;
const MAX_TRACED_SHARE = 1.1;
const MAX_WORKER_START_MS = 450;
const MAX_WORKER_MIB = 100;

function fasterGoals({ throughput: { samples } }: Results): Goal[] {
  return FASTER.flatMap(({ load, than, times }) => {
    const ratio = pairedRatio(samples, load, 'ours', than);
    if (ratio === undefined) return [];
    return [{ goal: `${load}: ≥ ${times} × ${than}’s calls/s`, measured: range(ratio), met: ratio.median >= times }];
  });
}

function neverBelowNaive({ throughput: { samples } }: Results): Goal[] {
  const ratios = LOADS.flatMap(({ name, workload }) => {
    const ratio = workload.tool === 'sleep' ? undefined : pairedRatio(samples, name, 'ours', 'naive');
    return ratio === undefined ? [] : [{ name, ratio }];
  });
  const worst = ratios.toSorted((a, b) => a.ratio.median - b.ratio.median)[0];
  const luckless = ratios.toSorted((a, b) => a.ratio.min - b.ratio.min)[0];
  if (worst === undefined || luckless === undefined) return [];
  return [
    {
      goal: 'calls/s below naive in no measurement, as all goals by the median of the rounds',
      measured: `${figure(worst.ratio.median)} (${worst.name}); lowest single round ${figure(luckless.ratio.min)} (${luckless.name})`,
      met: worst.ratio.median >= 1,
    },
  ];
}

function policyGoals({ throughput: { samples } }: Results): Goal[] {
  return LOADS.filter(({ section }) => section === 'policies').flatMap(({ name }) => {
    const ratio = pairedCpu(samples, name, 'guarded', 'bare');
    if (ratio === undefined) return [];
    const goal = `${name}: keys, quota and breaker on, ≤ ${MAX_POLICY_SHARE} × the bare path’s CPU per call`;
    return [{ goal, measured: range(ratio), met: ratio.median <= MAX_POLICY_SHARE }];
  });
}

function telemetryGoals({ throughput: { samples } }: Results): Goal[] {
  return LOADS.filter(({ section }) => section === 'telemetry').flatMap(({ name }) => {
    const shares = [
      { subject: 'traced-10', about: 'a tenth of the traces exported', most: MAX_TRACED_SHARE },
      { subject: 'traced-hung', about: 'the same with a collector that hangs', most: MAX_TRACED_SHARE },
    ];
    return shares.flatMap(({ subject, about, most }) => {
      const ratio = pairedCpu(samples, name, subject, 'ours');
      if (ratio === undefined) return [];
      const goal = `${name}: ${about}, ≤ ${most} × the CPU per call without export`;
      return [{ goal, measured: range(ratio), met: ratio.median <= most }];
    });
  });
}

function freshGoals({ freshClients }: Results): Goal[] {
  const ours = freshClients.find((result) => result.subject === 'ours');
  if (ours === undefined) return [];
  const processes = ours.after.processes - ours.before.processes;
  const kib = kibPerClient(ours);
  return [
    { goal: `${ours.clients} fresh clients: 0 more processes`, measured: `${processes}`, met: processes === 0 },
    {
      goal: `${ours.clients} fresh clients: ≤ ${MAX_KIB_PER_CLIENT} KiB each in the bridge`,
      measured: `${figure(kib)} KiB`,
      met: kib <= MAX_KIB_PER_CLIENT,
    },
  ];
}

/** The faster of the foreign bridges in each round, by time to first answer. */
function startShares(starts: readonly ColdStart[]): Spread | undefined {
  const shares = [...Map.groupBy(starts, (start) => start.round).values()].flatMap((round) => {
    const mine = round.find((start) => start.subject === 'ours');
    const peers = round.filter((start) => isPeer(start.subject)).map((start) => start.ms);
    return mine === undefined || peers.length === 0 ? [] : [mine.ms / Math.min(...peers)];
  });
  return shares.length === 0
    ? undefined
    : { median: median(shares), min: Math.min(...shares), max: Math.max(...shares) };
}

function coldGoals({ coldStarts }: Results): Goal[] {
  return [true, false].flatMap((cached) => {
    const how = cached ? 'warm compile cache for all' : 'no compile cache for any';
    const starts = coldStarts.filter((start) => start.cached === cached);
    const goals: Goal[] = [];
    const mine = starts.filter((start) => start.subject === 'ours').map((start) => start.memory.bridgeRssKiB / 1024);
    if (mine.length > 0 && median(mine) > 0) {
      goals.push({
        goal: `bridge RSS at the first call ≤ ${MAX_FIRST_CALL_MIB} MiB (aim 70), ${how}`,
        measured: `${figure(median(mine))} MiB`,
        met: median(mine) <= MAX_FIRST_CALL_MIB,
      });
    }
    const share = startShares(starts);
    if (share !== undefined) {
      goals.push({
        goal: `first answer after start within ${MAX_START_SHARE} of the best peer’s time, ${how}`,
        measured: range(share),
        met: share.median <= MAX_START_SHARE,
      });
    }
    return goals;
  });
}

/** By the slowest and the largest of them, as an image runs them: its compile cache is filled when it is built. */
function workerGoals({ workerStarts }: Results): Goal[] {
  const cached = Map.groupBy(
    workerStarts.filter((start) => start.cached),
    (start) => start.bridge,
  );
  if (cached.size === 0) return [];
  const middles = [...cached].map(([bridge, of]) => ({
    bridge,
    ms: median(of.map((start) => start.ms)),
    mib: median(of.map((start) => start.rssKiB)) / 1024,
  }));
  const slowest = middles.reduce((worst, one) => (one.ms > worst.ms ? one : worst));
  const largest = middles.reduce((worst, one) => (one.mib > worst.mib ? one : worst));
  return [
    {
      goal: `every bridge’s worker lists its tools within ${MAX_WORKER_START_MS} ms of its spawn, warm compile cache`,
      measured: `${figure(slowest.ms)} ms (${slowest.bridge})`,
      met: slowest.ms <= MAX_WORKER_START_MS,
    },
    {
      goal: `every bridge’s worker ≤ ${MAX_WORKER_MIB} MiB RSS then, warm compile cache`,
      measured: `${figure(largest.mib)} MiB (${largest.bridge})`,
      met: largest.mib <= MAX_WORKER_MIB,
    },
  ];
}

/** Each goal that the run could judge, with what was measured; empty without our own results. */
export function goalsTable(results: Results): string {
  const goals = [
    ...fasterGoals(results),
    ...neverBelowNaive(results),
    ...policyGoals(results),
    ...telemetryGoals(results),
    ...freshGoals(results),
    ...coldGoals(results),
    ...workerGoals(results),
  ];
  if (goals.length === 0) return '';
  const rows = goals.map(({ goal, measured, met }) => [goal, measured, met ? 'met' : '**not met**']);
  return `### Goals\n\nRatios are paired per round: median [min–max].\n\n${table(['goal', 'measured', 'verdict'], rows, '---')}`;
}
