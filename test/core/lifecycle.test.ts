import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bindToProcess, type Engine, type Entrance, Lifecycle, type LifecycleEvent } from '#core/lifecycle.ts';

/** A part that notes what is asked of it and settles when told to. */
function fakes(steps: string[]) {
  const answered = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const note =
    (step: string, until: Promise<void> = Promise.resolve()) =>
    () => {
      steps.push(step);
      return until;
    };
  const entrance: Entrance = {
    name: 'main port',
    inFlight: 2,
    open: note('open main'),
    announce: note('announce'),
    close: note('close main', answered.promise),
    destroy: note('destroy main'),
  };
  const engine: Engine = {
    name: 'echo',
    start: note('start echo', started.promise),
    drain: note('drain echo', drained.promise),
    destroy: note('destroy echo'),
  };
  const ops = { name: 'ops port', open: note('open ops'), destroy: note('destroy ops') };
  return { answered, drained, started, entrance, engine, ops };
}

const codes = { drained: 0, killed: 143 };
const ending = ['destroy echo', 'destroy main', 'destroy ops'];

let steps: string[];
let events: LifecycleEvent[];
let parts: ReturnType<typeof fakes>;

beforeEach(() => {
  vi.useFakeTimers();
  steps = [];
  events = [];
  parts = fakes(steps);
});

afterEach(() => {
  vi.useRealTimers();
});

function create(drain = { delayMs: 0, budgetMs: 30_000 }): Lifecycle {
  const { entrance, engine, ops } = parts;
  return new Lifecycle({ entrance, engines: [engine], ops, drain, on: (event) => events.push(event) });
}

const names = () => events.map(({ event }) => event);
const tick = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

it('ports are open before an engine starts, and ready is said after it has', async () => {
  const lifecycle = create();
  const running = lifecycle.start();
  await tick();
  expect(steps).toEqual(['open ops', 'open main', 'start echo']);
  expect(names()).toEqual(['process:opened']);
  parts.started.resolve();
  await running;
  expect(names()).toEqual(['process:opened', 'process:ready']);
  expect(lifecycle.draining).toBe(false);
});

it('told to wait, the main port opens when the engines can serve, and the process is ready then', async () => {
  const { entrance, engine, ops } = parts;
  let canServe = false;
  const drain = { delayMs: 0, budgetMs: 30_000 };
  const opensWhen = () => canServe;
  const on = (event: LifecycleEvent) => events.push(event);
  const running = new Lifecycle({ entrance, engines: [engine], ops, drain, opensWhen, on }).start();
  parts.started.reject(new Error('crashed once'));
  await tick(10_000);
  expect(steps).toEqual(['open ops', 'start echo']);
  canServe = true;
  await tick(1_000);
  await running;
  expect(steps).toEqual(['open ops', 'start echo', 'open main']);
  expect(names()).toEqual(['part:failed', 'process:opened', 'process:ready']);
  expect(vi.getTimerCount()).toBe(0);
});

it('a process that is stopped before it could serve never opens its main port', async () => {
  const { entrance, engine, ops } = parts;
  const drain = { delayMs: 0, budgetMs: 30_000 };
  const on = (event: LifecycleEvent) => events.push(event);
  const lifecycle = new Lifecycle({ entrance, engines: [engine], ops, drain, opensWhen: () => false, on });
  const running = lifecycle.start();
  parts.started.resolve();
  await tick(1_000);
  parts.answered.resolve();
  parts.drained.resolve();
  lifecycle.stop('SIGTERM', codes);
  await tick(1_000);
  await running;
  expect(await lifecycle.ended).toBe(0);
  expect(steps).not.toContain('open main');
  expect(vi.getTimerCount()).toBe(0);
});

it('a main port that cannot be had late ends the engines too', async () => {
  const { entrance, engine, ops } = parts;
  entrance.open = async () => {
    throw new Error('taken');
  };
  const drain = { delayMs: 0, budgetMs: 30_000 };
  parts.started.resolve();
  const lifecycle = new Lifecycle({ entrance, engines: [engine], ops, drain, opensWhen: () => true, on: () => {} });
  await expect(lifecycle.start()).rejects.toThrow('taken');
  expect(steps).toEqual(['open ops', 'start echo', 'destroy echo', 'destroy main', 'destroy ops']);
});

it('a port that cannot be had starts no engine and leaves no port open', async () => {
  parts.entrance.open = async () => {
    throw new Error('taken');
  };
  await expect(create().start()).rejects.toThrow('taken');
  expect(steps).toEqual(['open ops', 'destroy main', 'destroy ops']);
});

it('an engine that fails to start does not keep the process from being ready', async () => {
  const lifecycle = create();
  parts.started.reject(new Error('no'));
  await lifecycle.start();
  expect(names()).toEqual(['process:opened', 'part:failed', 'process:ready']);
});

it('draining announces at once, takes calls for the delay, then drains entrance and engines and ends with 0', async () => {
  const lifecycle = create({ delayMs: 5000, budgetMs: 30_000 });
  lifecycle.stop('SIGTERM', codes);
  expect(lifecycle.draining).toBe(true);
  expect(steps).toEqual(['announce']);
  await tick(4999);
  expect(steps).toEqual(['announce']);
  await tick(1);
  expect(steps).toEqual(['announce', 'close main']);
  parts.answered.resolve();
  await tick();
  expect(steps).toEqual(['announce', 'close main', 'drain echo']);
  parts.drained.resolve();
  expect(await lifecycle.ended).toBe(0);
  expect(steps.slice(3)).toEqual(ending);
  expect(names()).toEqual(['process:draining', 'process:stopped']);
  expect(vi.getTimerCount()).toBe(0);
});

