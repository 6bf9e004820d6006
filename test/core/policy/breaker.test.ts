import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, CLIENT_GONE, type ErrorCode } from '#core/errors.ts';
import type { BreakerSettings } from '#core/manifest.ts';
import { Breaker, type BreakerEvent } from '#core/policy/breaker.ts';
import { Retry } from '#core/policy/retry.ts';
import { toolCall, toolPolicy, toolResult } from '../../support/calls.ts';

const SETTINGS: BreakerSettings = { errorPercent: 50, minCalls: 10, windowMs: 10_000, openMs: 10_000, probes: 3 };

const breakers: Breaker[] = [];

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  for (const breaker of breakers.splice(0)) breaker.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const crashed = (executed: 'no' | 'maybe' = 'maybe') => new BridgeError('child_crashed', 'gone', { executed });

/** A breaker in front of a child whose every call waits to be ended by the test. */
class Bench {
  readonly events: BreakerEvent[] = [];
  readonly breaker: Breaker;
  readonly invoke: Invoke;
  /** Calls that were let through, oldest first. */
  readonly dispatched: { resolve(result: ToolResult): void; reject(reason: unknown): void }[] = [];

  constructor(settings: Partial<BreakerSettings> = {}, random = () => 0) {
    this.breaker = new Breaker({ ...SETTINGS, ...settings }, { on: (event) => this.events.push(event), random });
    breakers.push(this.breaker);
    this.invoke = this.breaker.policy(() => {
      const { promise, resolve, reject } = Promise.withResolvers<ToolResult>();
      this.dispatched.push({ resolve, reject });
      return promise;
    });
  }

  get state(): string | undefined {
    return this.of('echo')?.state;
  }

  of(tool: string) {
    return this.breaker.stats().find((circuit) => circuit.tool === tool);
  }

  /** One call from its start to its end. */
  async run(failure?: unknown, call: ToolCall = toolCall()): Promise<void> {
    const before = this.dispatched.length;
    const answer = this.invoke(call).catch(() => {});
    if (this.dispatched.length > before) {
      if (failure === undefined) this.dispatched.at(-1)?.resolve(toolResult());
      else this.dispatched.at(-1)?.reject(failure);
    }
    await answer;
  }

  async good(times: number): Promise<void> {
    for (let i = 0; i < times; i++) await this.run();
  }

  async bad(times: number, failure: unknown = crashed()): Promise<void> {
    for (let i = 0; i < times; i++) await this.run(failure);
  }

  /** A call that is expected to be refused. */
  async refusal(call: ToolCall = toolCall()): Promise<BridgeError> {
    const before = this.dispatched.length;
    const error = await this.invoke(call).then(
      () => new Error('it was answered'),
      (reason: unknown) => reason,
    );
    expect(this.dispatched.length).toBe(before);
    expect(error).toMatchObject({ code: 'circuit_open', executed: 'no' });
    return error as BridgeError;
  }

  async untilHalfOpen(): Promise<void> {
    await vi.advanceTimersByTimeAsync(this.of('echo')?.retryAfterMs ?? 0);
    expect(this.state).toBe('half_open');
  }
}

