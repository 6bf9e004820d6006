import { isLiving, isServing, type Replica, type Service } from '#core/deploy/replica.ts';
import type { Step } from '#core/deploy/step.ts';

/** A replica as the engine would tell of it; healthy and as wanted where nothing else is said. */
export function replica(number: number, change: Partial<Replica> = {}): Replica {
  return {
    id: `id-${number}`,
    name: `fleet-mcp-slack-${number}`,
    number,
    state: 'running',
    health: 'healthy',
    restarts: 0,
    configHash: 'now',
    image: 'mcp-bridge-slack:now',
    imageId: 'sha256:now',
    graceMs: 45_000,
    ...change,
  };
}

/** One whose settings are of before. */
export function old(number: number, change: Partial<Replica> = {}): Replica {
  return replica(number, { configHash: 'before', ...change });
}

export function service(replicas: readonly Replica[], count = 3, name = 'mcp-slack'): Service {
  return {
    name,
    wanted: { count, image: 'mcp-bridge-slack:now', imageId: 'sha256:now', configHash: 'now' },
    replicas,
  };
}

/** What serves after each step, were it done; the first figure is of before. */
export interface Course {
  readonly serving: readonly number[];
  readonly living: readonly number[];
  readonly end: readonly Replica[];
}

/** Does steps to a list instead of an engine. */
export function simulate(replicas: readonly Replica[], steps: readonly Step[]): Course {
  let now = [...replicas];
  const serving = [now.filter(isServing).length];
  const living = [now.filter(isLiving).length];
  for (const step of steps) {
    if (step.do === 'start') {
      const next = Math.max(0, ...now.map(({ number }) => number)) + 1;
      for (let i = 0; i < step.count; i += 1) now.push(replica(next + i));
    } else if (step.do === 'stop' || step.do === 'clear') {
      now = now.filter(({ id }) => id !== step.replica.id);
    } else if (step.do === 'await') {
      const ids = new Set(step.replicas.map(({ id }) => id));
      now = now.map((one) => (ids.has(one.id) ? { ...one, health: 'healthy' } : one));
    }
    serving.push(now.filter(isServing).length);
    living.push(now.filter(isLiving).length);
  }
  return { serving, living, end: now };
}

/** Every way in which up to `most` replicas of these kinds can stand together. */
export function combinations(kinds: readonly ((number: number) => Replica)[], most: number): readonly Replica[][] {
  let all: Replica[][] = [[]];
  for (let length = 1; length <= most; length += 1) {
    const shorter = all.filter((replicas) => replicas.length === length - 1);
    all = [...all, ...shorter.flatMap((replicas) => kinds.map((kind) => [...replicas, kind(length)]))];
  }
  return all;
}
