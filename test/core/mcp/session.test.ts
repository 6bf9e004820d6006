import { getEventListeners } from 'node:events';
import { Writable } from 'node:stream';
import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, CLIENT_GONE, type Executed } from '#core/errors.ts';
import { type EraMemory, McpSession, type SessionOptions, type SlotEnd } from '#core/mcp/session.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { toolCall } from '../../support/calls.ts';
import { until } from '../../support/until.ts';
import { type Received, ScriptedPeer } from '../jsonrpc/scripted-peer.ts';

const NEVER = new AbortController().signal;

type Script = (message: Received, peer: ScriptedPeer) => void;

function legacy(more: Script = () => {}): Script {
  return (message, peer) => {
    if (message.method === 'initialize') {
      peer.answer(message.id, {
        protocolVersion: '2025-06-18',
        capabilities: {},
        serverInfo: { name: 'old', version: '1' },
      });
    } else if (message.method === 'server/discover') peer.refuse(message.id, -32601, 'Method not found');
    else more(message, peer);
  };
}

const DISCOVERED = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: { listChanged: true } },
  _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'new', version: '2' } },
};

function modern(more: Script = () => {}): Script {
  return (message, peer) => {
    if (message.method === 'server/discover') peer.answer(message.id, DISCOVERED);
    else if (message.method === 'initialize') peer.refuse(message.id, -32601);
    else more(message, peer);
  };
}

interface Setup {
  readonly session: McpSession;
  readonly peer: ScriptedPeer;
  readonly log: string[];
  readonly memory: EraMemory;
}

function start(script: Script, options: Partial<SessionOptions> = {}): Setup {
  const peer = new ScriptedPeer(script);
  const log: string[] = [];
  const memory = options.eraMemory ?? { known: undefined };
  const session = new McpSession(
    {
      input: peer.input,
      output: peer.output,
      era: 'auto',
      eraMemory: memory,
      maxLineBytes: 1 << 20,
      concurrency: 4,
      validateOutput: false,
      principalMeta: false,
      cancelGraceMs: 30,
      probeTimeoutMs: 30,
      ...options,
    },
    {
      toolsChanged: () => log.push('tools changed'),
      accepting: () => log.push('accepting'),
      broken: (why) => log.push(`broken: ${why}`),
    },
  );
  return { session, peer, log, memory };
}

async function opened(more: Script = () => {}, options: Partial<SessionOptions> = {}): Promise<Setup> {
  const setup = start(legacy(more), { era: 'legacy', ...options });
  await setup.session.open(NEVER);
  return setup;
}

function echoCall(args: Partial<ToolCall> = {}): ToolCall {
  return toolCall({ argumentsJson: '{"text":"hi"}', timeoutMs: 5_000, ...args });
}

/** A call under way: its settled value, and how its slot became free. */
class Running {
  readonly ends: SlotEnd[] = [];
  readonly call: ToolCall;
  outcome: { readonly result: ToolResult } | { readonly error: unknown } | undefined;

  constructor(session: McpSession, call: ToolCall = echoCall()) {
    this.call = call;
    session
      .callTool(call, 3, (end) => this.ends.push(end))
      .then(
        (result) => {
          this.outcome = { result };
        },
        (error: unknown) => {
          this.outcome = { error };
        },
      );
  }

  async settled(): Promise<NonNullable<Running['outcome']>> {
    return until('the call is settled', () => this.outcome);
  }

  async error(): Promise<BridgeError> {
    const outcome = await this.settled();
    if (!('error' in outcome) || !(outcome.error instanceof BridgeError)) throw new Error('expected a BridgeError');
    return outcome.error;
  }
}

const exceeded = new BridgeError('deadline_exceeded', 'no answer within 5 ms');
const crashed = (executed: Executed): BridgeError => new BridgeError('child_crashed', 'exit code 1', { executed });

