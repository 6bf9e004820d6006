import { describe, expect, it, vi } from 'vitest';
import type { Invoke, ToolCall } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import { RateLimit } from '#core/policy/rate-limit.ts';
import { anonymousPrincipal, type Principal } from '#core/principal.ts';
import { MemoryRateLimitStore } from '#core/store/memory-rate-limit-store.ts';
import type { RateLimitStore, Taken } from '#core/store/rate-limit-store.ts';
import { toolCall, toolPolicy, toolResult } from '../../support/calls.ts';

const principal = (id: string, ratePerMinute?: number): Principal => ({ ...anonymousPrincipal(ratePerMinute), id });

function quotaOf(ratePerMinute: number) {
  return { policy: toolPolicy({ ratePerMinute }) };
}

/** A clock, the policy on a memory store, and what stands behind it. */
function limited() {
  const clock = { ms: 1_000_000 };
  const store = new MemoryRateLimitStore(() => clock.ms);
  const limit = new RateLimit(store);
  const next = vi.fn<Invoke>(async () => toolResult());
  return { clock, store, limit, next, invoke: limit.policy(next) };
}

/** Calls until the first refusal, and how many were let through. */
async function callsAllowed(invoke: Invoke, make: () => ToolCall): Promise<number> {
  for (let count = 0; count < 1_000; count++) {
    try {
      await invoke(make());
    } catch {
      return count;
    }
  }
  throw new Error('no refusal within 1000 calls');
}

describe('where no quota concerns a call', () => {
  it('hands it on as it is, without a step of its own', () => {
    const take = vi.fn<RateLimitStore['take']>();
    const answer = Promise.resolve(toolResult());
    const call = toolCall();
    expect(new RateLimit({ take }).policy(() => answer)(call)).toBe(answer);
    expect(take).not.toHaveBeenCalled();
    expect(call.report.quota).toBeUndefined();
  });
});

describe("a principal's quota", () => {
  it('lets so many calls a minute through and refuses the rest, which did not run (S8)', async () => {
    const { invoke, next, limit } = limited();
    const planner = principal('planner', 10);
    expect(await callsAllowed(invoke, () => toolCall({ principal: planner }))).toBe(10);
    expect(next).toHaveBeenCalledTimes(10);
    expect(limit.stats).toEqual({ principal: 1, tool: 0 });
  });

  it('says in numbers what is used up and, to the millisecond, when to come back (S8)', async () => {
    const { invoke, clock } = limited();
    const planner = principal('planner', 2);
    await invoke(toolCall({ principal: planner }));
    clock.ms += 12_300;
    await invoke(toolCall({ principal: planner }));
    clock.ms += 10_000;
    const refusal = await invoke(toolCall({ principal: planner })).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(BridgeError);
    expect(refusal).toMatchObject({ code: 'rate_limited', executed: 'no', retryAfterMs: 37_700 });
    expect((refusal as BridgeError).message).toBe(
      "this caller's quota of calls is used up (2 in 60 s); the next window starts in 38 s, call again then",
    );
  });

  it('is refused to its last millisecond, and full again in the next', async () => {
    const { invoke, clock } = limited();
    const planner = principal('planner', 3);
    const call = () => toolCall({ principal: planner });
    expect(await callsAllowed(invoke, call)).toBe(3);
    clock.ms += 59_999;
    await expect(invoke(call())).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 1 });
    clock.ms += 1;
    expect(await callsAllowed(invoke, call)).toBe(3);
  });

  it('is one over all tools and bridges', async () => {
    const { invoke } = limited();
    const planner = principal('planner', 3);
    await invoke(toolCall({ principal: planner, bridge: 'slack', tool: 'post' }));
    await invoke(toolCall({ principal: planner, bridge: 'stripe', tool: 'refund' }));
    await invoke(toolCall({ principal: planner, bridge: 'stripe', tool: 'list' }));
    await expect(invoke(toolCall({ principal: planner, bridge: 'slack', tool: 'list' }))).rejects.toMatchObject({
      code: 'rate_limited',
    });
  });

  it('is shared by everybody with that id, and by nobody else', async () => {
    const { invoke } = limited();
    expect(await callsAllowed(invoke, () => toolCall({ principal: principal('planner', 4) }))).toBe(4);
    expect(await callsAllowed(invoke, () => toolCall({ principal: principal('other', 4) }))).toBe(4);
  });

  it('follows a limit that is changed in the middle of a window', async () => {
    const { invoke } = limited();
    expect(await callsAllowed(invoke, () => toolCall({ principal: principal('planner', 4) }))).toBe(4);
    expect(await callsAllowed(invoke, () => toolCall({ principal: principal('planner', 6) }))).toBe(2);
    const shrunk = toolCall({ principal: principal('planner', 1) });
    await expect(invoke(shrunk)).rejects.toMatchObject({ code: 'rate_limited' });
    expect(shrunk.report.quota).toMatchObject({ perMinute: 1, remaining: 0 });
  });

  it('reports what is left after each call, and nothing left on a refusal', async () => {
    const { invoke, clock } = limited();
    const planner = principal('planner', 2);
    const left = [];
    for (let count = 0; count < 3; count++) {
      const call = toolCall({ principal: planner });
      await invoke(call).catch(() => undefined);
      left.push(call.report.quota);
      clock.ms += 1_000;
    }
    expect(left).toEqual([
      { name: 'principal', perMinute: 2, remaining: 1, resetMs: 60_000 },
      { name: 'principal', perMinute: 2, remaining: 0, resetMs: 59_000 },
      { name: 'principal', perMinute: 2, remaining: 0, resetMs: 58_000 },
    ]);
  });
});

