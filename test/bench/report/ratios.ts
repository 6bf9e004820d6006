import type { Sample } from '../sections/throughput.ts';
import { type Spread, spread } from '../statistics.ts';

const PEERS: ReadonlySet<string> = new Set(['sg-stateful', 'sg-stateless', 'mp-stateful', 'mp-modern']);

/** True for the foreign bridges, whose best is what a goal compares with. */
export function isPeer(subject: string): boolean {
  return PEERS.has(subject);
}

/** The samples of one measurement in one round. */
function roundsOf(samples: readonly Sample[], load: string): Sample[][] {
  const rounds = Map.groupBy(
    samples.filter((sample) => sample.load.name === load),
    (sample) => sample.round,
  );
  return [...rounds.values()];
}

/**
 * One subject's calls/s against another's, paired within each round; undefined where they never met.
 * `best peer` is whichever foreign bridge was fastest in that round.
 */
export function pairedRatio(
  samples: readonly Sample[],
  load: string,
  subject: string,
  against: string | 'best peer',
): Spread | undefined {
  const ratios = roundsOf(samples, load).flatMap((round) => {
    const mine = round.find((sample) => sample.subject === subject)?.callsPerSecond;
    const others = round.filter((sample) =>
      against === 'best peer' ? isPeer(sample.subject) : sample.subject === against,
    );
    if (mine === undefined || others.length === 0) return [];
    return [mine / Math.max(...others.map((sample) => sample.callsPerSecond))];
  });
  return ratios.length === 0 ? undefined : spread(ratios);
}

/** One subject's CPU time per call, bridge and children, against another's, paired within each round. */
export function pairedCpu(
  samples: readonly Sample[],
  load: string,
  subject: string,
  against: string,
): Spread | undefined {
  const ratios = roundsOf(samples, load).flatMap((round) => {
    const mine = round.find((sample) => sample.subject === subject);
    const other = round.find((sample) => sample.subject === against);
    return mine === undefined || other === undefined ? [] : [mine.cpuMsPerCall / other.cpuMsPerCall];
  });
  return ratios.length === 0 ? undefined : spread(ratios);
}
