import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { Idempotency } from '#core/policy/idempotency.ts';
import { MemoryIdempotencyStore } from '#core/store/memory-idempotency-store.ts';
import { toolCall, toolPolicy, toolResult } from '../../support/calls.ts';
import { until } from '../../support/until.ts';
import { FaultyStore } from './idempotency-faults.ts';

afterEach(() => {
  vi.useRealTimers();
});

const CRASHED = new BridgeError('child_crashed', 'the worker died: exit code 1', { executed: 'maybe' });
const PAID = '{"content":[{"type":"text","text":"{\\"id\\":7}"}],"structuredContent":{"id":7}}';
const policy = toolPolicy({ effect: 'write', reconcile: true });
const definition = { sha256: 'd'.repeat(64), reconciles: true };

type Turn = ToolResult | Error | ((call: ToolCall) => Promise<ToolResult>);

/** The answer of a tool that looked. */
function found(verdict: string, result: object = JSON.parse(PAID)): ToolResult {
  return toolResult(JSON.stringify({ ...result, _meta: { 'mcp-bridge-fleet/reconciled': verdict } }));
}

/** A tool that runs and looks as told, in turn; asked once more than told, it runs to `PAID`. */
function setup(...turns: Turn[]) {
  const clock = { ms: 0 };
  const store = new FaultyStore(new MemoryIdempotencyStore({ now: () => clock.ms }));
  const idempotency = new Idempotency(store);
  const runs: ToolCall[] = [];
  const looks: ToolCall[] = [];
  const tool: Invoke = async (call) => {
    (call.looksOnly ? looks : runs).push(call);
    const turn = turns.shift() ?? toolResult(PAID);
    if (turn instanceof Error) throw turn;
    return typeof turn === 'function' ? turn(call) : turn;
  };
  return { clock, store, idempotency, runs, looks, invoke: idempotency.policy(tool) };
}

function plain(overrides: Partial<ToolCall> = {}): ToolCall {
  return toolCall({ policy, definition, idempotencyKey: 'k-1', timeoutMs: 10_000, ...overrides });
}

function question(overrides: Partial<ToolCall> = {}): ToolCall {
  return plain({ reconcile: true, ...overrides });
}

const textOf = ({ body }: ToolResult): string => Buffer.concat(body).toString();
const outcomeOf = (answer: Promise<ToolResult>): Promise<string> =>
  answer.then(
    (result) => `200 ${textOf(result)}`,
    (error: BridgeError) => `${error.code} ${error.executed}`,
  );

/** Leaves a key in one of the states of which it can be asked what became of the call. */
const DOUBTS: readonly [string, readonly Turn[], (world: ReturnType<typeof setup>) => Promise<void>, string][] = [
  [
    'that crashed',
    [CRASHED],
    async ({ invoke }) => {
      await expect(invoke(plain())).rejects.toBe(CRASHED);
    },
    'child_crashed maybe',
  ],
  [
    'whose tool says that it does not know',
    [toolResult('{"content":[],"isError":true,"structuredContent":{"error":{"code":"outcome_unknown"}}}', true)],
    async ({ invoke }) => {
      expect((await invoke(plain())).isError).toBe(true);
    },
    '200 {"content":[],"isError":true,"structuredContent":{"error":{"code":"outcome_unknown"}}}',
  ],
  [
    'whose tool says that it was executed, maybe',
    [toolResult('{"content":[],"isError":true,"structuredContent":{"error":{"code":"x","executed":"maybe"}}}', true)],
    async ({ invoke }) => {
      expect((await invoke(plain())).isError).toBe(true);
    },
    '200 {"content":[],"isError":true,"structuredContent":{"error":{"code":"x","executed":"maybe"}}}',
  ],
  [
    'whose owner died',
    [() => new Promise<never>(() => {})],
    async ({ invoke, runs, clock }) => {
      void invoke(plain());
      await until('it runs', () => runs.length === 1);
      clock.ms += 15_001;
    },
    'outcome_unknown maybe',
  ],
];

