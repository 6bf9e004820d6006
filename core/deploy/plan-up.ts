import { planReplacement } from '#core/deploy/plan-replacement.ts';
import { isLiving, isOld, isServing, type Service } from '#core/deploy/replica.ts';
import { roleOf, shortName } from '#core/deploy/role.ts';
import type { Step } from '#core/deploy/step.ts';

/** What to do, and what is left as it is although it differs, with the command that would change that. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
}

/**
 * From what runs to what the files say, losing no call: what is not there is created, bridges are exchanged one replica
 * at a time, proxies reload. What could only be made anew in place is kept as it is and told of.
 */
export function planUp(services: readonly Service[]): Plan {
  const missing = services.filter(({ wanted, replicas }) => wanted.count > 0 && replicas.length === 0);
  const steps: Step[] = [];
  const notes: string[] = [];
  if (missing.length > 0) steps.push({ do: 'create', services: missing.map(({ name }) => name) });
  for (const service of services) {
    if (service.replicas.length === 0) continue;
    const plan = planService(service);
    steps.push(...plan.steps);
    notes.push(...plan.notes);
  }
  return { steps, notes };
}

/** What `fleet deploy` does to one service; `anyway`: also where calls are lost by it. */
export function planService(service: Service, anyway = false): Plan {
  const { name, replicas, wanted } = service;
  const [replica] = replicas.filter(isLiving);
  const short = shortName(name);
  switch (roleOf(name)) {
    case 'bridge':
      if (wanted.count === 0 && replica !== undefined) {
        return { steps: [], notes: [`${short} still runs, though 0 replicas are set: fleet scale ${short}=0 --yes`] };
      }
      return {
        steps: planReplacement(service, (candidate) => isOld(candidate, service)),
        notes: unhealthyOf(service),
      };
    case 'proxy':
      if (replica === undefined) return { steps: [{ do: 'replace', service: name }], notes: [] };
      if (!isOld(replica, service)) return { steps: [{ do: 'reload', service: name, replica }], notes: [] };
      return anyway
        ? { steps: [{ do: 'replace', service: name }], notes: [] }
        : { steps: [{ do: 'reload', service: name, replica }], notes: [kept(short, 'connections are refused')] };
    case 'store':
      if (replica === undefined) return { steps: [{ do: 'replace', service: name }], notes: [] };
      if (!isOld(replica, service)) return { steps: [], notes: [] };
      return anyway
        ? { steps: [{ do: 'replace', service: name }], notes: [] }
        : { steps: [], notes: [kept(short, 'what leans on it is refused')] };
    case 'aside':
      return replica === undefined || isOld(replica, service)
        ? { steps: [{ do: 'replace', service: name }], notes: [] }
        : { steps: [], notes: [] };
  }
}

function kept(service: string, price: string): string {
  return (
    `${service} is kept as it runs, though its image or settings have changed: while it is made anew ${price}; ` +
    `when that may be: fleet deploy ${service} --yes`
  );
}

/** Replicas as they should be, which yet do not serve: another of the same would not either, so it is for a person. */
function unhealthyOf(service: Service): readonly string[] {
  const short = shortName(service.name);
  const sick = service.replicas.filter(
    (replica) => isLiving(replica) && !isOld(replica, service) && !isServing(replica) && replica.health !== 'starting',
  );
  if (sick.length === 0) return [];
  return [
    `${sick.map(({ name }) => name).join(', ')} is not healthy: fleet logs ${short}, then fleet restart ${short}`,
  ];
}
