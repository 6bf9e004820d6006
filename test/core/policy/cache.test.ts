import { describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import { Cache } from '#core/policy/cache.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { MemoryCacheStore } from '#core/store/memory-cache-store.ts';
import { toolCall, toolPolicy, toolResult } from '../../support/calls.ts';

const TTL_MS = 60_000;

function cached(overrides: Partial<ToolCall> = {}): ToolCall {
  return toolCall({ policy: toolPolicy({ effect: 'read', cacheTtlMs: TTL_MS }), ...overrides });
}

const text = ({ body }: ToolResult) => Buffer.concat(body).toString();

/** A cache over a memory store whose clock stands still unless it is moved, around tools that answer 1, 2, 3, … */
function setUp({ maxAnswerBytes = 1_000 } = {}) {
  let nowMs = 1_000;
  let executions = 0;
  const next = vi.fn<Invoke>(async () => toolResult(`{"n":${++executions}}`));
  const cache = new Cache(new MemoryCacheStore({ now: () => nowMs, maxAnswerBytes }));
  const advance = (ms: number) => {
    nowMs += ms;
  };
  return { cache, next, invoke: cache.policy(next), advance };
}

describe('what is not cached', () => {
  it.each([
    ['a tool without a life for its answers', toolCall()],
    ['a write', cached({ effect: 'write' })],
    ['an idempotent call', cached({ effect: 'idempotent' })],
    ['a call that looks what became of another', cached({ looksOnly: true })],
  ])('is handed on as it is: %s', (_what, call) => {
    const { cache, next, invoke } = setUp();
    const given = Promise.resolve(toolResult());
    next.mockReturnValue(given);
    expect(invoke(call)).toBe(given);
    expect(next).toHaveBeenCalledExactlyOnceWith(call);
    expect(cache.stats).toMatchObject({ hits: 0, misses: 0, stored: 0 });
  });

  it.each<[string, () => Promise<ToolResult>]>([
    ['a result with isError', async () => toolResult('{"isError":true}', true)],
    ['a failure', () => Promise.reject(new BridgeError('child_crashed', 'gone', { executed: 'maybe' }))],
  ])('is never kept: %s', async (_what, outcome) => {
    const { cache, next, invoke } = setUp();
    next.mockImplementationOnce(outcome);
    await invoke(cached()).catch(() => undefined);
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    expect(next).toHaveBeenCalledTimes(2);
    expect(cache.stats).toMatchObject({ misses: 2, stored: 1 });
  });

  it('is not kept where it is larger than the store takes', async () => {
    const { cache, next, invoke } = setUp({ maxAnswerBytes: 8 });
    next.mockResolvedValueOnce(toolResult('{"n":"123"}'));
    await invoke(cached());
    await invoke(cached());
    expect(next).toHaveBeenCalledTimes(2);
    expect(cache.stats).toMatchObject({ misses: 2, stored: 1, tooLarge: 1 });
  });

  it('is not executed when nobody waits for it on arrival', async () => {
    const { next, invoke } = setUp();
    const call = cached();
    const reason = new BridgeError('deadline_exceeded', 'too late');
    call.abort.abort(reason);
    await expect(invoke(call)).rejects.toBe(reason);
    expect(next).not.toHaveBeenCalled();
  });
});

describe('an answer that was kept', () => {
  it('is given byte by byte, with its age, without an execution', async () => {
    const { cache, next, invoke, advance } = setUp();
    const first = Buffer.from('  {"content":[],"x":1.0}');
    next.mockResolvedValueOnce({ body: [first.subarray(2, 10), first.subarray(10)], length: 22, isError: false });
    const miss = cached();
    await invoke(miss);
    first.fill(0);
    advance(4_500);
    const hit = cached();
    const result = await invoke(hit);
    expect(text(result)).toBe('{"content":[],"x":1.0}');
    expect(result).toMatchObject({ length: 22, isError: false });
    expect(next).toHaveBeenCalledTimes(1);
    expect(miss.report).toMatchObject({ source: 'child', ageMs: 0 });
    expect(hit.report).toMatchObject({ source: 'cache', ageMs: 4_500, attempts: 0 });
    expect(cache.stats).toMatchObject({ hits: 1, misses: 1, stored: 1 });
  });

  it('is given until its life is over, and no longer', async () => {
    const { next, invoke, advance } = setUp();
    await invoke(cached());
    advance(TTL_MS - 1);
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    advance(1);
    expect(text(await invoke(cached()))).toBe('{"n":2}');
    expect(next).toHaveBeenCalledTimes(2);
  });

  it('is not given where the operator has shortened its life since', async () => {
    const { invoke, advance } = setUp();
    await invoke(cached());
    advance(500);
    const policy = toolPolicy({ effect: 'read', cacheTtlMs: 500 });
    expect(text(await invoke(cached({ policy })))).toBe('{"n":2}');
  });

  it.each<[string, Partial<ToolCall>]>([
    ['another principal', { principal: { ...anonymousPrincipal(), id: 'planner' } }],
    ['another bridge', { bridge: 'other' }],
    ['another tool', { tool: 'other' }],
    ['other arguments', { argumentsJson: '{"a":1}' }],
    ['the same tool with another definition', { definition: { sha256: 'e'.repeat(64) } }],
  ])('is not given to %s', async (_whom, overrides) => {
    const { invoke } = setUp();
    await invoke(cached());
    expect(text(await invoke(cached(overrides)))).toBe('{"n":2}');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
  });

  it('is not given to a namesake of the bridge with another scope', async () => {
    const store = new MemoryCacheStore();
    const next = vi.fn<Invoke>(async () => toolResult());
    await new Cache(store, { scope: 'live' }).policy(next)(cached());
    await new Cache(store, { scope: 'sandbox' }).policy(next)(cached());
    expect(next).toHaveBeenCalledTimes(2);
    await new Cache(store, { scope: 'live' }).policy(next)(cached());
    expect(next).toHaveBeenCalledTimes(2);
  });
});

describe('a call that asks for a fresh answer', () => {
  it('is executed, and what it gets is kept', async () => {
    const { cache, invoke } = setUp();
    await invoke(cached());
    const fresh = cached({ fresh: true });
    expect(text(await invoke(fresh))).toBe('{"n":2}');
    expect(fresh.report.source).toBe('child');
    expect(text(await invoke(cached()))).toBe('{"n":2}');
    expect(cache.stats).toMatchObject({ hits: 1, misses: 1, bypassed: 1, stored: 2 });
  });

  it('leaves what was kept where it fails', async () => {
    const { next, invoke } = setUp();
    await invoke(cached());
    next.mockRejectedValueOnce(new BridgeError('child_crashed', 'gone'));
    await expect(invoke(cached({ fresh: true }))).rejects.toMatchObject({ code: 'child_crashed' });
    expect(text(await invoke(cached()))).toBe('{"n":1}');
  });

  it('does not keep others from what was kept while it runs', async () => {
    const { next, invoke } = setUp();
    await invoke(cached());
    const { promise, resolve } = Promise.withResolvers<ToolResult>();
    next.mockReturnValueOnce(promise);
    const fresh = invoke(cached({ fresh: true }));
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    resolve(toolResult('{"n":"fresh"}'));
    await fresh;
    expect(text(await invoke(cached()))).toBe('{"n":"fresh"}');
  });

  it('does not wait for an execution that began before it, nor do those who come after it', async () => {
    const { next, invoke } = setUp();
    const older = Promise.withResolvers<ToolResult>();
    next.mockReturnValueOnce(older.promise);
    const first = invoke(cached());
    expect(text(await invoke(cached({ fresh: true })))).toBe('{"n":1}');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    older.resolve(toolResult('{"n":"older"}'));
    expect(text(await first)).toBe('{"n":"older"}');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
  });

  it('that began first does not replace what one that began later got', async () => {
    const { next, invoke } = setUp();
    const older = Promise.withResolvers<ToolResult>();
    next.mockReturnValueOnce(older.promise);
    const slow = invoke(cached({ fresh: true }));
    await invoke(cached({ fresh: true }));
    older.resolve(toolResult('{"n":"older"}'));
    await slow;
    expect(text(await invoke(cached()))).toBe('{"n":1}');
  });

  it('is kept also where one that began before it ends while it runs', async () => {
    const { next, invoke } = setUp();
    const older = Promise.withResolvers<ToolResult>();
    const newer = Promise.withResolvers<ToolResult>();
    next.mockReturnValueOnce(older.promise).mockReturnValueOnce(newer.promise);
    const calls = [invoke(cached({ fresh: true })), invoke(cached({ fresh: true }))];
    older.resolve(toolResult('{"n":"older"}'));
    await calls[0];
    newer.resolve(toolResult('{"n":"newer"}'));
    await calls[1];
    expect(text(await invoke(cached()))).toBe('{"n":"newer"}');
  });

  it('leaves those who come after it together, also when those who came before it have their answer', async () => {
    const { next, invoke } = setUp();
    const answers = Array.from({ length: 3 }, () => Promise.withResolvers<ToolResult>());
    for (const { promise } of answers) next.mockReturnValueOnce(promise);
    const before = invoke(cached());
    const fresh = invoke(cached({ fresh: true }));
    const after = invoke(cached());
    answers[0]?.resolve(toolResult('{"n":"before"}'));
    await before;
    const together = invoke(cached());
    expect(next).toHaveBeenCalledTimes(3);
    answers[1]?.resolve(toolResult('{"n":"fresh"}'));
    answers[2]?.resolve(toolResult('{"n":"after"}'));
    expect((await Promise.all([fresh, after, together])).map(text)).toEqual([
      '{"n":"fresh"}',
      '{"n":"after"}',
      '{"n":"after"}',
    ]);
  });
});

describe('another scope', () => {
  it('sets what is kept from then on apart, and finds what was kept before when it comes back', async () => {
    const { cache, invoke } = setUp();
    cache.rescope('one');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    cache.rescope('two');
    expect(text(await invoke(cached()))).toBe('{"n":2}');
    cache.rescope('one');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
  });

  it('keeps nothing of what was in flight, and lets nobody join it: whom it asked is not known', async () => {
    const { cache, next, invoke } = setUp();
    const slow = Promise.withResolvers<ToolResult>();
    next.mockReturnValueOnce(slow.promise);
    cache.rescope('one');
    const early = invoke(cached());
    cache.rescope('two');
    cache.rescope('one');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    slow.resolve(toolResult('{"n":"old"}'));
    expect(text(await early)).toBe('{"n":"old"}');
    expect(text(await invoke(cached()))).toBe('{"n":1}');
    expect(cache.stats).toMatchObject({ misses: 2, hits: 1, joined: 0, stored: 1 });
  });
});