describe("a tool's own quota", () => {
  it('holds each principal by itself, on that tool of that bridge only', async () => {
    const { invoke, limit } = limited();
    const at = (id: string, bridge: string, tool: string) => () =>
      toolCall({ ...quotaOf(2), principal: principal(id), bridge, tool });
    expect(await callsAllowed(invoke, at('a', 'slack', 'post'))).toBe(2);
    expect(await callsAllowed(invoke, at('b', 'slack', 'post'))).toBe(2);
    expect(await callsAllowed(invoke, at('a', 'slack', 'list'))).toBe(2);
    expect(await callsAllowed(invoke, at('a', 'twilio', 'post'))).toBe(2);
    expect(limit.stats).toEqual({ principal: 0, tool: 4 });
  });

  it('names itself in the refusal', async () => {
    const { invoke } = limited();
    await invoke(toolCall(quotaOf(1)));
    await expect(invoke(toolCall(quotaOf(1)))).rejects.toThrow(
      "this caller's quota of calls of this tool is used up (1 in 60 s)",
    );
  });

  it("costs nothing of the principal's quota where it refuses", async () => {
    const { invoke } = limited();
    const planner = principal('planner', 10);
    expect(await callsAllowed(invoke, () => toolCall({ ...quotaOf(2), principal: planner }))).toBe(2);
    for (let count = 0; count < 5; count++) {
      await expect(invoke(toolCall({ ...quotaOf(2), principal: planner }))).rejects.toBeInstanceOf(BridgeError);
    }
    expect(await callsAllowed(invoke, () => toolCall({ principal: planner, tool: 'other' }))).toBe(8);
  });

  it("costs nothing itself where the principal's quota refuses", async () => {
    const { invoke } = limited();
    await invoke(toolCall({ principal: principal('planner', 1) }));
    await expect(invoke(toolCall({ ...quotaOf(3), principal: principal('planner', 1) }))).rejects.toBeInstanceOf(
      BridgeError,
    );
    expect(await callsAllowed(invoke, () => toolCall({ ...quotaOf(3), principal: principal('planner') }))).toBe(3);
  });

  it('is reported where it is the tighter one, and the other way round', async () => {
    const { invoke } = limited();
    const tighter = async (ofPrincipal: number, ofTool: number) => {
      const call = toolCall({ ...quotaOf(ofTool), principal: principal(`p-${ofPrincipal}-${ofTool}`, ofPrincipal) });
      await invoke(call);
      return call.report.quota;
    };
    expect(await tighter(10, 5)).toMatchObject({ name: 'tool', remaining: 4 });
    expect(await tighter(5, 10)).toMatchObject({ name: 'principal', remaining: 4 });
  });

  it('says the later of two resets where both are used up: only then will a call go through', async () => {
    const { invoke, clock } = limited();
    const call = (tool: string, ofTool: number) =>
      toolCall({ ...quotaOf(ofTool), tool, principal: principal('planner', 2) });
    await invoke(call('one', 0));
    clock.ms += 20_000;
    await invoke(call('two', 1));
    await expect(invoke(call('two', 1))).rejects.toMatchObject({ retryAfterMs: 60_000 });
    clock.ms += 40_000;
    await expect(invoke(call('two', 1))).rejects.toMatchObject({ retryAfterMs: 20_000 });
    clock.ms += 20_000;
    await expect(invoke(call('two', 1))).resolves.toBeDefined();
  });
});

it.each(['planner:x', 'a b', '{tag}', '', '\n\u001b[31m', '*', 'ü'.repeat(4_000), 'tool:test:echo:planner'])(
  'an id may hold anything and is still one principal of its own: %j',
  async (id) => {
    const { invoke } = limited();
    expect(await callsAllowed(invoke, () => toolCall({ ...quotaOf(9), principal: principal(id, 2) }))).toBe(2);
    expect(await callsAllowed(invoke, () => toolCall({ ...quotaOf(9), principal: principal(`${id}!`, 2) }))).toBe(2);
    expect(await callsAllowed(invoke, () => toolCall({ ...quotaOf(9), principal: principal('planner', 2) }))).toBe(2);
  },
);

describe('with a store that answers later', () => {
  const quota = { name: 'principal', perMinute: 5, remaining: 4, resetMs: 60_000 } as const;

  it('goes on, or refuses, once it has answered', async () => {
    const answers = [true, false];
    const limit = new RateLimit({ take: async () => ({ allowed: answers.shift() === true, quota }) });
    const next = vi.fn<Invoke>(async () => toolResult());
    await expect(limit.policy(next)(toolCall({ principal: principal('p', 5) }))).resolves.toBeDefined();
    await expect(limit.policy(next)(toolCall({ principal: principal('p', 5) }))).rejects.toMatchObject({
      code: 'rate_limited',
    });
    expect(next).toHaveBeenCalledTimes(1);
  });

  it('ends with the deadline and not with the store, and never dispatches such a call', async () => {
    const { promise, resolve } = Promise.withResolvers<Taken>();
    const next = vi.fn<Invoke>(async () => toolResult());
    const call = toolCall({ principal: principal('p', 5) });
    const waiting = new RateLimit({ take: () => promise }).policy(next)(call);
    const late = new BridgeError('deadline_exceeded', 'late');
    call.abort.abort(late);
    await expect(waiting).rejects.toBe(late);
    resolve({ allowed: true, quota });
    await promise;
    await expect(new RateLimit({ take: () => promise }).policy(next)(call)).rejects.toBe(late);
    expect(next).not.toHaveBeenCalled();
  });
});
