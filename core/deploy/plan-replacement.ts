import { isLiving, type Replica, type Service } from '#core/deploy/replica.ts';
import type { Step } from '#core/deploy/step.ts';

/**
 * Exchanges the replicas that are `old`, start first and one at a time: at no moment do fewer serve than at the
 * beginning (or than are wanted, if that is less), and at most one more runs than is wanted or was there. It is a
 * function of what runs, so an exchange that was broken off is gone on with by planning anew.
 */
export function planReplacement(service: Service, old: (replica: Replica) => boolean): readonly Step[] {
  const { name, replicas, wanted } = service;
  const steps: Step[] = ended(service);
  const living = replicas.filter(isLiving);
  const leaving = living.filter(old).sort(leastUsefulFirst);
  const remaining = living.filter((replica) => !old(replica)).sort(byNumber);
  if (wanted.count === 0) return steps;
  // What an earlier attempt left behind: it did not become healthy then, and stands in the place of one that may.
  const failed = leaving.length > 0 ? remaining.filter(({ health }) => health === 'unhealthy') : [];
  for (const replica of failed) steps.push({ do: 'clear', service: name, replica, why: 'unhealthy' });
  const fresh = remaining.filter((replica) => !failed.includes(replica));
  steps.push(...waiting(name, fresh));

  let count = fresh.length;
  const start = (): void => {
    count += 1;
    steps.push({ do: 'start', service: name, count: 1, position: `${count}/${wanted.count}` });
  };
  while (leaving.length > 0) {
    if (count + leaving.length <= wanted.count) start();
    else steps.push(...leaving.splice(0, 1).map((replica): Step => ({ do: 'stop', service: name, replica })));
  }
  while (count < wanted.count) start();
  for (const replica of fresh.sort(leastProvenFirst).slice(0, count - wanted.count)) {
    steps.push({ do: 'stop', service: name, replica });
  }
  return steps;
}

/** Containers that serve nobody; they are in the way of counting. */
export function ended({ name, replicas }: Service): Step[] {
  return replicas
    .filter((replica) => !isLiving(replica))
    .map((replica) => ({ do: 'clear', service: name, replica, why: 'ended' }));
}

function waiting(service: string, replicas: readonly Replica[]): Step[] {
  const starting = replicas.filter(({ health }) => health === 'starting');
  return starting.length === 0 ? [] : [{ do: 'await', service, replicas: starting }];
}

function leastUsefulFirst(a: Replica, b: Replica): number {
  return Number(a.health !== 'unhealthy') - Number(b.health !== 'unhealthy') || byNumber(a, b);
}

/** Of those that are alike: whoever has run longest has proved most. */
function leastProvenFirst(a: Replica, b: Replica): number {
  return Number(a.health !== 'unhealthy') - Number(b.health !== 'unhealthy') || byNumber(b, a);
}

function byNumber(a: Replica, b: Replica): number {
  return a.number - b.number;
}
