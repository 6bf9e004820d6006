import { percentile } from '../statistics.ts';
import type { Lane, LoadLimits, LoadResult } from './lane.ts';

/**
 * Runs every lane as a closed loop: a call's answer starts the next call. Calls in flight at the end are
 * waited for and counted. `nextCall` gives each call its number.
 * @throws Error where a lane breaks
 */
export function runLoad(lanes: readonly Lane[], limits: LoadLimits, nextCall: () => number): Promise<LoadResult> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadResult>();
  const latencies: number[] = [];
  const begin = performance.now();
  let active = lanes.length;
  let wrong = 0;

  const finish = (now: number): void => {
    const elapsedMs = now - begin;
    resolve({
      calls: latencies.length,
      wrong,
      elapsedMs,
      callsPerSecond: (latencies.length / elapsedMs) * 1_000,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
    });
  };
  for (const lane of lanes) {
    let startedAt = begin;
    lane.onFailure = reject;
    lane.onDone = (right) => {
      const now = performance.now();
      latencies.push(now - startedAt);
      if (!right) wrong++;
      const ran = now - begin;
      if (ran < limits.ms || (ran < limits.maxMs && latencies.length < limits.minCalls)) {
        startedAt = now;
        lane.start(nextCall());
      } else if (--active === 0) finish(now);
    };
    lane.start(nextCall());
  }
  return promise;
}