describe('closed', () => {
  it('opens at its share of failures, once there were enough calls', async () => {
    const bench = new Bench();
    await bench.good(5);
    await bench.bad(4);
    expect(bench.of('echo')).toMatchObject({ state: 'closed', calls: 9, failures: 4, opened: 0 });
    await bench.bad(1);
    expect(bench.of('echo')).toMatchObject({ state: 'open', opened: 1, retryAfterMs: 10_000 });
  });

  it('stays closed below its share, however many calls fail', async () => {
    const bench = new Bench();
    for (let i = 0; i < 100; i++) {
      await bench.good(3);
      await bench.bad(2);
    }
    expect(bench.state).toBe('closed');
  });

  it('stays closed below the least number of calls, even if all fail', async () => {
    const bench = new Bench();
    await bench.bad(9);
    expect(bench.state).toBe('closed');
  });

  it('opens at 100 % where that is the share', async () => {
    const bench = new Bench({ errorPercent: 100, minCalls: 3 });
    await bench.bad(3);
    expect(bench.state).toBe('open');
  });

  it('forgets what is older than the window, good calls and bad ones', async () => {
    const bench = new Bench();
    await bench.bad(9);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bench.of('echo')).toMatchObject({ calls: 0, failures: 0 });
    await bench.good(100);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bench.of('echo')).toMatchObject({ calls: 0, failures: 0 });
    await bench.bad(10);
    expect(bench.state).toBe('open');
  });

  it('remembers a tenth of the window at a time', async () => {
    const bench = new Bench();
    await bench.good(4);
    await vi.advanceTimersByTimeAsync(5_000);
    await bench.good(6);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(bench.of('echo')).toMatchObject({ calls: 10 });
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.of('echo')).toMatchObject({ calls: 6 });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(bench.of('echo')).toMatchObject({ calls: 0 });
  });

  it('counts a call when it ends: slow ones in flight do not hide that the others fail', async () => {
    const bench = new Bench();
    const slow = Array.from({ length: 100 }, () => bench.invoke(toolCall()));
    await bench.bad(10);
    expect(bench.state).toBe('open');
    for (const call of bench.dispatched.slice(0, 100)) call.resolve(toolResult());
    await Promise.all(slow);
  });

  it('counts time-outs that are longer than the window', async () => {
    const bench = new Bench();
    const hung = Array.from({ length: 10 }, () => bench.invoke(toolCall()).catch(() => {}));
    await vi.advanceTimersByTimeAsync(30_000);
    for (const call of bench.dispatched) {
      call.reject(new BridgeError('deadline_exceeded', 'late', { executed: 'maybe' }));
    }
    await Promise.all(hung);
    expect(bench.state).toBe('open');
  });
});

describe('what counts (B5)', () => {
  it.each<ErrorCode>(['child_crashed', 'child_protocol_error', 'child_error', 'deadline_exceeded'])(
    '%s counts as a failure',
    async (code) => {
      const bench = new Bench();
      await bench.bad(10, new BridgeError(code, 'bad', { executed: 'maybe' }));
      expect(bench.state).toBe('open');
    },
  );

  it('an answer is a good call, also where the tool says no', async () => {
    const bench = new Bench();
    const invoke = bench.breaker.policy(async () => toolResult('{"isError":true}', true));
    for (let i = 0; i < 20; i++) await invoke(toolCall());
    expect(bench.of('echo')).toMatchObject({ state: 'closed', calls: 20, failures: 0 });
  });

  it.each<[string, unknown]>([
    ['a client that left', CLIENT_GONE],
    ['an error that is no BridgeError', new TypeError('ours')],
    ['a crash before anything was written', crashed('no')],
    ['a deadline before it reached a child', new BridgeError('deadline_exceeded', 'late')],
    ...(
      [
        'invalid_arguments',
        'unknown_tool',
        'queue_full',
        'queue_timeout',
        'no_worker_ready',
        'bridge_unavailable',
        'worker_backpressure',
        'draining',
        'circuit_open',
        'rate_limited',
        'schema_rejected',
      ] as const
    ).map((code): [string, unknown] => [code, new BridgeError(code, 'refused')]),
    ['an answer that is too large', new BridgeError('child_response_too_large', 'big', { executed: 'maybe' })],
    ['a wish for input', new BridgeError('input_required_unsupported', 'ask', { executed: 'maybe' })],
    ['our own bug', new BridgeError('internal', 'bug', { executed: 'maybe' })],
  ])('%s counts neither as a failure nor as a good call', async (_, reason) => {
    const bench = new Bench();
    await bench.bad(50, reason);
    expect(bench.of('echo')).toMatchObject({ state: 'closed', calls: 0, failures: 0 });
    await bench.good(5);
    await bench.bad(5);
    expect(bench.state).toBe('open');
  });

  it('a deadline that its caller made short does not count, the full one of a quick tool does', async () => {
    const late = new BridgeError('deadline_exceeded', 'late', { executed: 'maybe' });
    const bench = new Bench();
    for (let i = 0; i < 50; i++) await bench.run(late, toolCall({ timeoutMs: 999 }));
    expect(bench.of('echo')).toMatchObject({ state: 'closed', calls: 0 });
    for (let i = 0; i < 9; i++) await bench.run(late, toolCall({ timeoutMs: 1_000 }));
    expect(bench.of('echo')).toMatchObject({ calls: 9, failures: 9 });
    await bench.run(late, toolCall({ timeoutMs: 50, policy: toolPolicy({ deadlineMs: 50 }) }));
    expect(bench.state).toBe('open');
  });
});

