import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, test } from 'vitest';
import { until } from '../../support/until.ts';

const FIXTURE = fileURLToPath(new URL('./fixture-server.ts', import.meta.url));

async function connect(): Promise<Client & AsyncDisposable> {
  const client = new Client({ name: 'test', version: '0' });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [FIXTURE],
      env: { GREETING: 'Hello' },
      stderr: 'ignore',
    }),
  );
  await client.listTools();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** The server's own pipes, for what an official client does not let one see. */
class Raw {
  readonly child: ChildProcess;
  // biome-ignore lint/suspicious/noExplicitAny: lines of many shapes
  readonly messages: any[] = [];
  stderr = '';

  constructor(env: Record<string, string>) {
    this.child = spawn(process.execPath, [FIXTURE], { env, stdio: 'pipe' });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    if (this.child.stdout)
      createInterface(this.child.stdout).on('line', (line) => this.messages.push(JSON.parse(line)));
  }

  send(...messages: readonly object[]): void {
    this.child.stdin?.write(messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join(''));
  }

  async initialize(): Promise<void> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '0' } };
    this.send({ id: 0, method: 'initialize', params });
    await until('initialize is answered', () => this.messages.length === 1);
    this.send({ method: 'notifications/initialized' });
  }

  call(id: number, name: string, args: object, meta?: object): void {
    this.send({ id, method: 'tools/call', params: { name, arguments: args, ...(meta && { _meta: meta }) } });
  }

  async ended(): Promise<{ readonly code: number | null; readonly signal: string | null }> {
    const [code, signal] = (await once(this.child, 'close')) as [number | null, string | null];
    return { code, signal };
  }
}

describe('a server of the kit', () => {
  test('lists tools with strict schemas and annotations that follow from the effect', async () => {
    await using client = await connect();
    const { tools } = await client.listTools();
    expect(tools.map(({ name, annotations }) => [name, annotations])).toEqual([
      [
        'greet',
        { title: 'Greet', readOnlyHint: true, idempotentHint: true, destructiveHint: false, openWorldHint: false },
      ],
      [
        'context',
        {
          title: 'Show the context',
          readOnlyHint: false,
          idempotentHint: true,
          destructiveHint: false,
          openWorldHint: false,
        },
      ],
      [
        'fail',
        { title: 'Fail', readOnlyHint: false, idempotentHint: false, destructiveHint: true, openWorldHint: false },
      ],
      [
        'pay',
        { title: 'Pay', readOnlyHint: false, idempotentHint: false, destructiveHint: true, openWorldHint: false },
      ],
    ]);
    expect(tools[0]?.inputSchema).toMatchObject({ type: 'object', required: ['name'], additionalProperties: false });
  });

  test('answers with the object and its text twin', async () => {
    await using client = await connect();
    expect(await client.callTool({ name: 'greet', arguments: { name: 'Ada' } })).toEqual({
      content: [{ type: 'text', text: '{"text":"Hello, Ada"}' }],
      structuredContent: { text: 'Hello, Ada' },
    });
  });

  test('answers a no with code, message, hint and details that official clients accept', async () => {
    await using client = await connect();
    const error = {
      code: 'no_money',
      message: 'the account is empty',
      retryable: false,
      hint: 'Put some in',
      balance: 0,
    };
    expect(await client.callTool({ name: 'fail', arguments: { how: 'no' } })).toEqual({
      isError: true,
      content: [{ type: 'text', text: JSON.stringify({ error }) }],
      structuredContent: { error },
    });
  });

  test('puts the trace id of a call on its log lines, and nothing that is no trace', async () => {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    raw.call(1, 'greet', { name: 'x' }, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    raw.call(2, 'greet', { name: 'x' }, { traceparent: 'canary\n' });
    await until('both have started', () => raw.stderr.split('started').length === 3);
    const lines = raw.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.traceId)).toEqual([traceId, undefined]);
    expect(raw.stderr).not.toContain('canary');
    raw.child.stdin?.end();
    await raw.ended();
  });

  test('tells nothing of a bug to the caller, and all of it to its log', async () => {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    raw.call(1, 'fail', { how: 'bug' });
    await until('it is answered', () => raw.messages.length === 2);
    expect(raw.messages[1].result.structuredContent.error).toMatchObject({ code: 'internal', retryable: false });
    expect(JSON.stringify(raw.messages[1])).not.toMatch(/secret|fixture-server|TypeError/);
    await until('it is logged', () => raw.stderr.includes('secret detail of a bug'));
    raw.child.stdin?.end();
    expect(await raw.ended()).toEqual({ code: 0, signal: null });
  });

  test.each([
    [{}, '/name'],
    [{ name: 7 }, '/name'],
    [{ name: 'Ada', extra: 'Bob' }, ''],
  ])('refuses the arguments %j and says where', async (args, pointer) => {
    await using client = await connect();
    const { isError, structuredContent } = await client.callTool({ name: 'greet', arguments: args });
    expect(isError).toBe(true);
    expect(structuredContent).toMatchObject({ error: { code: 'invalid_arguments', errors: [{ pointer }] } });
    expect(JSON.stringify(structuredContent)).not.toContain('Bob');
  });

  test('answers an unknown tool with a JSON-RPC error', async () => {
    await using client = await connect();
    await expect(client.callTool({ name: 'nothing' })).rejects.toMatchObject({ code: -32602 });
  });

  test('hands deadline and idempotency key to the tool', async () => {
    await using client = await connect();
    const _meta = { 'mcp-bridge-fleet/deadlineMs': 5_000, 'mcp-bridge-fleet/idempotencyKey': 'digest' };
    const { structuredContent } = await client.callTool({ name: 'context', arguments: {}, _meta });
    expect(structuredContent).toEqual({ deadlineMs: 5_000, remaining: true, key: 'digest' });
    expect((await client.callTool({ name: 'context' })).structuredContent).toEqual({
      deadlineMs: null,
      remaining: true,
      key: null,
    });
  });

  test('aborts a call at its deadline', async () => {
    await using client = await connect();
    const _meta = { 'mcp-bridge-fleet/deadlineMs': 30 };
    const answer = await client.callTool({ name: 'greet', arguments: { name: 'Ada', afterMs: 60_000 }, _meta });
    expect(answer).toMatchObject({
      isError: true,
      structuredContent: { error: { code: 'deadline_exceeded', retryable: true } },
    });
  });
});

