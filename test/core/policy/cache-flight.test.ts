import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { Cache } from '#core/policy/cache.ts';
import { Deadline } from '#core/policy/deadline.ts';
import type { CachedAnswer, CacheStore } from '#core/store/cache-store.ts';
import { MemoryCacheStore } from '#core/store/memory-cache-store.ts';
import { toolCall, toolPolicy, toolResult } from '../../support/calls.ts';

const DEADLINE_MS = 10_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

function cached(overrides: Partial<ToolCall> = {}): ToolCall {
  const policy = toolPolicy({ effect: 'read', cacheTtlMs: 60_000, deadlineMs: DEADLINE_MS });
  return toolCall({ policy, timeoutMs: DEADLINE_MS, ...overrides });
}

interface Execution {
  readonly call: ToolCall;
  readonly resolve: (result: ToolResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Executions that end when told to, and at once when they are cancelled, as in a child. */
class Executions {
  readonly all: Execution[] = [];

  readonly next: Invoke = (call) => {
    call.report.attempts++;
    return new Promise((resolve, reject) => {
      this.all.push({ call, resolve, reject });
      call.abort.signal.addEventListener('abort', () => reject(new Cancelled(call.abort.signal.reason)));
    });
  };

  get count(): number {
    return this.all.length;
  }

  get last(): Execution {
    const execution = this.all.at(-1);
    if (execution === undefined) throw new Error('nothing was executed');
    return execution;
  }
}

/** What the layer that holds a cancelled call makes of the reason. */
class Cancelled extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('cancelled');
    this.reason = reason;
  }
}

/** Everything that was settled has been told to whoever waits for it. */
const settled = () => vi.advanceTimersByTimeAsync(0);

function setUp(store: CacheStore = new MemoryCacheStore()) {
  const executions = new Executions();
  const cache = new Cache(store);
  const deadline = new Deadline();
  const invoke = deadline.policy(cache.policy(executions.next));
  return { executions, cache, deadline, invoke };
}

/** How each call ended, undefined while it has not. */
function endings(calls: readonly Promise<ToolResult>[]): readonly unknown[] {
  const ended: unknown[] = calls.map(() => undefined);
  for (const [n, call] of calls.entries()) {
    call.then(
      (result) => {
        ended[n] = result;
      },
      (error) => {
        ended[n] = error;
      },
    );
  }
  return ended;
}