describe('open', () => {
  it('calls no child, and says in numbers why and for how long (B1)', async () => {
    const bench = new Bench();
    await bench.good(3);
    await bench.bad(7);
    expect((await bench.refusal()).message).toBe(
      '7 of 10 calls of this tool failed within 10 s; the next probe in 10 s, repeat then',
    );
    await vi.advanceTimersByTimeAsync(6_750);
    const refusal = await bench.refusal();
    expect(refusal.retryAfterMs).toBe(3_250);
    expect(refusal.message).toContain('the next probe in 3.3 s');
    expect(bench.of('echo')).toMatchObject({ state: 'open', retryAfterMs: 3_250 });
  });

  it('keeps other tools out of it (B4)', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.refusal();
    await bench.run(undefined, toolCall({ tool: 'other' }));
    expect(bench.of('other')).toMatchObject({ state: 'closed', calls: 1 });
  });

  it('aborts none of the calls in flight, and is not disturbed by how they end (B6)', async () => {
    const bench = new Bench();
    const siblings = Array.from({ length: 30 }, () => toolCall());
    const answers = siblings.map((call) => bench.invoke(call).catch((error: unknown) => error));
    await bench.bad(10);
    expect(bench.state).toBe('open');
    expect(siblings.some(({ abort }) => abort.signal.aborted)).toBe(false);
    for (const call of bench.dispatched.slice(0, 10)) call.resolve(toolResult());
    for (const call of bench.dispatched.slice(10, 20)) call.reject(crashed());
    for (const call of bench.dispatched.slice(20, 30)) call.reject(CLIENT_GONE);
    await Promise.all(answers);
    expect(await answers[0]).toEqual(toolResult());
    expect(bench.of('echo')).toMatchObject({ state: 'open', opened: 1, retryAfterMs: 10_000 });
    expect(bench.events.map(({ event }) => event)).toEqual(['breaker:opened']);
  });
});