describe('McpSession.open', () => {
  it('takes a child that answers server/discover for modern, remembers it, and asks for changes of the list', async () => {
    const { session, peer, memory, log } = start(modern());
    expect(await session.open(NEVER)).toEqual({
      era: 'modern',
      protocolVersion: '2026-07-28',
      serverInfo: { name: 'new', version: '2' },
    });
    expect(memory.known).toBe('modern');
    await until('it listens', () => peer.methods().includes('subscriptions/listen'));
    expect(peer.methods()).toEqual(['server/discover', 'subscriptions/listen']);
    expect(peer.received[1]?.params).toMatchObject({ notifications: { toolsListChanged: true } });
    peer.say('{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}\n');
    await until('the change was told', () => log.includes('tools changed'));
  });

  it('takes any other answer for legacy, initializes, and remembers', async () => {
    const answers: Script[] = [
      ({ id }, peer) => peer.refuse(id, -32601),
      ({ id }, peer) => peer.refuse(id, -32600, 'not initialized'),
      ({ id }, peer) => peer.answer(id, { unrelated: true }),
      ({ id }, peer) => peer.say(`{"id":${id}}\n`),
      ({ id }, peer) => peer.answer(id, { supportedVersions: ['2025-11-25'] }),
    ];
    for (const answer of answers) {
      const script = legacy();
      const { session, peer, memory } = start((message, other) =>
        message.method === 'server/discover' ? answer(message, other) : script(message, other),
      );
      expect(await session.open(NEVER)).toEqual({
        era: 'legacy',
        protocolVersion: '2025-06-18',
        serverInfo: { name: 'old', version: '1' },
      });
      expect(memory.known).toBe('legacy');
      await until('it is initialized', () => peer.received.length === 3);
      expect(peer.methods()).toEqual(['server/discover', 'initialize', 'notifications/initialized']);
      expect(peer.received[1]?.params).toMatchObject({ protocolVersion: '2025-11-25', capabilities: {} });
    }
  });

  it('takes silence for legacy', async () => {
    const script = legacy();
    const { session, memory } = start((message, peer) => {
      if (message.method !== 'server/discover') script(message, peer);
    });
    expect(await session.open(NEVER)).toMatchObject({ era: 'legacy' });
    expect(memory.known).toBe('legacy');
  });

  it('lets a late discovery win where initialize fails or is ignored', async () => {
    for (const initialize of [true, false]) {
      let discover: number | undefined;
      const { session, memory } = start((message, peer) => {
        if (message.method === 'server/discover') discover = message.id;
        if (message.method !== 'initialize') return;
        peer.answer(discover, DISCOVERED);
        if (initialize) peer.refuse(message.id, -32601);
      });
      expect(await session.open(NEVER)).toMatchObject({ era: 'modern' });
      expect(memory.known).toBe('modern');
    }
  });

  it('speaks legacy to a slow child that takes initialize too, and remembers that its like is modern', async () => {
    let discover: number | undefined;
    const { session, memory } = start((message, peer) => {
      if (message.method === 'server/discover') discover = message.id;
      if (message.method !== 'initialize') return;
      peer.answer(discover, DISCOVERED);
      peer.answer(message.id, { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {} });
    });
    expect(await session.open(NEVER)).toMatchObject({ era: 'legacy' });
    expect(memory.known).toBe('modern');
  });

  it('does not probe the next child when the first one died of it', async () => {
    const { session, peer, memory } = start(() => {});
    const opening = session.open(NEVER);
    await until('it was asked', () => peer.received.length === 1);
    session.close(crashed);
    await expect(opening).rejects.toMatchObject({ code: 'child_crashed' });
    expect(memory.known).toBe('legacy');

    const second = start(legacy(), { eraMemory: memory });
    expect(await second.session.open(NEVER)).toMatchObject({ era: 'legacy' });
    expect(second.peer.methods()).not.toContain('server/discover');
  });

  it('forgets what it remembered when a child refuses it', async () => {
    for (const [known, script] of [
      ['legacy', modern()],
      ['modern', legacy()],
    ] as const) {
      const { session, memory } = start(script, { eraMemory: { known } });
      await expect(session.open(NEVER)).rejects.toMatchObject({ code: 'child_protocol_error' });
      expect(memory.known).toBeUndefined();
    }
  });

  it('names the versions when there is none in common', async () => {
    const old = start(
      (message, peer) => {
        if (message.method === 'initialize')
          peer.answer(message.id, { protocolVersion: '1999-01-01', capabilities: {} });
      },
      { era: 'legacy' },
    );
    await expect(old.session.open(NEVER)).rejects.toThrow('1999-01-01');
    const future = start((message, peer) => {
      peer.refuse(message.id, -32022, 'Unsupported protocol version', { supported: ['2031-01-01'] });
    });
    await expect(future.session.open(NEVER)).rejects.toThrow('2031-01-01');
  });

  it('ends with the signal', async () => {
    const { session } = start(() => {}, { era: 'modern' });
    const abort = new AbortController();
    const opening = session.open(abort.signal);
    const reason = new Error('too slow');
    abort.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });
});

