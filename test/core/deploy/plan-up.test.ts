import { expect, it } from 'vitest';
import { planService, planUp } from '#core/deploy/plan-up.ts';
import { describeStep } from '#core/deploy/step.ts';
import { old, replica, service } from './fleet-state.ts';

it('what is not there is created at once, and what runs is exchanged one at a time', () => {
  const { steps, notes } = planUp([
    service([], 1, 'redis'),
    service([], 2, 'mcp-stripe'),
    service([old(1)], 1),
    service([], 0, 'mcp-twilio'),
  ]);
  expect(steps.map((step) => step.do)).toEqual(['create', 'start', 'stop']);
  expect(steps[0]).toEqual({ do: 'create', services: ['redis', 'mcp-stripe'] });
  expect(notes).toEqual([]);
});

it('nothing that takes all replicas of a bridge down is ever planned (L9)', () => {
  const bridges = [service([old(1), old(2), old(3)]), service([replica(1, { state: 'exited' })], 2, 'mcp-stripe')];
  expect(planUp(bridges).steps.some((step) => step.do === 'replace')).toBe(false);
  expect(bridges.some((bridge) => planService(bridge, true).steps.some((step) => step.do === 'replace'))).toBe(false);
});

it('a proxy reloads, and is made anew only where that was said', () => {
  const front = service([old(1)], 1, 'front');
  expect(planService(front).steps.map((step) => step.do)).toEqual(['reload']);
  expect(planService(front).notes).toEqual([expect.stringContaining('fleet deploy front --yes')]);
  expect(planService(front, true).steps).toEqual([{ do: 'replace', service: 'front' }]);
  expect(planService(service([replica(1)], 1, 'egress')).steps.map((step) => step.do)).toEqual(['reload']);
});

it('a store that has changed is kept as it runs, with the command that would change it', () => {
  const redis = service([old(1)], 1, 'redis');
  expect(planService(redis).steps).toEqual([]);
  expect(planService(redis).notes).toEqual([expect.stringContaining('fleet deploy redis --yes')]);
  expect(planService(redis, true).steps).toEqual([{ do: 'replace', service: 'redis' }]);
  expect(planService(service([replica(1)], 1, 'redis'))).toEqual({ steps: [], notes: [] });
});

it('a service of a name nobody knows is handled as carefully as a store', () => {
  expect(planService(service([old(1)], 1, 'something')).steps).toEqual([]);
});

it('what stands aside of calls is made anew at once', () => {
  expect(planService(service([old(1)], 1, 'prometheus')).steps).toEqual([{ do: 'replace', service: 'prometheus' }]);
  expect(planService(service([replica(1)], 1, 'prometheus')).steps).toEqual([]);
});

it('a store or a proxy that has ended is started again', () => {
  for (const name of ['redis', 'front']) {
    const { steps } = planService(service([replica(1, { state: 'exited' })], 1, name));
    expect(steps).toEqual([{ do: 'replace', service: name }]);
  }
});

it('replicas that do not serve although nothing has changed are told of', () => {
  const { steps, notes } = planService(service([replica(1, { health: 'unhealthy' }), replica(2), replica(3)]));
  expect(steps).toEqual([]);
  expect(notes).toEqual([expect.stringContaining('fleet-mcp-slack-1 is not healthy')]);
});

it('a bridge that runs though it is set to 0 is left, with the command that ends it', () => {
  expect(planUp([service([replica(1)], 0)])).toEqual({
    steps: [],
    notes: [expect.stringContaining('fleet scale slack=0 --yes')],
  });
});

it('every step can be told to a person', () => {
  const one = replica(1);
  const told = [
    describeStep({ do: 'create', services: ['redis', 'mcp-slack'] }),
    describeStep({ do: 'clear', service: 'mcp-slack', replica: one, why: 'ended' }),
    describeStep({ do: 'clear', service: 'mcp-slack', replica: one, why: 'unhealthy' }),
    describeStep({ do: 'await', service: 'mcp-slack', replicas: [one] }),
    describeStep({ do: 'start', service: 'mcp-slack', count: 1, position: '2/3' }),
    describeStep({ do: 'stop', service: 'mcp-slack', replica: one }),
    describeStep({ do: 'reload', service: 'front', replica: one }),
    describeStep({ do: 'replace', service: 'redis' }),
  ];
  expect(told).toEqual([
    'create redis, slack and wait until healthy',
    'slack: remove fleet-mcp-slack-1, which has ended',
    'slack: remove fleet-mcp-slack-1, which is unhealthy',
    'slack: wait until fleet-mcp-slack-1 is healthy',
    'slack 2/3: start 1 new, beside the others, and wait until healthy',
    'slack: stop fleet-mcp-slack-1 (SIGTERM, up to 45 s to drain)',
    'front: test its configuration and reload it',
    'redis: make its container anew',
  ]);
});