describe('half-open', () => {
  it('lets exactly the probes through, of 100 at once (B2)', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    const answers = Array.from({ length: 100 }, () => bench.invoke(toolCall()).catch((error: unknown) => error));
    expect(bench.dispatched.length).toBe(10 + 3);
    for (const probe of bench.dispatched.slice(10)) probe.resolve(toolResult());
    const refused = (await Promise.all(answers)).filter((answer) => answer instanceof BridgeError);
    expect(refused.length).toBe(97);
    for (const { code, executed, retryAfterMs } of refused) {
      expect({ code, executed, retryAfterMs }).toEqual({ code: 'circuit_open', executed: 'no', retryAfterMs: 1_000 });
    }
    expect(refused[0]?.message).toBe('this tool failed and is being tried with 3 calls, 0 good so far; repeat later');
    expect(bench.state).toBe('closed');
  });

  it('keeps the place of a good probe: while the others are out, nobody else is let through (B2)', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    const probes = [1, 2, 3].map(() => bench.invoke(toolCall()));
    bench.dispatched[10]?.resolve(toolResult());
    await probes[0];
    expect((await bench.refusal()).message).toContain('3 calls, 1 good so far');
    for (const probe of bench.dispatched.slice(11)) probe.resolve(toolResult());
    await Promise.all(probes);
    expect(bench.state).toBe('closed');
  });

  it('closes after as many good probes, no sooner, with an empty window (B3)', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    await bench.good(2);
    expect(bench.state).toBe('half_open');
    await bench.good(1);
    expect(bench.of('echo')).toMatchObject({ state: 'closed', calls: 0, failures: 0, opened: 1, retryAfterMs: 0 });
    await bench.bad(9);
    expect(bench.state).toBe('closed');
    await bench.bad(1);
    expect(bench.of('echo')).toMatchObject({ state: 'open', opened: 2, retryAfterMs: 10_000 });
  });

  it('opens again after one bad probe, each time for twice as long, up to 5 minutes (B3)', async () => {
    const bench = new Bench();
    await bench.bad(10);
    for (const openMs of [20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      await bench.untilHalfOpen();
      await bench.good(2);
      await bench.bad(1);
      expect(bench.of('echo')).toMatchObject({ state: 'open', retryAfterMs: openMs });
      expect((await bench.refusal()).retryAfterMs).toBe(openMs);
    }
    expect((await bench.refusal()).message).toBe(
      'this tool failed again when it was tried, 6 times now; the next probe in 300 s, repeat then',
    );
    await bench.untilHalfOpen();
    await bench.good(3);
    await bench.bad(10);
    expect(bench.of('echo')).toMatchObject({ state: 'open', retryAfterMs: 10_000, opened: 8 });
  });

  it('does not grow an open time that is longer than 5 minutes', async () => {
    const bench = new Bench({ openMs: 600_000 });
    await bench.bad(10);
    await bench.untilHalfOpen();
    await bench.bad(1);
    expect(bench.of('echo')).toMatchObject({ state: 'open', retryAfterMs: 600_000 });
  });

  it('gives the place of a probe that says nothing about the tool to the next call', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    for (const reason of [CLIENT_GONE, new BridgeError('queue_timeout', 'full'), new TypeError('ours')]) {
      await bench.bad(10, reason);
      expect(bench.state).toBe('half_open');
    }
    await bench.good(3);
    expect(bench.state).toBe('closed');
  });

  it('gives the place of a probe back when its short deadline is over, and counts it when that was fair', async () => {
    const late = new BridgeError('deadline_exceeded', 'late', { executed: 'maybe' });
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    for (let i = 0; i < 10; i++) await bench.run(late, toolCall({ timeoutMs: 10 }));
    expect(bench.state).toBe('half_open');
    await bench.run(late, toolCall());
    expect(bench.state).toBe('open');
  });

  it('gives the place back when what follows throws at once', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    const broken = bench.breaker.policy(() => {
      throw new TypeError('ours');
    });
    for (let i = 0; i < 10; i++) await expect(broken(toolCall())).rejects.toThrow('ours');
    await bench.good(3);
    expect(bench.state).toBe('closed');
  });

  it('heeds no call from before it opened, then or when it is closed again', async () => {
    const bench = new Bench();
    const old = Array.from({ length: 60 }, () => bench.invoke(toolCall()).catch(() => {}));
    await bench.bad(10);
    await bench.untilHalfOpen();
    for (const call of bench.dispatched.slice(0, 10)) call.resolve(toolResult());
    for (const call of bench.dispatched.slice(10, 20)) call.reject(crashed());
    for (const call of bench.dispatched.slice(20, 30)) call.reject(CLIENT_GONE);
    await Promise.all(old.slice(0, 30));
    expect(bench.state).toBe('half_open');
    const probes = Array.from({ length: 5 }, () => bench.invoke(toolCall()).catch(() => {}));
    expect(bench.dispatched.length).toBe(60 + 10 + 3);
    for (const probe of bench.dispatched.slice(70)) probe.resolve(toolResult());
    await Promise.all(probes);
    expect(bench.state).toBe('closed');
    for (const call of bench.dispatched.slice(30, 60)) call.reject(crashed());
    await Promise.all(old);
    expect(bench.of('echo')).toMatchObject({ state: 'closed', calls: 0, failures: 0 });
  });

  it('heeds no probe of an earlier try', async () => {
    const bench = new Bench();
    await bench.bad(10);
    await bench.untilHalfOpen();
    const old = [bench.invoke(toolCall()), bench.invoke(toolCall()).catch(() => {})];
    await bench.bad(1);
    await bench.untilHalfOpen();
    await bench.good(2);
    bench.dispatched[10]?.resolve(toolResult());
    bench.dispatched[11]?.reject(crashed());
    await Promise.all(old);
    expect(bench.state).toBe('half_open');
    await bench.good(1);
    expect(bench.state).toBe('closed');
  });
});

