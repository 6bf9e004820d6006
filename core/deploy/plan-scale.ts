import { ended } from '#core/deploy/plan-replacement.ts';
import { isLiving, isServing, type Replica, type Service } from '#core/deploy/replica.ts';
import type { Step } from '#core/deploy/step.ts';

/**
 * As many replicas as `count`, without touching those that stay: new ones start together beside the old; those that
 * are too many go one at a time, first what does not serve, then the newest.
 */
export function planScale(service: Service, count: number): readonly Step[] {
  const { name, replicas } = service;
  const steps = ended(service);
  const living = replicas.filter(isLiving);
  if (living.length < count) steps.push({ do: 'start', service: name, count: count - living.length });
  const leaving = living.sort(leastUsefulFirst).slice(0, Math.max(0, living.length - count));
  for (const replica of leaving) {
    steps.push({ do: 'stop', service: name, replica, ...(count === 0 ? { last: true } : {}) });
  }
  return steps;
}

function leastUsefulFirst(a: Replica, b: Replica): number {
  return Number(isServing(a)) - Number(isServing(b)) || b.number - a.number;
}
