import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { toProblem } from '#core/http/problem.ts';
import { Idempotency } from '#core/policy/idempotency.ts';
import { MAX_RESULT_BYTES } from '#core/policy/idempotency-outcome.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { MemoryIdempotencyStore } from '#core/store/memory-idempotency-store.ts';
import { callReport, toolCall, toolPolicy, toolResult } from '../../support/calls.ts';
import { until } from '../../support/until.ts';
import { FaultyStore } from './idempotency-faults.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** The policy over a store that fails as told, and a tool that writes down each execution. */
function setup(behave: Invoke = async () => toolResult('{"content":[{"type":"text","text":"done"}]}')) {
  const clock = { ms: 0 };
  const memory = new MemoryIdempotencyStore({ now: () => clock.ms });
  const store = new FaultyStore(memory);
  const idempotency = new Idempotency(store);
  const executions: ToolCall[] = [];
  const invoke = idempotency.policy(async (call) => {
    executions.push(call);
    return behave(call);
  });
  return { clock, memory, store, idempotency, executions, invoke };
}

const write = toolPolicy({ effect: 'write' });
let requests = 0;

function keyed(overrides: Partial<ToolCall> = {}): ToolCall {
  return toolCall({ policy: write, idempotencyKey: 'k-1', requestId: `request-${requests++}`, ...overrides });
}

const bytesOf = ({ body }: ToolResult): Buffer => Buffer.concat(body);
const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  );
const bodyOf = (thrown: unknown, call: ToolCall): string =>
  toProblem(thrown, {
    requestId: call.requestId,
    bridge: call.bridge,
    tool: call.tool,
    effect: call.policy.effect,
    traceId: call.trace?.traceparent.slice(3, 35),
  }).body;

it('hands on a call without a key as it is, in the same turn', () => {
  const answer = Promise.resolve(toolResult());
  const next = vi.fn<Invoke>(() => answer);
  const store = new FaultyStore(new MemoryIdempotencyStore());
  const call = toolCall({ policy: write });
  expect(new Idempotency(store).policy(next)(call)).toBe(answer);
  expect(next.mock.calls[0]?.[0]).toBe(call);
  expect(store.asked).toEqual([]);
});

it('refuses a call without the key that its tool requires (P8)', async () => {
  const { invoke, executions, store } = setup();
  const call = toolCall({ policy: toolPolicy({ effect: 'write', idempotencyKey: 'required' }) });
  await expect(invoke(call)).rejects.toMatchObject({ code: 'idempotency_key_required', executed: 'no' });
  expect([executions, store.asked]).toEqual([[], []]);
});