it('tells each change of state with its numbers', async () => {
  const bench = new Bench();
  await bench.good(2);
  await bench.bad(8);
  await bench.untilHalfOpen();
  await bench.good(1);
  await bench.bad(1);
  await bench.untilHalfOpen();
  await bench.good(3);
  expect(bench.events).toEqual([
    {
      event: 'breaker:opened',
      tool: 'echo',
      calls: 10,
      failures: 8,
      failedProbes: 0,
      windowMs: 10_000,
      openMs: 10_000,
    },
    { event: 'breaker:half_open', tool: 'echo', probes: 3 },
    { event: 'breaker:opened', tool: 'echo', calls: 2, failures: 1, failedProbes: 1, windowMs: 10_000, openMs: 20_000 },
    { event: 'breaker:half_open', tool: 'echo', probes: 3 },
    { event: 'breaker:closed', tool: 'echo', probes: 3, downMs: 30_000 },
  ]);
});

it('shortens the open time by up to a tenth, so that replicas do not probe together', async () => {
  const bench = new Bench({}, () => 0.5);
  await bench.bad(10);
  expect(bench.of('echo')).toMatchObject({ retryAfterMs: 9_500 });
  await bench.untilHalfOpen();
  await bench.bad(1);
  expect(bench.of('echo')).toMatchObject({ retryAfterMs: 19_000 });
});

it('is passed by each attempt of a call, and its refusal is not repeated', async () => {
  const next = vi.fn<Invoke>(async () => {
    throw crashed();
  });
  const breaker = new Breaker({ ...SETTINGS, minCalls: 2 });
  breakers.push(breaker);
  const invoke = new Retry().policy(breaker.policy(next));
  await expect(invoke(toolCall())).rejects.toMatchObject({ code: 'child_crashed' });
  expect(next).toHaveBeenCalledTimes(2);
  await expect(invoke(toolCall())).rejects.toMatchObject({ code: 'circuit_open' });
  expect(next).toHaveBeenCalledTimes(2);
});

it('tells of the crash where the circuit opened before the second attempt', async () => {
  const breaker = new Breaker({ ...SETTINGS, minCalls: 1 });
  breakers.push(breaker);
  const next = vi.fn<Invoke>(async () => {
    throw crashed();
  });
  const invoke = new Retry().policy(breaker.policy(next));
  await expect(invoke(toolCall())).rejects.toMatchObject({ code: 'child_crashed', executed: 'maybe' });
  expect(next).toHaveBeenCalledTimes(1);
});

it('keeps at most 1000 circuits, and forgets one that keeps nobody out', async () => {
  const bench = new Bench();
  await bench.bad(10);
  for (let i = 0; i < 1_500; i++) await bench.run(undefined, toolCall({ tool: `tool_${i}` }));
  expect(bench.breaker.stats().length).toBe(1_000);
  expect(bench.state).toBe('open');
});

it('is not opened by a call that ends when its circuit has been forgotten', async () => {
  const bench = new Bench({ minCalls: 1 });
  const old = bench.invoke(toolCall()).catch(() => {});
  for (let i = 0; i < 1_000; i++) await bench.run(undefined, toolCall({ tool: `tool_${i}` }));
  bench.dispatched[0]?.reject(crashed());
  await old;
  expect(bench.events).toEqual([]);
  expect(bench.of('echo')).toBeUndefined();
});

it('keeps nothing of what has been over, however often it opens', async () => {
  const warned = vi.spyOn(process, 'emitWarning');
  const bench = new Bench({ openMs: 100 });
  for (let i = 0; i < 30; i++) {
    await bench.bad(10);
    await bench.untilHalfOpen();
    await bench.bad(1);
    await bench.untilHalfOpen();
    await bench.good(3);
  }
  expect(bench.of('echo')).toMatchObject({ state: 'closed', opened: 60 });
  expect(warned).not.toHaveBeenCalled();
});

it('leaves no timer behind once closed, and lets everything through', async () => {
  const bench = new Bench();
  await bench.bad(10);
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  bench.breaker.close();
  bench.breaker.close();
  expect(vi.getTimerCount()).toBe(0);
  await bench.bad(30);
  for (let i = 0; i < 20; i++) await bench.run(crashed(), toolCall({ tool: 'first called now' }));
  expect(bench.dispatched.length).toBe(60);
  expect(bench.breaker.stats().every(({ state, failures }) => state === 'closed' && failures <= 10)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
