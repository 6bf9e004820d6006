import { expect, it } from 'vitest';
import { planReplacement } from '#core/deploy/plan-replacement.ts';
import { isOld, type Replica, type Service } from '#core/deploy/replica.ts';
import { combinations, old, replica, service, simulate } from './fleet-state.ts';

const KINDS: readonly ((number: number) => Replica)[] = [
  (n) => replica(n),
  (n) => replica(n, { health: 'starting' }),
  (n) => replica(n, { health: 'unhealthy' }),
  (n) => replica(n, { state: 'exited', health: 'none' }),
  (n) => old(n),
  (n) => old(n, { health: 'unhealthy' }),
  (n) => old(n, { state: 'exited', health: 'none' }),
];

/** Every fleet of up to four replicas, in every state, with one to four wanted: 11 204 plans. */
const FLEETS = combinations(KINDS, 4).flatMap((replicas) => [1, 2, 3, 4].map((count) => service(replicas, count)));

function plan(fleet: Service) {
  return planReplacement(fleet, (candidate) => isOld(candidate, fleet));
}

function words(fleet: Service): readonly string[] {
  return plan(fleet).map((step) => {
    if ('replica' in step) return `${step.do} ${step.replica.number}`;
    if (step.do === 'start') return `start ${step.position}`;
    return step.do;
  });
}

it('of three old replicas each is stopped only after a new one has become healthy (L4)', () => {
  expect(words(service([old(1), old(2), old(3)]))).toEqual([
    'start 1/3',
    'stop 1',
    'start 2/3',
    'stop 2',
    'start 3/3',
    'stop 3',
  ]);
});

it('whatever runs, never fewer serve than at the beginning, or than are wanted if that is less (L9)', () => {
  const broken = FLEETS.filter((fleet) => {
    const { serving } = simulate(fleet.replicas, plan(fleet));
    return Math.min(...serving) < Math.min(serving[0] ?? 0, fleet.wanted.count);
  });
  expect(broken).toEqual([]);
});

it('whatever runs, at most one more lives than is wanted or was there', () => {
  const broken = FLEETS.filter((fleet) => {
    const { living } = simulate(fleet.replicas, plan(fleet));
    return Math.max(...living) > Math.max(living[0] ?? 0, fleet.wanted.count + 1);
  });
  expect(broken).toEqual([]);
});

it('whatever runs, in the end as many as wanted live, and none is old or has ended', () => {
  const broken = FLEETS.filter((fleet) => {
    const { end } = simulate(fleet.replicas, plan(fleet));
    return end.length !== fleet.wanted.count || end.some((one) => isOld(one, fleet) || one.state === 'exited');
  });
  expect(broken).toEqual([]);
});

it('broken off after any step and planned anew, it comes to the same end', () => {
  const broken = FLEETS.filter((fleet) => fleet.replicas.length <= 3).filter((fleet) => {
    const steps = plan(fleet);
    return steps.some((_, i) => {
      const { end: left } = simulate(fleet.replicas, steps.slice(0, i));
      const again = { ...fleet, replicas: left };
      const { end } = simulate(left, plan(again));
      return end.length !== fleet.wanted.count || end.some((one) => isOld(one, fleet));
    });
  });
  expect(broken).toEqual([]);
});

it('nothing is done where all is as wanted', () => {
  expect(words(service([replica(1), replica(2), replica(3)]))).toEqual([]);
});

it('an unhealthy old replica goes before those that serve', () => {
  expect(words(service([old(1), old(2, { health: 'unhealthy' })], 2))).toEqual([
    'start 1/2',
    'stop 2',
    'start 2/2',
    'stop 1',
  ]);
});

it('a new replica left starting by a deploy that was broken off is waited for, not started again', () => {
  expect(words(service([old(2), old(3), replica(4), replica(5, { health: 'starting' })]))).toEqual([
    'await',
    'stop 2',
    'start 3/3',
    'stop 3',
  ]);
});

it('a new replica that failed before makes room for one that may not', () => {
  expect(words(service([old(1), replica(4, { health: 'unhealthy' })], 1))).toEqual(['clear 4', 'start 1/1', 'stop 1']);
});

it('replicas as wanted that do not serve are not exchanged for their like', () => {
  expect(words(service([replica(1, { health: 'unhealthy' })], 1))).toEqual([]);
});

it('another image under the same name is a change, an image that is not here is none', () => {
  const rebuilt = service([replica(1, { imageId: 'sha256:before' })], 1);
  expect(words(rebuilt)).toEqual(['start 1/1', 'stop 1']);
  expect(words({ ...rebuilt, wanted: { ...rebuilt.wanted, imageId: undefined } })).toEqual([]);
});

it('a bridge that is set to 0 replicas is left to fleet scale', () => {
  expect(words(service([old(1), replica(2)], 0))).toEqual([]);
});