describe.each(DOUBTS)('of a call %s', (_, turns, begin, before) => {
  it('what happened is found, answered and recorded, and nothing runs again', async () => {
    const world = setup(...turns, found('executed'));
    await begin(world);
    const { invoke, runs, looks, store, idempotency } = world;
    const asked = question();
    const result = await invoke(asked);
    expect(textOf(result)).toBe(PAID);
    expect(result).toMatchObject({ length: PAID.length, isError: false });
    expect(asked.report).toMatchObject({ source: 'reconciled' });
    expect(looks).toHaveLength(1);
    expect(looks[0]).toMatchObject({ looksOnly: true, effect: 'read', vendorKey: store.keys[0] });
    expect(looks[0]?.report).toBe(asked.report);
    for (const later of [plain(), question()]) {
      expect(textOf(await invoke(later))).toBe(PAID);
      expect(later.report.source).toBe('record');
    }
    expect([runs.length, looks.length]).toEqual([1, 1]);
    expect(idempotency.stats.reconciled).toEqual({ executed: 1, not_executed: 0, unknown: 0, failed: 0 });
  });

  it('what did not happen frees the key: it may run once', async () => {
    const world = setup(...turns, found('not_executed', { content: [] }));
    await begin(world);
    const { invoke, runs, looks, idempotency } = world;
    await expect(invoke(question())).rejects.toMatchObject({
      code: 'not_executed',
      executed: 'no',
      message: expect.stringContaining('same key'),
    });
    const next = plain();
    expect(textOf(await invoke(next))).toBe(PAID);
    expect(next.report.source).toBe('child');
    expect(textOf(await invoke(plain()))).toBe(PAID);
    expect([runs.length, looks.length]).toEqual([2, 1]);
    expect(idempotency.stats.reconciled.not_executed).toBe(1);
  });

  it('what nobody can tell leaves it as it was, and says where was looked', async () => {
    const world = setup(...turns, found('unknown', { structuredContent: { looked: 'the last 100 charges' } }));
    await begin(world);
    const { invoke, runs, looks } = world;
    await expect(invoke(question())).rejects.toMatchObject({
      code: 'outcome_unknown',
      executed: 'maybe',
      message: expect.stringContaining('(the last 100 charges)'),
    });
    expect(await outcomeOf(invoke(plain()))).toBe(before);
    expect([runs.length, looks.length]).toEqual([1, 1]);
    expect(await outcomeOf(invoke(question()))).toBe('child_protocol_error maybe');
  });

  it.each<[string, Turn, RegExp]>([
    [
      'the worker dies',
      new BridgeError('child_crashed', 'exit code 9', { executed: 'maybe' }),
      /child_crashed.*code 9/,
    ],
    [
      'nobody is free',
      new BridgeError('queue_full', 'all are busy', { retryAfterMs: 700 }),
      /queue_full.*all are busy/,
    ],
    [
      'the tool says no',
      toolResult('{"isError":true,"structuredContent":{"error":{"code":"vendor_down"}}}', true),
      /vendor_down/,
    ],
    ['the tool says no without a word', toolResult('{"isError":true}', true), /tool_error/],
  ])('that could not be looked for, since %s, is still unknown and as it was', async (_why, turn, message) => {
    const world = setup(...turns, turn, found('executed'));
    await begin(world);
    const { invoke, runs, looks, idempotency } = world;
    const failed = await invoke(question()).catch((error: BridgeError) => error);
    expect(failed).toMatchObject({
      code: 'outcome_unknown',
      executed: 'maybe',
      message: expect.stringMatching(message),
    });
    expect((failed as BridgeError).retryAfterMs).toBe(turn instanceof BridgeError ? turn.retryAfterMs : undefined);
    expect(await outcomeOf(invoke(plain()))).toBe(before);
    expect(textOf(await invoke(question()))).toBe(PAID);
    expect([runs.length, looks.length]).toEqual([1, 2]);
    expect(idempotency.stats.reconciled).toMatchObject({ failed: 1, executed: 1 });
  });

  it('an answer that does not say what was found is a broken protocol, and changes nothing', async () => {
    const world = setup(...turns, toolResult(PAID));
    await begin(world);
    const { invoke } = world;
    await expect(invoke(question())).rejects.toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
    expect(await outcomeOf(invoke(plain()))).toBe(before);
  });

  it('two who ask at once: one looks, the other is told to come back', async () => {
    const gate = Promise.withResolvers<ToolResult>();
    const world = setup(...turns, () => gate.promise);
    await begin(world);
    const { invoke, looks } = world;
    const first = invoke(question());
    await until('one looks', () => looks.length === 1);
    for (const other of [question(), plain()]) {
      await expect(invoke(other)).rejects.toMatchObject({ code: 'idempotency_in_progress', executed: 'no' });
    }
    gate.resolve(found('executed'));
    expect(textOf(await first)).toBe(PAID);
    expect(looks).toHaveLength(1);
  });

  it('fifty who ask at the same moment: one looks', async () => {
    const gate = Promise.withResolvers<ToolResult>();
    const world = setup(...turns, () => gate.promise);
    await begin(world);
    const { invoke, looks } = world;
    const answers = Array.from({ length: 50 }, () => outcomeOf(invoke(question())));
    await until('one looks', () => looks.length === 1);
    gate.resolve(found('executed'));
    const told = await Promise.all(answers);
    expect(told.filter((answer) => answer === `200 ${PAID}`)).toHaveLength(1);
    expect(told.filter((answer) => answer === 'idempotency_in_progress no')).toHaveLength(49);
    expect(looks).toHaveLength(1);
  });

  it('a tool that cannot look is not asked, and says so where nothing is recorded', async () => {
    for (const cannot of [{ policy: { ...policy, reconcile: false } }, { definition: { sha256: definition.sha256 } }]) {
      const world = setup(...turns);
      await begin(world);
      const { invoke, looks, runs } = world;
      const call = question(cannot);
      const answer = await invoke(call).catch((error: BridgeError) => error);
      if (before.startsWith('outcome_unknown')) {
        expect(answer).toMatchObject({ code: 'outcome_unknown', message: expect.stringContaining('cannot be asked') });
      } else expect(call.report.source).toBe('record');
      expect(await outcomeOf(invoke(plain(cannot)))).toBe(before);
      expect([runs.length, looks.length]).toEqual([1, 0]);
    }
  });

  it('who looks and dies leaves it as it was', async () => {
    const world = setup(...turns, () => new Promise<never>(() => {}), found('executed'));
    await begin(world);
    const { invoke, looks, clock, runs } = world;
    void invoke(question());
    await until('it looks', () => looks.length === 1);
    clock.ms += 15_001;
    expect(await outcomeOf(invoke(plain()))).toBe(before);
    expect(textOf(await invoke(question()))).toBe(PAID);
    expect(runs).toHaveLength(1);
  });

  it('a deadline that ends the look leaves it as it was', async () => {
    const expired = new BridgeError('deadline_exceeded', 'no answer within 10000 ms');
    const world = setup(...turns, async (call) => {
      call.abort.abort(expired);
      throw new BridgeError(expired.code, expired.message, { executed: 'maybe' });
    });
    await begin(world);
    const { invoke } = world;
    await expect(invoke(question())).rejects.toMatchObject({
      code: 'outcome_unknown',
      message: expect.stringContaining('deadline_exceeded'),
    });
    expect(await outcomeOf(invoke(plain()))).toBe(before);
  });
});