describe('a server of the kit that is asked what became of a call', () => {
  const ASK = { 'mcp-bridge-fleet/reconcile': true };
  const KEYED = { ...ASK, 'mcp-bridge-fleet/idempotencyKey': 'digest' };

  async function asked(name: string, args: object, meta: object) {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    raw.call(1, name, args, meta);
    await until('it is answered', () => raw.messages.length === 2);
    raw.child.stdin?.end();
    await raw.ended();
    return raw.messages[1].result;
  }

  test('says of each tool that can look that it can, and of no other', async () => {
    await using client = await connect();
    const { tools } = await client.listTools();
    expect(tools.map(({ name, _meta }) => [name, _meta])).toEqual([
      ['greet', undefined],
      ['context', undefined],
      ['fail', undefined],
      ['pay', { 'mcp-bridge-fleet/reconcile': true }],
    ]);
  });

  test.each([
    ['executed', { id: 'paid with digest' }],
    ['not_executed', {}],
    ['unknown', { looked: 'the last 100 payments' }],
  ])('says %s beside what it found, and runs nothing', async (finds, structuredContent) => {
    expect(await asked('pay', { finds }, KEYED)).toEqual({
      content: [{ type: 'text', text: JSON.stringify(structuredContent) }],
      structuredContent,
      _meta: { 'mcp-bridge-fleet/reconciled': finds },
    });
  });

  test.each([
    ['could not look', 'pay', { finds: 'nothing' }, KEYED, 'vendor_down'],
    ['cannot look', 'greet', { name: 'Ada' }, KEYED, 'cannot_reconcile'],
    ['was given no key', 'pay', { finds: 'executed' }, ASK, 'cannot_reconcile'],
    ['does not understand the arguments', 'pay', {}, KEYED, 'invalid_arguments'],
  ])('says no without a verdict where it %s', async (_why, name, args, meta, code) => {
    const result = await asked(name, args, meta);
    expect(result).toMatchObject({ isError: true, structuredContent: { error: { code } } });
    expect(result).not.toHaveProperty('_meta');
  });
});

describe('the end of a server of the kit', () => {
  test('by EOF lets the calls in flight finish, writes their answers and exits 0', async () => {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    for (let id = 1; id <= 3; id += 1) raw.call(id, 'greet', { name: `n${id}`, afterMs: 100 * id });
    raw.child.stdin?.end();
    expect(await raw.ended()).toEqual({ code: 0, signal: null });
    expect(raw.messages.slice(1).map(({ id, result }) => [id, result.structuredContent.text])).toEqual([
      [1, 'Hello, n1'],
      [2, 'Hello, n2'],
      [3, 'Hello, n3'],
    ]);
  });

  test('by EOF aborts after the grace what does not finish, and still answers it', async () => {
    const raw = new Raw({ GREETING: 'Hello', GRACE_MS: '50' });
    await raw.initialize();
    raw.call(1, 'greet', { name: 'Ada', afterMs: 60_000 });
    raw.child.stdin?.end();
    expect(await raw.ended()).toEqual({ code: 0, signal: null });
    expect(raw.messages[1].result.structuredContent.error.code).toBe('shutting_down');
  });

  test('by SIGTERM aborts at once and still answers', async () => {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    raw.call(1, 'greet', { name: 'Ada', afterMs: 60_000 });
    await until('it runs', () => raw.stderr.includes('started'));
    raw.child.kill('SIGTERM');
    expect(await raw.ended()).toEqual({ code: 0, signal: null });
    expect(raw.messages[1].result.structuredContent.error.code).toBe('shutting_down');
  });

  test('comes at once when nothing runs', async () => {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    raw.child.stdin?.end();
    expect(await raw.ended()).toEqual({ code: 0, signal: null });
  });

  test('comes too when nobody reads its answers any more', async () => {
    const raw = new Raw({ GREETING: 'Hello' });
    await raw.initialize();
    raw.child.stdout?.destroy();
    for (let id = 1; id <= 5; id += 1) raw.call(id, 'greet', { name: 'Ada' });
    expect(await raw.ended()).toEqual({ code: 0, signal: null });
  });
});

test('a cancelled call is aborted and not answered', async () => {
  const raw = new Raw({ GREETING: 'Hello' });
  await raw.initialize();
  raw.call(1, 'greet', { name: 'Ada', afterMs: 60_000 });
  await until('it runs', () => raw.stderr.includes('started'));
  raw.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  await until('it is aborted', () => raw.stderr.includes('"code":"cancelled"'));
  raw.call(2, 'greet', { name: 'Bob' });
  raw.child.stdin?.end();
  await raw.ended();
  expect(raw.messages.slice(1).map(({ id }) => id)).toEqual([2]);
});

test('a wrong environment is named line by line and exits with 78', async () => {
  const raw = new Raw({ GRACE_MS: 'soon-or-never' });
  expect(await raw.ended()).toEqual({ code: 78, signal: null });
  expect(raw.stderr).toMatch(
    /^GREETING is missing: what to say\. .*\nGRACE_MS: must be a whole number from 0 to 60000\n$/,
  );
  expect(raw.messages).toEqual([]);
});