describe('McpSession.listTools', () => {
  const tool = (name: string): object => ({ name, inputSchema: { type: 'object' }, 'x-vendor': 1 });

  function listing(pages: (cursor: unknown) => object): Script {
    return (message, peer) => {
      if (message.method === 'tools/list') peer.answer(message.id, pages(message.params?.cursor));
    };
  }

  it('reads all pages and keeps unknown members', async () => {
    const pages = (cursor: unknown): object =>
      cursor === undefined
        ? { tools: [tool('a')], nextCursor: 'p"2' }
        : { tools: [tool('b')], nextCursor: cursor === 'p"2' ? 'p3' : undefined };
    const { session } = await opened(listing(pages));
    expect((await session.listTools(NEVER)).map(({ name }) => name)).toEqual(['a', 'b', 'b']);
    expect((await session.listTools(NEVER))[0]).toEqual(tool('a'));
  });

  it('takes the empty cursor for the end from a legacy child and for a cursor from a modern one', async () => {
    const pages = (cursor: unknown): object =>
      cursor === '' ? { tools: [tool('b')] } : { tools: [tool('a')], nextCursor: '' };
    const old = await opened(listing(pages));
    expect(await old.session.listTools(NEVER)).toHaveLength(1);
    const young = start(modern(listing(pages)));
    await young.session.open(NEVER);
    expect(await young.session.listTools(NEVER)).toHaveLength(2);
    expect(young.peer.received.find(({ method }) => method === 'tools/list')?.params).toMatchObject({
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    });
  });

  it.each([
    ['a cursor that repeats', () => ({ tools: [], nextCursor: 'again' }), 'came before'],
    ['pages without end', (cursor: unknown) => ({ tools: [], nextCursor: `${cursor}x` }), '100 pages'],
    [
      'bytes without end',
      (cursor: unknown) => ({ tools: [], nextCursor: `${String(cursor).length}`, pad: 'x'.repeat(900_000) }),
      'bytes',
    ],
    ['no list', () => ({ tool: [] }), 'no array'],
  ])('refuses %s', async (what, pages: (cursor: unknown) => object, message) => {
    let page = 0;
    const numbered = (cursor: unknown): object => ({
      ...pages(cursor),
      ...(what.startsWith('bytes') ? { nextCursor: String(page++) } : {}),
    });
    const { session } = await opened(listing(numbered));
    await expect(session.listTools(NEVER)).rejects.toThrow(message);
  });

  it('hands tools on that the catalog will refuse, for the sake of the others', async () => {
    const odd = [tool('a'), {}, { name: 'b', inputSchema: [] }];
    const { session } = await opened(listing(() => ({ tools: [null, 'x', ...odd] })));
    expect(await session.listTools(NEVER)).toEqual(odd);
  });

  it('finds no tools where the method is unknown', async () => {
    const { session } = await opened(({ id }, peer) => peer.refuse(id, -32601));
    expect(await session.listTools(NEVER)).toEqual([]);
  });

  it('tells of a changed list', async () => {
    const { peer, log } = await opened();
    peer.say('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n');
    await until('it was told', () => log.length === 1);
    expect(log).toEqual(['tools changed']);
  });
});