describe('of a call whose outcome is known', () => {
  it.each<[string, Turn]>([
    ['a result', toolResult(PAID)],
    ['a result that tells of an error', toolResult('{"structuredContent":{"error":{"code":"outcome_unknown"}}}')],
    ['a failure of the tool', toolResult('{"isError":true,"structuredContent":{"error":{"code":"no_money"}}}', true)],
    ['a failure after it ran', new BridgeError('child_response_too_large', 'too large', { executed: 'yes' })],
  ])('%s is told again, and nothing is looked up', async (_, turn) => {
    const { invoke, runs, looks } = setup(turn);
    const first = await outcomeOf(invoke(plain()));
    const asked = question();
    expect(await outcomeOf(invoke(asked))).toBe(first);
    expect(asked.report.source).toBe('record');
    expect([runs.length, looks.length]).toEqual([1, 0]);
  });

  it('while it runs it is said when to come back', async () => {
    const gate = Promise.withResolvers<ToolResult>();
    const { invoke, runs, looks } = setup(() => gate.promise);
    const running = invoke(plain());
    await until('it runs', () => runs.length === 1);
    await expect(invoke(question())).rejects.toMatchObject({ code: 'idempotency_in_progress' });
    gate.resolve(toolResult(PAID));
    await running;
    expect(looks).toHaveLength(0);
  });

  it('with other arguments it is refused', async () => {
    const { invoke, looks } = setup(CRASHED);
    await outcomeOf(invoke(plain({ argumentsJson: '{"a":1}' })));
    expect(await outcomeOf(invoke(question({ argumentsJson: '{"a":2}' })))).toBe('idempotency_key_reused no');
    expect(looks).toHaveLength(0);
  });
});