describe('the same key later', () => {
  const unusual = Buffer.from([0x7b, 0x7d, 0x00, 0xff, 0xc3, 0x28, 0x0a, 0x20]);
  it.each<[string, ToolResult]>([
    ['a result', toolResult('{"content":[{"type":"text","text":"é😀"}]}')],
    ['a failure of the tool', toolResult('{"content":[],"isError":true}', true)],
    [
      'a result in pieces',
      { body: [unusual.subarray(0, 3), unusual.subarray(3), unusual], length: 16, isError: false },
    ],
    ['an empty result', { body: [], length: 0, isError: false }],
  ])('is told %s byte for byte, and nothing runs again (P1)', async (_, result) => {
    const { invoke, executions, idempotency } = setup(async () => result);
    const first = keyed({ trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
    expect(await invoke(first)).toBe(result);
    expect(first.report.source).toBe('child');
    for (let i = 0; i < 3; i++) {
      const later = keyed();
      const replay = await invoke(later);
      expect(bytesOf(replay)).toEqual(bytesOf(result));
      expect(replay.length).toBe(result.length);
      expect(replay.isError).toBe(result.isError);
      expect(later.report).toMatchObject({
        source: 'record',
        first: { requestId: first.requestId, traceId: 'a'.repeat(32) },
      });
    }
    expect(executions).toHaveLength(1);
    expect(idempotency.stats).toMatchObject({ claims: { claimed: 1, done: 3 }, replayed: 3, recorded: 1 });
  });

  const { signal } = new AbortController();
  it.each<[string, unknown]>([
    [
      'child_crashed',
      new BridgeError('child_crashed', 'the worker died: exit code 1', { executed: 'maybe', workerId: 2 }),
    ],
    [
      'deadline_exceeded',
      new BridgeError('deadline_exceeded', 'no answer within 5 ms', { executed: 'maybe', cause: signal }),
    ],
    [
      'child_error',
      new BridgeError('child_error', 'said “né”', {
        executed: 'maybe',
        retryAfterMs: 1500.2,
        details: { rpcCode: -32_000, suggestions: ['x'] },
      }),
    ],
    ['a failure after it ran', new BridgeError('child_response_too_large', 'too large', { executed: 'yes' })],
    ['an error of ours', new TypeError('cannot read secrets of undefined')],
    ['something that is no error', 'a string'],
  ])('is told the same problem after %s, and nothing runs again (P5)', async (_, thrown) => {
    const { invoke, executions } = setup(async () => {
      throw thrown;
    });
    const first = keyed({ trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
    const original = bodyOf(await thrownBy(invoke(first)), first);
    expect(original).toBe(bodyOf(thrown, first));
    for (let i = 0; i < 2; i++) {
      const later = keyed({ trace: { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01` } });
      expect(bodyOf(await thrownBy(invoke(later)), later)).toBe(original);
      expect(later.report.source).toBe('record');
    }
    expect(executions).toHaveLength(1);
  });

  it('tells an error of ours with its cause to the operator, and with none of its text to the caller', async () => {
    const bug = new TypeError('secret');
    const { invoke } = setup(async () => {
      throw bug;
    });
    const call = keyed();
    const error = await thrownBy(invoke(call));
    expect(error).toMatchObject({ code: 'internal', executed: 'maybe', cause: bug });
    expect(bodyOf(error, call)).not.toContain('secret');
  });

  it.each(['invalid_arguments', 'queue_full', 'circuit_open', 'child_crashed'] as const)(
    'runs after %s with executed no, which is not recorded (P4)',
    async (code) => {
      let failures = 2;
      const { invoke, executions, idempotency } = setup(async () => {
        if (failures-- > 0) throw new BridgeError(code, 'not run');
        return toolResult();
      });
      await expect(invoke(keyed())).rejects.toMatchObject({ code, executed: 'no' });
      await expect(invoke(keyed({ argumentsJson: '{"other":1}' }))).rejects.toMatchObject({ code, executed: 'no' });
      const call = keyed();
      await expect(invoke(call)).resolves.toBeDefined();
      expect(call.report.source).toBe('child');
      expect(executions).toHaveLength(3);
      expect(idempotency.stats).toMatchObject({ released: 2, recorded: 1 });
    },
  );

  const saysNo = (error: object) =>
    toolResult(JSON.stringify({ content: [], structuredContent: { error }, isError: true }), true);

  it('runs after an answer of the tool that says executed no, which is not recorded (P4)', async () => {
    const answers = [saysNo({ code: 'vendor_rate_limited', executed: 'no' }), toolResult()];
    const { invoke, executions, idempotency } = setup(async () => answers.shift() ?? toolResult());
    expect((await invoke(keyed())).isError).toBe(true);
    const call = keyed({ argumentsJson: '{"other":1}' });
    expect((await invoke(call)).isError).toBe(false);
    expect(call.report.source).toBe('child');
    expect(executions).toHaveLength(2);
    expect(idempotency.stats).toMatchObject({ released: 1, recorded: 1 });
  });

  it.each([
    [{ code: 'card_declined' }],
    [{ code: 'card_declined', executed: 'yes' }],
    [{ code: 'vendor_down', executed: 'maybe' }],
    [{ code: 'outcome_unknown', executed: 'no' }],
  ])('is told an answer of the tool that says %o, which is recorded', async (error) => {
    const { invoke, executions, idempotency } = setup(async () => saysNo(error));
    const first = await invoke(keyed());
    const later = keyed();
    expect(bytesOf(await invoke(later))).toEqual(bytesOf(first));
    expect(later.report.source).toBe('record');
    expect(executions).toHaveLength(1);
    expect(idempotency.stats).toMatchObject({ released: 0, recorded: 1 });
  });

  it('does not believe a good answer that it did not run', async () => {
    const { invoke, executions } = setup(async () => toolResult('{"structuredContent":{"error":{"executed":"no"}}}'));
    await invoke(keyed());
    await invoke(keyed());
    expect(executions).toHaveLength(1);
  });

  it('is told that the answer was too large to keep, and that it ran', async () => {
    const large: ToolResult = {
      body: [new Uint8Array(MAX_RESULT_BYTES + 1)],
      length: MAX_RESULT_BYTES + 1,
      isError: false,
    };
    const { invoke, executions } = setup(async () => large);
    expect(await invoke(keyed())).toBe(large);
    await expect(invoke(keyed())).rejects.toMatchObject({ code: 'child_response_too_large', executed: 'yes' });
    expect(executions).toHaveLength(1);
  });

  it('is told outcome_unknown where another release wrote the record in its own way', async () => {
    const { invoke, executions, store, idempotency } = setup();
    store.rewrite = () => Uint8Array.of(9, 9, 9);
    await invoke(keyed());
    await expect(invoke(keyed())).rejects.toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    expect(executions).toHaveLength(1);
    expect(idempotency.stats).toMatchObject({ claims: { done: 1 }, replayed: 0 });
  });
});

describe('the same key with', () => {
  it('other arguments is refused (P3)', async () => {
    const { invoke, executions } = setup();
    await invoke(keyed({ argumentsJson: '{"a":1}' }));
    await expect(invoke(keyed({ argumentsJson: '{"a":2}' }))).rejects.toMatchObject({
      code: 'idempotency_key_reused',
      executed: 'no',
    });
    expect(executions).toHaveLength(1);
  });

  it('the same arguments in another order is the same call', async () => {
    const { invoke, executions } = setup();
    await invoke(keyed({ argumentsJson: '{"a":1,"b":{"c":[{"x":1,"y":2}],"d":3}}' }));
    await invoke(keyed({ argumentsJson: '{"b":{"d":3,"c":[{"y":2,"x":1}]},"a":1}' }));
    expect(executions).toHaveLength(1);
  });

  it('another principal, bridge or tool is another key (P6)', async () => {
    const { invoke, executions, store } = setup();
    const other = { ...anonymousPrincipal(), id: 'other' };
    const calls = [{}, { principal: other }, { bridge: 'b2' }, { tool: 't2' }, { idempotencyKey: 'k-2' }];
    for (const call of calls) await invoke(keyed(call));
    expect(executions).toHaveLength(5);
    // Names that read the same when they are put together are not the same either.
    const spelt = [
      { bridge: 'a', tool: 'bc' },
      { bridge: 'ab', tool: 'c' },
      { bridge: 'a","b', tool: 'c' },
      { bridge: 'a', tool: 'b","c' },
    ];
    for (const call of spelt) await invoke(keyed(call));
    expect(executions).toHaveLength(9);
    expect(store.keys.every((key) => /^[0-9a-f]{64}$/.test(key))).toBe(true);
  });

  it('a call that is still running is told when to come back (P2)', async () => {
    const gate = Promise.withResolvers<ToolResult>();
    const { invoke, executions, clock } = setup(() => gate.promise);
    const running = invoke(keyed({ timeoutMs: 10_000 }));
    await until('the first runs', () => executions.length === 1);
    const early = (await thrownBy(invoke(keyed()))) as BridgeError;
    expect(early).toMatchObject({ code: 'idempotency_in_progress', executed: 'no', retryAfterMs: 3_000 });
    expect(early.message).toMatch(/has 1\d{4} ms left.* in 3000 ms/);
    clock.ms = 14_900;
    await expect(invoke(keyed())).rejects.toMatchObject({ retryAfterMs: 1_000 });
    gate.resolve(toolResult());
    await running;
    await expect(invoke(keyed())).resolves.toBeDefined();
    expect(executions).toHaveLength(1);
  });

  it('fifty at once runs once, and the others are told to come back (P2)', async () => {
    const gate = Promise.withResolvers<ToolResult>();
    const { invoke, executions, idempotency } = setup(() => gate.promise);
    const calls = Array.from({ length: 50 }, () => invoke(keyed()));
    const settled = Promise.allSettled(calls);
    await until('all have been asked', () => idempotency.stats.claims.in_flight === 49);
    gate.resolve(toolResult());
    const answers = await settled;
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = answers.map((answer) => (answer.status === 'rejected' ? (answer.reason as BridgeError).code : 'ok'));
    expect(codes.filter((code) => code === 'idempotency_in_progress')).toHaveLength(49);
    expect(executions).toHaveLength(1);
  });

  it('an owner that said nothing in its lease is unknown, until it says something after all (P5)', async () => {
    const gate = Promise.withResolvers<ToolResult>();
    const { invoke, executions, clock, store } = setup(() => gate.promise);
    const running = invoke(keyed({ timeoutMs: 10_000 }));
    await until('the first runs', () => executions.length === 1);
    expect(store.leases[0]).toBeGreaterThan(14_900);
    expect(store.leases[0]).toBeLessThanOrEqual(15_000);
    clock.ms = 15_001;
    const lost = (await thrownBy(invoke(keyed()))) as BridgeError;
    expect(lost).toMatchObject({ code: 'outcome_unknown', executed: 'maybe', retryAfterMs: undefined });
    gate.resolve(toolResult('{"late":true}'));
    await running;
    expect(bytesOf(await invoke(keyed())).toString()).toBe('{"late":true}');
    expect(executions).toHaveLength(1);
  });
});

it('a client that leaves while it runs leaves an unknown outcome behind, never a second run', async () => {
  const call = keyed();
  const { invoke, executions } = setup(async () => {
    call.abort.abort(CLIENT_GONE);
    throw CLIENT_GONE;
  });
  expect(await thrownBy(invoke(call))).toBe(CLIENT_GONE);
  await expect(invoke(keyed())).rejects.toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
  expect(executions).toHaveLength(1);
});

describe('a tool that hands keys to its vendor', () => {
  it('gets a digest of the scoped key, and its writes count as idempotent', async () => {
    const { invoke, executions, store } = setup();
    const policy = toolPolicy({ effect: 'write', vendorKey: true });
    await invoke(keyed({ policy, effect: 'write' }));
    await invoke(keyed({ policy, effect: 'write', principal: { ...anonymousPrincipal(), id: 'other' } }));
    const [one, other] = executions;
    expect(one).toMatchObject({ effect: 'idempotent', vendorKey: store.keys[0] });
    expect(other?.vendorKey).toMatch(/^[0-9a-f]{64}$/);
    expect(other?.vendorKey).not.toBe(one?.vendorKey);
  });

  it('gets the same digest again for the same key, and shares the report with whoever answers', async () => {
    let failures = 1;
    const { invoke, executions } = setup(async (call) => {
      call.report.attempts++;
      if (failures-- > 0) throw new BridgeError('queue_full', 'full');
      return toolResult();
    });
    const policy = toolPolicy({ effect: 'write', vendorKey: true });
    const report = callReport();
    await thrownBy(invoke(keyed({ policy })));
    await invoke(keyed({ policy, report }));
    expect(executions[0]?.vendorKey).toBe(executions[1]?.vendorKey);
    expect(report.attempts).toBe(1);
  });

  it('a read stays a read', async () => {
    const { invoke, executions } = setup();
    await invoke(keyed({ policy: toolPolicy({ effect: 'read', vendorKey: true }) }));
    expect(executions[0]).toMatchObject({ effect: 'read', vendorKey: expect.any(String) });
  });

  it('a tool that only looks back gets the digest to mark what it does, and its writes stay writes', async () => {
    const { invoke, executions, store } = setup();
    await invoke(keyed({ policy: toolPolicy({ effect: 'write', reconcile: true }), effect: 'write' }));
    expect(executions[0]).toMatchObject({ effect: 'write', vendorKey: store.keys[0] });
  });

  it('any other tool gets its call as it is', async () => {
    const { invoke, executions } = setup();
    const call = keyed();
    await invoke(call);
    expect(executions[0]).toBe(call);
  });
});

describe('while the store is away', () => {
  it.each([false, true])('a write is refused and does not run, vendor key %s (D1)', async (vendorKey) => {
    const { invoke, executions, store, idempotency } = setup();
    const policy = toolPolicy({ effect: 'write', vendorKey });
    store.state = 'away';
    const refused = (await thrownBy(invoke(keyed({ policy })))) as BridgeError;
    expect(refused).toMatchObject({ code: 'idempotency_store_unavailable', executed: 'no', retryAfterMs: 1_000 });
    expect(refused.message).toContain('same key');
    expect(executions).toHaveLength(0);
    store.state = 'up';
    await expect(invoke(keyed({ policy }))).resolves.toBeDefined();
    expect(idempotency.stats).toMatchObject({ unavailable: 1, claims: { claimed: 1 } });
    await idempotency.close();
  });

  it.each(['read', 'idempotent'] as const)('a call of effect %s goes on without a record (D1)', async (effect) => {
    const { invoke, executions, store, memory, idempotency } = setup();
    store.state = 'away';
    const policy = toolPolicy({ effect, vendorKey: true });
    await expect(invoke(keyed({ policy }))).resolves.toBeDefined();
    await expect(invoke(keyed({ policy }))).resolves.toBeDefined();
    expect(executions).toHaveLength(2);
    expect(executions[0]).toMatchObject({ effect, vendorKey: store.keys[0] });
    expect(memory.stats.records).toBe(0);
    await idempotency.close();
  });

  it('a claim that was taken and never confirmed is released when the store is back (P4)', async () => {
    vi.useFakeTimers();
    const { invoke, executions, store, memory } = setup();
    store.state = 'mute';
    const refused = thrownBy(invoke(keyed()));
    store.state = 'away';
    await expect(refused).resolves.toMatchObject({ code: 'idempotency_store_unavailable' });
    expect(memory.stats.records).toBe(1);
    store.state = 'up';
    await expect(invoke(keyed())).rejects.toMatchObject({ code: 'idempotency_in_progress' });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(memory.stats.records).toBe(0);
    await expect(invoke(keyed())).resolves.toBeDefined();
    expect(executions).toHaveLength(1);
  });

  it('a call that has run gets its answer, and its record follows when the store is back (D4)', async () => {
    vi.useFakeTimers();
    const { invoke, executions, store, clock, idempotency } = setup(async () => {
      store.state = 'away';
      return toolResult('{"once":1}');
    });
    expect(bytesOf(await invoke(keyed({ timeoutMs: 10_000 }))).toString()).toBe('{"once":1}');
    expect(idempotency.stats).toMatchObject({ pending: 1, recorded: 0 });
    await vi.advanceTimersByTimeAsync(10_000);
    store.state = 'up';
    // Too late for the lease, and still no second run.
    clock.ms = 15_001;
    await expect(invoke(keyed())).rejects.toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(bytesOf(await invoke(keyed())).toString()).toBe('{"once":1}');
    expect(executions).toHaveLength(1);
    expect(idempotency.stats).toMatchObject({ pending: 0, recorded: 1, recordedLate: 1, dropped: 0 });
  });

  it('close gives what waits a last chance', async () => {
    const { invoke, executions, store, idempotency } = setup(async () => {
      store.state = 'away';
      return toolResult();
    });
    await invoke(keyed());
    store.state = 'up';
    await idempotency.close();
    expect((await invoke(keyed())).length).toBeGreaterThan(0);
    expect(executions).toHaveLength(1);
  });
});

describe('time', () => {
  it('an answer waits for its record', async () => {
    vi.useFakeTimers();
    const { invoke, store } = setup(async () => {
      store.state = 'slow';
      return toolResult();
    });
    const answered = vi.fn();
    const answer = invoke(keyed()).then(answered);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(answered).not.toHaveBeenCalled();
    store.resume();
    await answer;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('but not beyond its deadline, and the record is made all the same', async () => {
    vi.useFakeTimers();
    const { invoke, store, executions } = setup(async () => {
      store.state = 'slow';
      return toolResult();
    });
    const answered = vi.fn();
    void invoke(keyed({ timeoutMs: 400 })).then(answered);
    await vi.advanceTimersByTimeAsync(440);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(11);
    expect(answered).toHaveBeenCalledOnce();
    store.resume();
    await vi.advanceTimersByTimeAsync(0);
    await expect(invoke(keyed())).resolves.toBeDefined();
    expect(executions).toHaveLength(1);
  });

  it('a deadline that is over waits 50 ms and no longer for its record', async () => {
    vi.useFakeTimers();
    const expired = new BridgeError('deadline_exceeded', 'over', { executed: 'maybe' });
    const { invoke, store } = setup(async (call) => {
      store.state = 'slow';
      call.abort.abort(expired);
      throw expired;
    });
    const answered = vi.fn();
    void invoke(keyed({ timeoutMs: 5_000 })).catch(answered);
    await vi.advanceTimersByTimeAsync(49);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(answered).toHaveBeenCalledExactlyOnceWith(expired);
  });

  it('a call that ends while the store is asked is told so at once, does not run, and leaves no claim behind', async () => {
    const { invoke, store, memory, executions, idempotency } = setup();
    const call = keyed();
    store.state = 'slow';
    const answer = thrownBy(invoke(call));
    await until('the store is asked', () => store.asked.length === 1);
    const expired = new BridgeError('deadline_exceeded', 'over');
    call.abort.abort(expired);
    expect(await answer).toBe(expired);
    store.resume();
    await until('the claim is released', () => idempotency.stats.released === 1);
    expect(memory.stats.records).toBe(0);
    expect(executions).toHaveLength(0);
    await expect(invoke(keyed())).resolves.toBeDefined();
  });

  it('a call that has ended before is not claimed', async () => {
    const { invoke, store } = setup();
    const call = keyed();
    const expired = new BridgeError('deadline_exceeded', 'over');
    call.abort.abort(expired);
    expect(await thrownBy(invoke(call))).toBe(expired);
    expect(store.asked).toEqual([]);
  });
});

it('replays a record that is a window on a larger buffer, as a client of Redis hands it over', async () => {
  const { invoke, store, executions } = setup();
  // The store cuts out what it keeps; so the window is opened after it.
  const claim = store.claim.bind(store);
  vi.spyOn(store, 'claim').mockImplementation(async (...args) => {
    const claimed = await claim(...args);
    if (claimed.state !== 'done') return claimed;
    const { outcome } = claimed;
    const chunk = Buffer.concat([Buffer.alloc(11), outcome, Buffer.alloc(5)]);
    return { state: 'done', outcome: chunk.subarray(11, 11 + outcome.length) };
  });
  const result = await invoke(keyed());
  expect(bytesOf(await invoke(keyed()))).toEqual(bytesOf(result));
  expect(executions).toHaveLength(1);
});