describe('McpSession.callTool', () => {
  it('sends name, arguments, trace and the deadline that is left, and gives the bytes of the result', async () => {
    const { session, peer } = await opened(({ id, method }, other) => {
      if (method === 'tools/call')
        other.say(`{"result":{"content":[],"isError":true, "vendor":1.0},"jsonrpc":"2.0","id":${id}}\n`);
    });
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'v="x"' };
    const running = new Running(session, echoCall({ trace, arrivedAtMs: performance.now() - 1_000 }));
    const { result } = (await running.settled()) as { result: ToolResult };
    expect(Buffer.concat(result.body).toString()).toBe('{"content":[],"isError":true, "vendor":1.0}');
    expect(result.isError).toBe(true);
    expect(result.length).toBe(43);
    expect(running.ends).toEqual(['answered']);
    const params = peer.received.at(-1)?.params;
    const { 'mcp-bridge-fleet/deadlineMs': leftMs, ...meta } = (params?._meta ?? {}) as Record<string, unknown>;
    expect(params).toMatchObject({ name: 'echo', arguments: { text: 'hi' } });
    expect(meta).toEqual(trace);
    expect(leftMs).toSatisfy((ms: number) => Number.isInteger(ms) && ms <= 4_000 && ms >= 0);
  });

  it.each([true, false])('tells the child who calls only where it is to be told: %s', async (principalMeta) => {
    const { session, peer } = await opened(({ id }, other) => other.answer(id, { content: [] }), { principalMeta });
    const principal = { ...anonymousPrincipal(), id: 'jwt:"anna"\u2028' };
    await new Running(session, echoCall({ principal })).settled();
    const meta = peer.received.at(-1)?.params?._meta as Record<string, unknown>;
    expect(meta['mcp-bridge-fleet/principal']).toBe(principalMeta ? principal.id : undefined);
    expect(JSON.stringify(peer.received).includes('anna')).toBe(principalMeta);
  });

  it('adds what a modern child wants in each request', async () => {
    const { session, peer } = start(
      modern(({ id, method }, other) => {
        if (method === 'tools/call') other.answer(id, { content: [], resultType: 'complete' });
      }),
    );
    await session.open(NEVER);
    expect(await new Running(session).settled()).toHaveProperty('result');
    expect(peer.received.at(-1)?.params?._meta).toMatchObject({
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'mcp-bridge-fleet' },
    });
  });

  it.each([
    [-32602, 'invalid_arguments', 'no', undefined],
    [-32601, 'unknown_tool', 'no', undefined],
    [-32000, 'child_error', 'maybe', { rpcCode: -32000 }],
  ])('turns JSON-RPC error %i into %s', async (rpcCode, code, executed, details) => {
    const { session } = await opened(({ id }, peer) =>
      peer.refuse(id, rpcCode, `bad \u001b[31mthing\nand ${'x'.repeat(1_000)}`),
    );
    const running = new Running(session);
    const error = await running.error();
    expect(error).toMatchObject({ code, executed, details, workerId: 3 });
    expect(error.message).toContain('bad [31mthing and x');
    expect(error.message.length).toBeLessThan(400);
    expect(running.ends).toEqual(['answered']);
  });

  it.each([
    [
      'a question for input',
      '"result":{"resultType":"input_required","inputRequests":{}}',
      'input_required_unsupported',
    ],
    ['a result that is no object', '"result":[]', 'child_protocol_error'],
    ['no result', '"x":1', 'child_protocol_error'],
    ['an answer over the cap', `"result":{"b":"${'x'.repeat(1 << 21)}"}`, 'child_response_too_large'],
  ])('fails the call alone for %s', async (_what, members, code) => {
    const { session, log } = await opened(({ id, params }, peer) => {
      if (params?.name === 'bad') peer.say(`{"jsonrpc":"2.0","id":${id},${members}}\n`);
      else peer.answer(id, { content: [] });
    });
    const [bad, good] = [new Running(session, echoCall({ tool: 'bad' })), new Running(session)];
    expect(await bad.error()).toMatchObject({ code, executed: 'maybe', workerId: 3 });
    expect(await good.settled()).toHaveProperty('result');
    expect([bad.ends, good.ends, log]).toEqual([['answered'], ['answered'], []]);
  });

  it('checks structured content where asked to, but no tool error and no tool without a schema', async () => {
    const asked: unknown[] = [];
    const { session } = await opened(
      ({ id, method, params }, peer) => {
        if (method === 'tools/list') {
          const inputSchema = { type: 'object' };
          peer.answer(id, {
            tools: [
              { name: 'checked', inputSchema, outputSchema: inputSchema },
              { name: 'free', inputSchema },
            ],
          });
        } else peer.answer(id, { content: [], ...((params?.arguments ?? {}) as object) });
      },
      {
        validateOutput: true,
        validateResult: (tool, content) => {
          asked.push([tool, content]);
          return content === undefined ? '/ is missing' : undefined;
        },
      },
    );
    await session.listTools(NEVER);
    const call = (tool: string, args: object): Running =>
      new Running(session, echoCall({ tool, argumentsJson: JSON.stringify(args) }));
    expect(await call('checked', { structuredContent: { a: 1 } }).settled()).toHaveProperty('result');
    expect(await call('checked', { isError: true }).settled()).toHaveProperty('result');
    expect(await call('free', {}).settled()).toHaveProperty('result');
    expect(await call('checked', {}).error()).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
    expect(asked).toEqual([
      ['checked', { a: 1 }],
      ['checked', undefined],
    ]);
  });

  it('checks the answer of a tool that was only to look where it is what the tool would have answered', async () => {
    const { session } = await opened(
      ({ id, method, params }, peer) => {
        const schema = { type: 'object' };
        if (method === 'tools/list') {
          peer.answer(id, { tools: [{ name: 'pay', inputSchema: schema, outputSchema: schema }] });
        } else peer.answer(id, { content: [], _meta: (params?.arguments as { meta?: object } | undefined)?.meta });
      },
      { validateOutput: true, validateResult: () => '/ is missing' },
    );
    await session.listTools(NEVER);
    const look = (found: unknown, more: Partial<ToolCall> = { looksOnly: true }): Running => {
      const argumentsJson = JSON.stringify({ meta: { 'mcp-bridge-fleet/reconciled': found } });
      return new Running(session, echoCall({ tool: 'pay', argumentsJson, ...more }));
    };
    for (const found of ['not_executed', 'unknown', undefined]) {
      expect(await look(found).settled()).toHaveProperty('result');
      expect(await look(found, {}).error()).toMatchObject({ code: 'child_protocol_error' });
    }
    expect(await look('executed').error()).toMatchObject({ code: 'child_protocol_error' });
  });

  it('takes a call back that has not left: nothing is sent, nothing ran', async () => {
    const { session, peer } = await opened();
    const running = new Running(session);
    running.call.abort.abort(exceeded);
    expect(await running.error()).toBe(exceeded);
    expect(running.ends).toEqual(['answered']);
    await tick();
    expect(peer.methods()).not.toContain('tools/call');
    expect(peer.methods()).not.toContain('notifications/cancelled');
  });

  it('refuses a call that is cancelled already', async () => {
    const { session } = await opened();
    const call = echoCall();
    call.abort.abort(CLIENT_GONE);
    const running = new Running(session, call);
    expect(await running.settled()).toEqual({ error: CLIENT_GONE });
    expect(running.ends).toEqual(['answered']);
  });

  it('rejects at once when cancelled, tells the child in the same tick, and frees the slot with a late answer', async () => {
    const { session, peer } = await opened(
      ({ id, method }, other) => {
        if (method === 'ping') other.answer(id);
      },
      { cancelGraceMs: 60_000 },
    );
    const running = new Running(session);
    await until('it was sent', () => peer.methods().includes('tools/call'));
    const { id } = peer.received.at(-1) as Received;
    running.call.abort.abort(exceeded);
    await tick();
    await tick();
    expect(running.outcome).toMatchObject({
      error: { code: 'deadline_exceeded', executed: 'maybe', message: exceeded.message },
    });
    expect(peer.received.at(-2)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: id } });
    expect(peer.methods().at(-1)).toBe('ping');
    expect(running.ends).toEqual([]);
    peer.answer(id);
    await until('the slot is free', () => running.ends.length > 0);
    expect(running.ends).toEqual(['answered']);
    expect(session.counters.lateAnswers).toBe(1);
    peer.answer(id);
    await until('the second answer was dropped', () => session.counters.lateAnswers === 2);
    expect(running.ends).toEqual(['answered']);
  });

  it('frees the slot after the grace time: released by a child that is alive, silent by one that is not', async () => {
    const alive = await opened(({ id, method }, peer) => {
      if (method === 'ping') peer.answer(id);
    });
    const dead = await opened();
    for (const [{ session, peer }, end] of [
      [alive, 'released'],
      [dead, 'silent'],
    ] as const) {
      const running = new Running(session);
      await until('it was sent', () => peer.methods().includes('tools/call'));
      running.call.abort.abort(CLIENT_GONE);
      expect(await running.settled()).toEqual({ error: CLIENT_GONE });
      await until('the slot is free', () => running.ends.length > 0);
      peer.answer((peer.received.find(({ method }) => method === 'tools/call') as Received).id);
      await until('the late answer was counted', () => session.counters.lateAnswers === 1);
      expect(running.ends).toEqual([end]);
    }
  });

  it('asks a modern child for a sign of life by server/discover', async () => {
    const { session, peer } = start(modern());
    await session.open(NEVER);
    const running = new Running(session);
    await until('it was sent', () => peer.methods().includes('tools/call'));
    running.call.abort.abort(CLIENT_GONE);
    await until('the slot is free', () => running.ends.length > 0);
    expect(peer.methods().slice(-2)).toEqual(['notifications/cancelled', 'server/discover']);
    expect(running.ends).toEqual(['released']);
  });

  it('says when as many calls as it may take are abandoned; an answer takes one back', async () => {
    const { session, peer } = await opened(
      ({ id, method }, other) => {
        if (method === 'ping') other.answer(id);
      },
      { concurrency: 2 },
    );
    const abandon = async (): Promise<{ ends: SlotEnd[]; id: number | undefined }> => {
      const running = new Running(session);
      await until('it was sent', () => peer.methods().at(-1) === 'tools/call');
      const { id } = peer.received.at(-1) as Received;
      running.call.abort.abort(CLIENT_GONE);
      await until('the slot is free', () => running.ends.length > 0);
      return { ends: running.ends, id };
    };
    const first = await abandon();
    expect(first.ends).toEqual(['released']);
    peer.answer(first.id);
    await until('it was counted', () => session.counters.lateAnswers === 1);
    expect((await abandon()).ends).toEqual(['released']);
    expect((await abandon()).ends).toEqual(['overcommitted']);
  });

  it('refuses calls while the child does not read, and says when it does again', async () => {
    let finish: (() => void) | undefined;
    let stuck = true;
    const output = new Writable({
      decodeStrings: false,
      write: (_chunk, _encoding, callback) => {
        if (stuck) finish = callback;
        else callback();
      },
    });
    const { session, log } = start(() => {}, { era: 'legacy', output, maxOutputBytes: 1_000 });
    const running: Running[] = [];
    while (session.accepting)
      running.push(new Running(session, echoCall({ argumentsJson: `{"a":"${'x'.repeat(300)}"}` })));
    const refused = new Running(session);
    expect(await refused.error()).toMatchObject({ code: 'worker_backpressure', executed: 'no', workerId: 3 });
    expect(refused.ends).toEqual(['answered']);
    await until('the batch is being written', () => finish !== undefined);
    expect(session.accepting).toBe(false);
    stuck = false;
    finish?.();
    await until('it accepts again', () => session.accepting);
    expect(log).toEqual(['accepting']);
    session.close(crashed);
    for (const call of running) expect(await call.error()).toMatchObject({ code: 'child_crashed', executed: 'maybe' });
  });

  it('fails what is under way when the child ends: maybe where it was sent, no where it was not', async () => {
    const { session, peer } = await opened();
    const sent = new Running(session);
    const cancelled = new Running(session);
    await until('they were sent', () => peer.methods().at(-1) === 'tools/call');
    cancelled.call.abort.abort(CLIENT_GONE);
    const queued = new Running(session);
    session.close(crashed);
    session.close(() => new BridgeError('internal', 'never'));
    expect(await sent.error()).toMatchObject({ code: 'child_crashed', executed: 'maybe' });
    expect(await queued.error()).toMatchObject({ code: 'child_crashed', executed: 'no' });
    expect(await cancelled.settled()).toEqual({ error: CLIENT_GONE });
    expect([sent.ends, queued.ends, cancelled.ends]).toEqual([['answered'], ['answered'], ['answered']]);
    const after = new Running(session);
    expect(await after.error()).toMatchObject({ code: 'child_crashed', executed: 'no' });
    expect(after.ends).toEqual(['answered']);
  });

  it('moves on with executed no when the child was dead before the write', async () => {
    const { session } = start(() => {}, {
      era: 'legacy',
      output: new Writable({
        decodeStrings: false,
        write: (_chunk, _encoding, callback) => callback(new Error('write EPIPE')),
      }),
    });
    const running = new Running(session);
    expect(await running.error()).toMatchObject({ code: 'child_crashed', executed: 'no', workerId: 3 });
    expect(running.ends).toEqual(['answered']);
    expect(session.accepting).toBe(false);
    session.close(crashed);
  });

  it('fails everything and says so when the child floods stdout with noise', async () => {
    const { session, peer, log } = await opened();
    const running = new Running(session);
    await until('it was sent', () => peer.methods().at(-1) === 'tools/call');
    peer.say('noise\n'.repeat(200));
    expect(await running.error()).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
    expect(running.ends).toEqual(['answered']);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/^broken: 101 lines/);
  });

  it('says so when the child closes its stdout and lives on', async () => {
    const { session, peer, log } = await opened();
    const running = new Running(session);
    await until('it was sent', () => peer.methods().at(-1) === 'tools/call');
    peer.input.end();
    expect(await running.error()).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/^broken: .*stdout/);
  });

  it('takes no further call once ending, and still gets the answers under way', async () => {
    const { session, peer } = await opened();
    const running = new Running(session);
    session.end();
    await until('stdin has ended', () => peer.output.readableEnded);
    const refused = new Running(session);
    expect(await refused.error()).toMatchObject({ code: 'child_crashed', executed: 'no' });
    peer.answer((peer.received.at(-1) as Received).id, { content: [] });
    expect(await running.settled()).toHaveProperty('result');
    expect([running.ends, refused.ends]).toEqual([['answered'], ['answered']]);
  });

  it('leaves no abort listener behind', async () => {
    const { session } = await opened(({ id, method, params }, peer) => {
      if (method === 'tools/call' && params?.name !== 'silent') peer.answer(id, { content: [] });
    });
    const [answered, cancelled, lost] = [echoCall(), echoCall({ tool: 'silent' }), echoCall({ tool: 'silent' })];
    const running = [answered, cancelled, lost].map((call) => new Running(session, call));
    expect(getEventListeners(lost.abort.signal as AbortSignal, 'abort')).toHaveLength(1);
    await running[0]?.settled();
    cancelled.abort.abort(exceeded);
    session.close(crashed);
    for (const call of running) await call.settled();
    for (const { abort } of [answered, cancelled, lost])
      expect(getEventListeners(abort.signal as AbortSignal, 'abort')).toEqual([]);
  });
});