describe('of a call of which nothing is recorded', () => {
  it('a question runs nothing: what is found is recorded', async () => {
    const { invoke, runs, looks } = setup(found('executed'));
    const asked = question();
    expect(textOf(await invoke(asked))).toBe(PAID);
    expect(asked.report.source).toBe('reconciled');
    expect(textOf(await invoke(plain()))).toBe(PAID);
    expect([runs.length, looks.length]).toEqual([0, 1]);
  });

  it('what did not happen may run', async () => {
    const { invoke, runs } = setup(found('not_executed'));
    expect(await outcomeOf(invoke(question()))).toBe('not_executed no');
    expect(textOf(await invoke(plain()))).toBe(PAID);
    expect(runs).toHaveLength(1);
  });

  it.each<[string, Turn]>([
    ['what nobody can tell', found('unknown')],
    ['what nobody could look for', CRASHED],
  ])('%s never runs by accident from then on, and may be asked about again', async (_, turn) => {
    const { invoke, runs } = setup(turn, found('not_executed'));
    expect(await outcomeOf(invoke(question()))).toBe('outcome_unknown maybe');
    expect(await outcomeOf(invoke(plain()))).toBe('outcome_unknown maybe');
    expect(runs).toHaveLength(0);
    expect(await outcomeOf(invoke(question()))).toBe('not_executed no');
    expect(textOf(await invoke(plain()))).toBe(PAID);
  });

  it('a tool that cannot look is not asked, and the key stays free', async () => {
    const { invoke, runs, looks } = setup();
    const cannot = { policy: toolPolicy({ effect: 'write' }) };
    await expect(invoke(question(cannot))).rejects.toMatchObject({
      code: 'outcome_unknown',
      executed: 'maybe',
      message: expect.stringContaining('no call with this key is recorded'),
    });
    expect([runs.length, looks.length]).toEqual([0, 0]);
    expect(textOf(await invoke(plain(cannot)))).toBe(PAID);
  });
});