describe('calls that ask for the same at the same time', () => {
  it('are executed once: 100 of them, each with the answer', async () => {
    const { executions, cache, invoke } = setUp();
    const calls = Array.from({ length: 100 }, () => cached());
    const ended = endings(calls.map(invoke));
    await settled();
    expect(executions.count).toBe(1);
    const result = toolResult();
    executions.last.resolve(result);
    await settled();
    expect(ended.every((end) => end === result)).toBe(true);
    expect(cache.stats).toMatchObject({ hits: 0, misses: 1, joined: 99, stored: 1 });
    expect(calls.map(({ report }) => report.attempts).reduce((a, b) => a + b)).toBe(1);
    expect(calls.every(({ report }) => report.source === 'child')).toBe(true);
  });

  it('fail together, and nothing of it is kept', async () => {
    const { executions, invoke } = setUp();
    const ended = endings([invoke(cached()), invoke(cached())]);
    const error = new BridgeError('child_crashed', 'gone', { executed: 'maybe' });
    executions.last.reject(error);
    await settled();
    expect(ended).toEqual([error, error]);
    void invoke(cached()).catch(() => {});
    expect(executions.count).toBe(2);
  });

  it('are executed each where anything about them differs', async () => {
    const { executions, invoke } = setUp();
    endings([invoke(cached()), invoke(cached({ tool: 'other' })), invoke(cached({ argumentsJson: '{"a":1}' }))]);
    expect(executions.count).toBe(3);
  });

  it('may follow in the very turn in which the answer comes', async () => {
    const { executions, invoke } = setUp();
    const again = invoke(cached()).then(() => invoke(cached()));
    executions.last.resolve(toolResult());
    await expect(again).resolves.toMatchObject({ isError: false });
    expect(executions.count).toBe(1);
  });

  it('leave no listener on anybody, nor a timer', async () => {
    const { executions, deadline, invoke } = setUp();
    const calls = [cached(), cached(), cached()];
    endings(calls.map(invoke));
    calls[1]?.abort.abort(CLIENT_GONE);
    await settled();
    executions.last.resolve(toolResult());
    await settled();
    expect(calls.map(({ abort }) => getEventListeners(abort.signal as AbortSignal, 'abort').length)).toEqual([0, 0, 0]);
    deadline.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('whoever leaves', () => {
  it('takes nothing from the others, even if the execution is of its own call', async () => {
    const { executions, invoke } = setUp();
    const leader = cached();
    const ended = endings([invoke(leader), invoke(cached())]);
    leader.abort.abort(CLIENT_GONE);
    await settled();
    expect(ended).toEqual([CLIENT_GONE, undefined]);
    expect(executions.last.call.abort.signal.aborted).toBe(false);
    const result = toolResult();
    executions.last.resolve(result);
    await settled();
    expect(ended[1]).toBe(result);
    expect(executions.count).toBe(1);
  });

  it('as the last one has it cancelled, and is told what became of it', async () => {
    const { executions, invoke } = setUp();
    const calls = [cached(), cached(), cached()];
    const ended = endings(calls.map(invoke));
    for (const { abort } of calls.slice(0, 2)) abort.abort(CLIENT_GONE);
    await settled();
    expect(executions.last.call.abort.signal.aborted).toBe(false);
    const reason = new BridgeError('deadline_exceeded', 'too late');
    calls[2]?.abort.abort(reason);
    expect(executions.last.call.abort.signal.reason).toBe(reason);
    await settled();
    expect(ended[2]).toMatchObject({ message: 'cancelled', reason });
    expect(executions.count).toBe(1);
  });

  it('is followed by an execution of its own where somebody comes before the cancel is through', async () => {
    const { executions, invoke } = setUp();
    const first = cached();
    const ended = endings([invoke(first)]);
    first.abort.abort(CLIENT_GONE);
    const late = endings([invoke(cached())]);
    await settled();
    expect(ended[0]).toMatchObject({ reason: CLIENT_GONE });
    expect(executions.count).toBe(2);
    expect(executions.last.call.abort.signal.aborted).toBe(false);
    const result = toolResult();
    executions.last.resolve(result);
    await settled();
    expect(late).toEqual([result]);
  });
});

describe('deadlines', () => {
  it('end the calls that they are of, and no other one', async () => {
    const { executions, invoke } = setUp();
    const ended = endings([invoke(cached({ timeoutMs: 50 })), invoke(cached())]);
    await vi.advanceTimersByTimeAsync(50);
    expect(ended).toEqual([
      expect.objectContaining({
        code: 'deadline_exceeded',
        executed: 'maybe',
        message: expect.stringContaining('50 ms'),
      }),
      undefined,
    ]);
    expect(executions.last.call.abort.signal.aborted).toBe(false);
    const result = toolResult();
    executions.last.resolve(result);
    await settled();
    expect(ended[1]).toBe(result);
    expect(executions.count).toBe(1);
  });

  it("are not handed down: the execution has the tool's own time, from when it begins", async () => {
    const { executions, invoke } = setUp();
    endings([invoke(cached({ timeoutMs: 50, arrivedAtMs: performance.now() - 20 }))]);
    expect(executions.last.call).toMatchObject({ arrivedAtMs: performance.now(), timeoutMs: DEADLINE_MS });
    await settled();
  });

  it("end it where the tool's own time is over: who came later and has time left gets another execution", async () => {
    const { executions, invoke } = setUp();
    const calls = [cached()];
    const ended = endings([invoke(calls[0] as ToolCall)]);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1_000);
    const late = [cached(), cached()];
    const lateEnded = endings(late.map(invoke));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ended[0]).toMatchObject({ code: 'deadline_exceeded' });
    expect(lateEnded).toEqual([undefined, undefined]);
    expect(executions.count).toBe(2);
    expect(executions.all[0]?.call.abort.signal.reason).toMatchObject({ code: 'deadline_exceeded' });
    const result = toolResult();
    executions.last.resolve(result);
    await settled();
    expect(lateEnded).toEqual([result, result]);
    expect(late.map(({ report }) => report.attempts)).toEqual([1, 0]);
  });

  it('give nobody a third execution', async () => {
    const executions = new Executions();
    const withoutDeadline = new Cache(new MemoryCacheStore()).policy(executions.next);
    const ended = endings([withoutDeadline(cached())]);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS);
    expect(executions.count).toBe(2);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS);
    expect(executions.count).toBe(2);
    expect(ended[0]).toMatchObject({ reason: { code: 'deadline_exceeded' } });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('count those who wait rightly: the last of them has it cancelled also after others were refused', async () => {
    const executions = new Executions();
    const withoutDeadline = new Cache(new MemoryCacheStore()).policy(executions.next);
    const refused = endings([withoutDeadline(cached())]);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS);
    const last = cached();
    endings([withoutDeadline(last)]);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS);
    expect(refused[0]).toBeInstanceOf(Cancelled);
    expect(executions.count).toBe(3);
    last.abort.abort(CLIENT_GONE);
    await settled();
    expect(executions.last.call.abort.signal.reason).toBe(CLIENT_GONE);
  });

  it('let a lone call be told by the layer that held it', async () => {
    const { executions, invoke } = setUp();
    const ended = endings([invoke(cached({ timeoutMs: 50 }))]);
    await vi.advanceTimersByTimeAsync(50);
    expect(ended[0]).toMatchObject({ message: 'cancelled', reason: { code: 'deadline_exceeded' } });
    expect(executions.last.call.abort.signal.aborted).toBe(true);
    expect(executions.count).toBe(1);
  });
});

