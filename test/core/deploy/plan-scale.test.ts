import { expect, it } from 'vitest';
import { planScale } from '#core/deploy/plan-scale.ts';
import { old, replica, service, simulate } from './fleet-state.ts';

it('further replicas start together beside those there are, which nobody touches (L7)', () => {
  const steps = planScale(service([old(1), replica(2), replica(3)]), 5);
  expect(steps).toEqual([{ do: 'start', service: 'mcp-slack', count: 2 }]);
});

it('the newest go first, one at a time (L7)', () => {
  const fleet = service([1, 2, 3, 4, 5].map((n) => replica(n)));
  const steps = planScale(fleet, 3);
  expect(steps.map((step) => 'replica' in step && step.replica.number)).toEqual([5, 4]);
  expect(simulate(fleet.replicas, steps).serving).toEqual([5, 4, 3]);
});

it('what does not serve goes before what does', () => {
  const steps = planScale(service([replica(1, { health: 'unhealthy' }), replica(2), replica(3)]), 2);
  expect(steps.map((step) => 'replica' in step && step.replica.number)).toEqual([1]);
});

it('an ended container is cleared away and does not count', () => {
  const steps = planScale(service([replica(1), replica(2, { state: 'exited' })]), 2);
  expect(steps.map((step) => step.do)).toEqual(['clear', 'start']);
});

it('only to 0 may the last one be stopped', () => {
  const toNone = planScale(service([replica(1), replica(2)]), 0);
  expect(toNone.every((step) => step.do === 'stop' && step.last === true)).toBe(true);
  expect(planScale(service([replica(1), replica(2)]), 1).some((step) => step.do === 'stop' && step.last)).toBe(false);
});

it('nothing is done where the number is right', () => {
  expect(planScale(service([replica(1), replica(2)]), 2)).toEqual([]);
});