describe('while the store is away', () => {
  it.each(['write', 'idempotent', 'read'] as const)('a question about a %s is refused', async (effect) => {
    const { invoke, store, looks, runs, idempotency } = setup();
    store.state = 'away';
    await expect(invoke(question({ policy: { ...policy, effect } }))).rejects.toMatchObject({
      code: 'idempotency_store_unavailable',
      executed: 'no',
      retryAfterMs: 1_000,
    });
    expect([runs.length, looks.length]).toEqual([0, 0]);
    await idempotency.close();
  });

  it.each(['away', 'mute'] as const)('going %s when the record is taken over, nothing is looked up', async (state) => {
    const { invoke, store, looks, clock } = setup(CRASHED);
    await outcomeOf(invoke(plain()));
    const takeOver = store.takeOver.bind(store);
    vi.spyOn(store, 'takeOver').mockImplementationOnce(async (...args) => {
      store.state = state;
      return takeOver(...args);
    });
    expect(await outcomeOf(invoke(question()))).toBe('idempotency_store_unavailable no');
    expect(looks).toHaveLength(0);
    store.state = 'up';
    // Where it was taken over after all, the lease ends by itself.
    clock.ms += 15_001;
    expect(await outcomeOf(invoke(plain()))).toBe('child_crashed maybe');
  });

  it('what was found is answered, and its record follows when the store is back', async () => {
    vi.useFakeTimers();
    const world = setup(CRASHED, async () => {
      world.store.state = 'away';
      return found('executed');
    });
    const { invoke, store, looks } = world;
    await outcomeOf(invoke(plain()));
    expect(textOf(await invoke(question()))).toBe(PAID);
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(2_000);
    expect(textOf(await invoke(plain()))).toBe(PAID);
    expect(looks).toHaveLength(1);
  });

  it('what is not taken back is what it was when the lease has ended', async () => {
    const world = setup(CRASHED, async () => {
      world.store.state = 'away';
      return found('unknown');
    });
    const { invoke, store, clock } = world;
    await outcomeOf(invoke(plain()));
    expect(await outcomeOf(invoke(question()))).toBe('outcome_unknown maybe');
    store.state = 'up';
    expect(await outcomeOf(invoke(plain()))).toBe('idempotency_in_progress no');
    clock.ms += 15_001;
    expect(await outcomeOf(invoke(plain()))).toBe('child_crashed maybe');
  });
});

describe('a question that ends early', () => {
  const expired = new BridgeError('deadline_exceeded', 'over');

  it('while the store is asked says nothing of the call, and leaves it as it was', async () => {
    const { invoke, store, looks } = setup(CRASHED);
    await outcomeOf(invoke(plain()));
    for (const [n, name] of ['claim', 'takeOver'].entries()) {
      const asked = question();
      const real = store[name as 'claim'].bind(store) as (...args: unknown[]) => Promise<never>;
      vi.spyOn(store, name as 'claim').mockImplementationOnce((...args) => {
        store.state = 'slow';
        return real(...args);
      });
      const answer = outcomeOf(invoke(asked));
      await until('the store is asked', () => store.state === 'slow');
      asked.abort.abort(expired);
      expect([n, await answer]).toEqual([n, 'outcome_unknown maybe']);
      store.resume();
      await nextTurn();
      expect(await outcomeOf(invoke(plain()))).toBe('child_crashed maybe');
    }
    expect(looks).toHaveLength(0);
  });

  it('before it began asks nobody', async () => {
    const { invoke, store } = setup();
    const asked = question();
    asked.abort.abort(expired);
    expect(await outcomeOf(invoke(asked))).toBe('outcome_unknown maybe');
    expect(store.asked).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['its client left', CLIENT_GONE],
    ['of a bug of ours', new TypeError('a bug')],
  ])('since %s, is thrown as it is and leaves the call as it was', async (_, reason) => {
    const world = setup(CRASHED, async () => {
      throw reason;
    });
    const { invoke } = world;
    await outcomeOf(invoke(plain()));
    await expect(invoke(question()).catch((error: unknown) => error)).resolves.toBe(reason);
    expect(await outcomeOf(invoke(plain()))).toBe('child_crashed maybe');
  });
});

it('an owner that lives on is not heard any more once its call was found', async () => {
  const gate = Promise.withResolvers<ToolResult>();
  const { invoke, runs, clock, idempotency } = setup(() => gate.promise, found('executed'));
  const owner = invoke(plain());
  await until('it runs', () => runs.length === 1);
  clock.ms += 15_001;
  await invoke(question());
  gate.resolve(toolResult('{"late":true}'));
  expect(textOf(await owner)).toBe('{"late":true}');
  expect(textOf(await invoke(plain()))).toBe(PAID);
  expect(idempotency.stats.orphaned).toBe(1);
});