describe('a store that is asked over the network', () => {
  /** A store that answers when it is told to. */
  function distant() {
    const asked: ((found: CachedAnswer | undefined) => void)[] = [];
    const store: CacheStore = {
      maxAnswerBytes: 1_000,
      get: () => new Promise((resolve) => asked.push(resolve)),
      set: async () => {},
    };
    return { asked, ...setUp(store) };
  }

  it('is asked once for calls that come together, and all are told the age', async () => {
    const { asked, executions, cache, invoke } = distant();
    const calls = [cached(), cached()];
    const ended = endings(calls.map(invoke));
    expect(asked.length).toBe(1);
    asked[0]?.({ body: Buffer.from('{"kept":1}'), ageMs: 700 });
    await settled();
    expect(ended.map((end) => Buffer.concat((end as ToolResult).body).toString())).toEqual([
      '{"kept":1}',
      '{"kept":1}',
    ]);
    expect(calls.map(({ report }) => report)).toMatchObject([
      { source: 'cache', ageMs: 700, attempts: 0 },
      { source: 'cache', ageMs: 700, attempts: 0 },
    ]);
    expect(executions.count).toBe(0);
    expect(cache.stats).toMatchObject({ hits: 1, misses: 0, joined: 1 });
  });

  it('that finds nothing, or what is older than the operator allows, has it executed', async () => {
    for (const found of [undefined, { body: Buffer.from('{}'), ageMs: 60_000 }]) {
      const { asked, executions, invoke } = distant();
      endings([invoke(cached()), invoke(cached())]);
      asked[0]?.(found);
      await settled();
      expect(executions.count).toBe(1);
    }
  });

  it('holds nobody back who leaves meanwhile, and nothing is executed for nobody', async () => {
    const { asked, executions, invoke } = distant();
    const ended = endings([invoke(cached({ timeoutMs: 50 }))]);
    await vi.advanceTimersByTimeAsync(50);
    expect(ended[0]).toMatchObject({ code: 'deadline_exceeded', executed: 'no' });
    asked[0]?.(undefined);
    await settled();
    expect(executions.count).toBe(0);
    endings([invoke(cached())]);
    expect(asked.length).toBe(2);
  });
});