it('the entrance is told its budget, and what is left after it is told before anything is destroyed', async () => {
  const lifecycle = create();
  const close = vi.spyOn(parts.entrance, 'close');
  lifecycle.stop('SIGTERM', codes);
  await tick(29_999);
  expect(close).toHaveBeenCalledWith(30_000);
  expect(names()).toEqual(['process:draining']);
  await tick(1);
  expect(events.at(-1)).toEqual({ event: 'process:expired', inFlight: 2, budgetMs: 30_000 });
  expect(steps).toEqual(['announce', 'close main']);
  parts.answered.resolve();
  parts.drained.resolve();
  expect(await lifecycle.ended).toBe(0);
});

it('an entrance that does not close, and an engine that does not stop, are waited for only so long', async () => {
  const lifecycle = create();
  lifecycle.stop('SIGTERM', codes);
  await tick(30_000 + 2000 + 12_000);
  expect(await lifecycle.ended).toBe(0);
  expect(steps.slice(-3)).toEqual(ending);
  expect(names()).toEqual(['process:draining', 'process:expired', 'part:overdue', 'process:stopped']);
});

it.each([
  ['the delay', 10],
  ['the drain', 2000],
  ['the stop of the engines', 40_000],
])('a second request during %s ends everything at once', async (_, afterMs) => {
  const lifecycle = create({ delayMs: 1000, budgetMs: 30_000 });
  lifecycle.stop('SIGTERM', codes);
  await tick(afterMs);
  lifecycle.stop('SIGTERM', codes);
  expect(await lifecycle.ended).toBe(143);
  expect(steps.slice(-3)).toEqual(ending);
  expect(names().slice(-2)).toEqual(['process:killed', 'process:stopped']);
  expect(steps.filter((step) => step === 'destroy echo')).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('a third request changes nothing', async () => {
  const lifecycle = create();
  for (let i = 0; i < 4; i++) lifecycle.stop('SIGINT', { drained: 0, killed: 130 });
  expect(await lifecycle.ended).toBe(130);
  expect(names().filter((name) => name === 'process:killed')).toHaveLength(1);
});

it('a part that cannot even be destroyed does not keep the process', async () => {
  parts.engine.destroy = () => new Promise(() => {});
  parts.entrance.destroy = async () => {
    throw new Error('no');
  };
  const lifecycle = create();
  lifecycle.stop('SIGTERM', codes);
  lifecycle.stop('SIGTERM', codes);
  await tick(2000);
  expect(await lifecycle.ended).toBe(143);
  expect(events).toContainEqual({ event: 'part:overdue', parts: ['echo'], budgetMs: 2000 });
  expect(names()).toContain('part:failed');
});

it('an engine that fails to drain stops no other part', async () => {
  const lifecycle = create();
  parts.answered.resolve();
  parts.drained.reject(new Error('no'));
  lifecycle.stop('SIGTERM', codes);
  expect(await lifecycle.ended).toBe(0);
  expect(steps.slice(-3)).toEqual(ending);
});

it('a request to stop while starting is obeyed, and ready is never said', async () => {
  const lifecycle = create();
  const running = lifecycle.start();
  await tick();
  lifecycle.stop('SIGTERM', codes);
  parts.started.resolve();
  parts.answered.resolve();
  parts.drained.resolve();
  await running;
  expect(await lifecycle.ended).toBe(0);
  expect(names()).not.toContain('process:ready');
});

it('an engine that never starts does not keep a process that was asked to stop', async () => {
  const lifecycle = create();
  const running = lifecycle.start();
  await tick();
  parts.answered.resolve();
  parts.drained.resolve();
  lifecycle.stop('SIGTERM', codes);
  expect(await lifecycle.ended).toBe(0);
  await running;
});

it('an error nobody caught drains and ends with 70; a second one is told and changes nothing', async () => {
  const lifecycle = create();
  lifecycle.fail(new Error('first'));
  lifecycle.fail(new Error('second'));
  parts.answered.resolve();
  parts.drained.resolve();
  expect(await lifecycle.ended).toBe(70);
  expect(names()).toEqual(['process:failed', 'process:draining', 'process:failed', 'process:stopped']);
});

it('the same signal twice within 200 ms is one wish: the terminal and npm both deliver it', async () => {
  const target = new EventEmitter();
  const asked: string[] = [];
  const lifecycle = { stop: (reason: string) => asked.push(reason), fail: () => {} };
  using _bound = bindToProcess(lifecycle, target, () => {});
  for (let i = 0; i < 3; i++) target.emit('SIGINT', 'SIGINT');
  expect(asked).toEqual(['SIGINT']);
  await tick(200);
  target.emit('SIGINT', 'SIGINT');
  expect(asked).toEqual(['SIGINT', 'SIGINT']);
});

it('signals and uncaught errors of a process reach the lifecycle until they are unbound', () => {
  const target = new EventEmitter();
  const asked: unknown[] = [];
  const lifecycle = {
    stop: (reason: string, { killed }: { killed: number }) => asked.push([reason, killed]),
    fail: (error: unknown) => asked.push(error),
  };
  const bound = bindToProcess(lifecycle, target, () => asked.push('hangup'));
  for (const event of ['SIGTERM', 'SIGINT', 'SIGHUP']) target.emit(event, event);
  target.emit('uncaughtException', 'thrown', 'uncaughtException');
  target.emit('unhandledRejection', 'rejected', Promise.resolve());
  expect(asked).toEqual([['SIGTERM', 143], ['SIGINT', 130], 'hangup', 'thrown', 'rejected']);
  bound[Symbol.dispose]();
  expect(target.eventNames()).toEqual([]);
});
