import { afterEach, describe, expect, it } from 'vitest';
import type { ToolCall, ToolResult } from '#core/call.ts';
import { McpWorker, type McpWorkerEvents, type McpWorkerOptions } from '#core/child/mcp-worker.ts';
import { BridgeError } from '#core/errors.ts';
import { createCatalog, type ToolDefinition } from '#core/mcp/catalog.ts';
import type { RetireReason } from '#core/pool/worker.ts';
import { toolCall } from '../../support/calls.ts';
import { FAKE_CHILD, isRunning } from '../../support/fake-child.ts';
import { Ledger } from '../../support/ledger.ts';
import { until } from '../../support/until.ts';

/** Long steps where none is waited for, so that nothing but the asked-for ends a worker. */
const STOP = { eofMs: 2_000, termMs: 5_000, killMs: 1_000, orphanMs: 100 };
const SHORT_STOP = { eofMs: 100, termMs: 100, killMs: 1_000, orphanMs: 100 };

interface Started {
  readonly worker: McpWorker;
  readonly lists: (readonly ToolDefinition[])[];
  readonly lines: string[];
}

const started: McpWorker[] = [];
let ids = 0;

afterEach(async () => {
  await Promise.all(started.splice(0).map((worker) => worker.destroy('shutdown')));
});

function start(env: Record<string, string> = {}, more: Partial<McpWorkerOptions> = {}): Started {
  const lists: (readonly ToolDefinition[])[] = [];
  const lines: string[] = [];
  const events: McpWorkerEvents = { tools: (tools) => lists.push(tools), stderr: (line) => lines.push(line) };
  ids += 1;
  const worker = new McpWorker(
    {
      id: ids,
      command: process.execPath,
      args: [FAKE_CHILD],
      env,
      baseEnv: { PATH: process.env.PATH, HOME: '/', CANARY_OF_THE_PARENT: 'secret' },
      cwd: '/',
      secrets: [],
      era: 'legacy',
      eraMemory: { known: undefined },
      maxLineBytes: 8 * 1024 * 1024,
      concurrency: 16,
      validateOutput: false,
      principalMeta: false,
      startDeadlineMs: 15_000,
      stop: STOP,
      ...more,
    },
    events,
  );
  started.push(worker);
  return { worker, lists, lines };
}

async function startReady(env?: Record<string, string>, more?: Partial<McpWorkerOptions>): Promise<Started> {
  const all = start(env, more);
  await all.worker.ready;
  return all;
}

function callOf(tool: string, args: object = {}): ToolCall {
  return toolCall({ tool, effect: 'write', argumentsJson: JSON.stringify(args) });
}

function textOf(result: ToolResult): string {
  return JSON.parse(Buffer.concat(result.body).toString('utf8')).content[0].text;
}

/** A call, how it ends and how often its slot was freed. */
function begin(worker: McpWorker, tool: string, args?: object) {
  const freed: (RetireReason | undefined)[] = [];
  const call = callOf(tool, args);
  const result = worker.call(call, (reason) => freed.push(reason));
  const error = result.then(
    () => undefined,
    (reason: unknown) => reason as BridgeError,
  );
  return { call, result, error, freed };
}

async function textFrom(worker: McpWorker, tool: string, args?: object): Promise<string> {
  return textOf(await begin(worker, tool, args).result);
}

async function failure(promise: Promise<unknown>): Promise<BridgeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BridgeError);
  return error as BridgeError;
}

describe('a worker', () => {
  it.each(['legacy', 'modern'] as const)('that is %s becomes ready with its tools and answers calls', async (era) => {
    const { worker, lists } = start({ FAKE_ERA: era }, { era: 'auto' });
    expect(worker.accepting).toBe(false);
    await worker.ready;
    expect(worker.accepting).toBe(true);
    expect(worker.info?.era).toBe(era);
    expect(worker.info?.serverInfo).toMatchObject({ name: 'fake-child' });
    expect(lists).toHaveLength(1);
    expect(lists[0]?.map((tool) => tool.name)).toContain('echo');
    const { result, freed } = begin(worker, 'echo', { text: 'grüße €' });
    expect(textOf(await result)).toBe('grüße €');
    expect(freed).toEqual([undefined]);
    await worker.drain();
    expect(await worker.ended).toEqual({ summary: 'exit code 0', expected: true });
    expect(worker.accepting).toBe(false);
  });

  it('sees its configured environment and arguments, and nothing of ours', async () => {
    const args = [FAKE_CHILD, '--one', 'two words; $HOME'];
    const { worker } = await startReady({ FAKE_X: '1' }, { args });
    const seen = JSON.parse(await textFrom(worker, 'meta'));
    expect(seen.env).toEqual(['FAKE_X', 'HOME', 'PATH']);
    expect(seen.argv).toEqual(args.slice(1));
    expect(seen.cwd).toBe('/');
    expect(seen.pid).toBe(worker.pid);
  });

  it('knows its memory, that of what it starts included', async () => {
    const { worker } = await startReady();
    const before = worker.rss() as number;
    await textFrom(worker, 'leak', { mb: 64 });
    expect((worker.rss() as number) - before).toBeGreaterThan(60e6);
    await worker.destroy('rss');
    expect(worker.rss()).toBeUndefined();
  });

  it('tells a changed list of tools, and not more often than once a second', async () => {
    const { worker, lists } = await startReady();
    await textFrom(worker, 'change-tools', { add: 'new_tool' });
    await until('the new list', () => lists.length === 2);
    expect(lists[1]?.map((tool) => tool.name)).toContain('new_tool');
    const since = performance.now();
    await textFrom(worker, 'notify', { method: 'notifications/tools/list_changed', times: 500 });
    await until('the third list', () => lists.length === 3);
    expect(performance.now() - since).toBeGreaterThan(500);
    expect(lists).toHaveLength(3);
  });

  it('may list hostile tools: the catalog refuses or leaves out each of them, and only them', async () => {
    const { lists } = await startReady({ FAKE_HOSTILE_SCHEMAS: '1', FAKE_BAD_NAMES: '1', FAKE_PAGES: '3' });
    const { policy } = callOf('any');
    const { tools, leftOut } = await createCatalog(lists[0] ?? [], () => policy);
    const rejected = tools.filter((tool) => tool.rejected !== undefined).map((tool) => tool.name);
    expect(rejected).toEqual(tools.map((tool) => tool.name).filter((name) => name.startsWith('hostile_')));
    expect(rejected).toHaveLength(7);
    // Five names that cannot be addressed, and a second `echo`.
    expect(leftOut).toHaveLength(6);
    expect(tools.filter((tool) => tool.name === 'echo')).toHaveLength(1);
  });

  it('checks results against the output schema where that is asked for', async () => {
    const { worker } = await startReady({}, { validateOutput: true });
    await begin(worker, 'structured', { value: { count: 1 } }).result;
    const error = await failure(begin(worker, 'structured', { value: { count: 'x' } }).result);
    expect(error).toMatchObject({ code: 'child_protocol_error' });
    expect(worker.accepting).toBe(true);
  });
});

describe('a worker that crashes', () => {
  it.each([
    ['with an exit code', { code: 7 }, 'exit code 7'],
    ['by a signal', { signal: 'SIGKILL' }, 'signal SIGKILL'],
    ['by SIGSEGV', { signal: 'SIGSEGV' }, 'signal SIGSEGV'],
  ])('%s fails the calls in flight at once: maybe executed', async (_how, death, summary) => {
    using ledger = new Ledger();
    const { worker } = await startReady({ FAKE_LEDGER: ledger.path });
    const waiting = begin(worker, 'sleep', { ms: 60_000, tag: 'waiting' });
    await until('the call arrived', () => ledger.executions('waiting') === 1);
    const crashing = begin(worker, 'crash', { ...death, tag: 'crash' });
    for (const { error, freed } of [waiting, crashing]) {
      expect(await error).toMatchObject({ code: 'child_crashed', executed: 'maybe', workerId: worker.id });
      expect((await error)?.message).toContain(summary);
      expect(freed).toEqual([undefined]);
    }
    expect(worker.accepting).toBe(false);
    expect(await worker.ended).toEqual({ summary, expected: false });
    // Found dead before anything was written: safe to run elsewhere.
    const late = begin(worker, 'echo', { text: 'x' });
    expect(await late.error).toMatchObject({ code: 'child_crashed', executed: 'no' });
    expect(late.freed).toEqual([undefined]);
  });

  it('after its answer was written does not lose the answer', async () => {
    for (let n = 0; n < 5; n += 1) {
      const { worker } = await startReady();
      expect(await textFrom(worker, 'crash-after-answer', { signal: 'SIGKILL' })).toBe('last words');
      expect(await worker.ended).toEqual({ summary: 'signal SIGKILL', expected: false });
    }
  });

  it('leaves its last stderr lines for the log, redacted, and not in the error', async () => {
    const secret = 'sk_live_abcdef0123456789';
    const { worker, lines } = await startReady({}, { secrets: [secret] });
    await textFrom(worker, 'stderr', { text: `connecting with ${secret}\nfatal: refused` });
    const error = await begin(worker, 'crash', { code: 1 }).error;
    await worker.ended;
    expect(worker.stderrTail()).toBe('connecting with [redacted]\nfatal: refused');
    expect(lines).toEqual(['connecting with [redacted]', 'fatal: refused']);
    expect(error?.message).not.toMatch(/refused|redacted/);
  });

  it('takes its process group along, also where that holds its pipes', async () => {
    const { worker } = await startReady();
    const pids: number[] = [];
    for (const args of [{ n: 2 }, { n: 1, inherit: true }, { n: 1, ignoreTerm: true }]) {
      pids.push(...JSON.parse(await textFrom(worker, 'fork', args)));
    }
    const error = await begin(worker, 'crash', {}).error;
    expect(error).toMatchObject({ code: 'child_crashed' });
    await worker.ended;
    await until('no grandchild runs', () => !pids.some(isRunning));
  });

  it('has ended though a process that left its group holds its pipes', async () => {
    const pipes = () => process.getActiveResourcesInfo().filter((kind) => kind === 'PipeWrap').length;
    const before = pipes();
    const { worker } = await startReady();
    const [pid] = JSON.parse(await textFrom(worker, 'fork', { n: 1, setsid: true, inherit: true }));
    try {
      expect(await begin(worker, 'crash', { code: 1 }).error).toMatchObject({ code: 'child_crashed' });
      expect(await worker.ended).toEqual({ summary: 'exit code 1', expected: false });
      await until('its pipes are closed', () => pipes() <= before);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });
});

describe('a worker that does not start', () => {
  it('in time is given up at its deadline and killed', async () => {
    const { worker } = start({ FAKE_START_MS: '60000', FAKE_IGNORE_TERM: '1' }, { startDeadlineMs: 300 });
    const error = await failure(worker.ready);
    expect(error).toMatchObject({ code: 'no_worker_ready', executed: 'no' });
    expect(error.message).toContain('300 ms');
    expect(await worker.ended).toMatchObject({ expected: false, summary: expect.stringContaining('SIGKILL') });
  });

  it('because it never answers is given up just so', async () => {
    const { worker } = start({ FAKE_HANG_AT_START: '1' }, { startDeadlineMs: 300 });
    expect(await failure(worker.ready)).toMatchObject({ code: 'no_worker_ready' });
    await worker.ended;
  });

  it('because it exits at once says so, and keeps what it wrote', async () => {
    const { worker } = start({ FAKE_EXIT_AT_START: '3', FAKE_STDERR_AT_START: 'no credentials' });
    const error = await failure(worker.ready);
    expect(error).toMatchObject({ code: 'no_worker_ready', executed: 'no' });
    expect(error.message).toContain('exit code 3');
    expect(error.message).not.toContain('credentials');
    expect(await worker.ended).toEqual({ summary: 'exit code 3', expected: false });
    expect(worker.stderrTail()).toBe('no credentials');
  });

  it('because the command does not exist has ended, too', async () => {
    const { worker } = start({}, { command: '/no/such/command' });
    const error = await failure(worker.ready);
    expect(error).toMatchObject({ code: 'no_worker_ready', executed: 'no' });
    expect(error.message).toContain('ENOENT');
    expect(await worker.ended).toMatchObject({ expected: false, summary: expect.stringContaining('ENOENT') });
    expect(worker.pid).toBeUndefined();
    expect(worker.rss()).toBeUndefined();
    expect(worker.stderrTail()).toBe('');
    await worker.drain();
    await worker.destroy('shutdown');
  });

  it('because it is told nonsense is a protocol error', async () => {
    const { worker } = start({ FAKE_NOISE_AT_START: '500' });
    expect(await failure(worker.ready)).toMatchObject({ code: 'child_protocol_error' });
    await worker.ended;
  });

  it('when it is probed is not probed again: the next one starts', async () => {
    const eraMemory = { known: undefined };
    const first = start({ FAKE_ON_DISCOVER: 'exit' }, { era: 'auto', eraMemory });
    expect(await failure(first.worker.ready)).toMatchObject({ code: 'no_worker_ready' });
    await first.worker.ended;
    const second = await startReady({ FAKE_ON_DISCOVER: 'exit' }, { era: 'auto', eraMemory });
    expect(second.worker.info?.era).toBe('legacy');
  });
});

describe('stopping a worker', () => {
  it('gently lets calls in flight be answered', async () => {
    using ledger = new Ledger();
    const { worker } = await startReady({ FAKE_LEDGER: ledger.path });
    const call = begin(worker, 'sleep', { ms: 300, tag: 'slow' });
    await until('the call arrived', () => ledger.executions('slow') === 1);
    const drained = worker.drain();
    expect(worker.accepting).toBe(false);
    expect(textOf(await call.result)).toBe('slept 300 ms');
    await drained;
    expect(await worker.ended).toEqual({ summary: 'exit code 0', expected: true });
    expect(ledger.entries('eof')).toHaveLength(1);
    expect(ledger.entries('sigterm')).toHaveLength(0);
  });

  it('that ignores everything ends by SIGKILL, and its calls fail', async () => {
    using ledger = new Ledger();
    const env = { FAKE_LEDGER: ledger.path, FAKE_IGNORE_EOF: '1', FAKE_IGNORE_TERM: '1' };
    const { worker } = await startReady(env, { stop: SHORT_STOP });
    const call = begin(worker, 'hang');
    await until('the call arrived', () => ledger.executions() === 1);
    await Promise.all([worker.drain(), worker.drain()]);
    expect(await worker.ended).toEqual({ summary: 'signal SIGKILL', expected: true });
    expect(await call.error).toMatchObject({ code: 'child_crashed', executed: 'maybe' });
    expect(ledger.entries('eof')).toHaveLength(1);
    expect(ledger.entries('sigterm')).toHaveLength(1);
  });

  it('whose event loop is blocked ends all the same', async () => {
    const { worker } = await startReady({}, { stop: SHORT_STOP });
    const call = begin(worker, 'spin', { ms: 60_000 });
    await worker.drain();
    expect(await call.error).toMatchObject({ code: 'child_crashed' });
  });

  it('leaves nothing of its group', async () => {
    const { worker } = await startReady({}, { stop: SHORT_STOP });
    const pids: number[] = JSON.parse(await textFrom(worker, 'fork', { n: 3, ignoreTerm: true }));
    await worker.drain();
    await until('no grandchild runs', () => !pids.some(isRunning));
  });

  it('at once fails the calls in flight and ends it, while it drains, too', async () => {
    using ledger = new Ledger();
    const env = { FAKE_LEDGER: ledger.path, FAKE_IGNORE_EOF: '1' };
    const { worker } = await startReady(env, { stop: { ...STOP, eofMs: 60_000 } });
    const call = begin(worker, 'hang');
    await until('the call arrived', () => ledger.executions() === 1);
    const drained = worker.drain();
    await until('it was asked to finish', () => ledger.entries('eof').length === 1);
    await Promise.all([worker.destroy('shutdown'), worker.destroy('shutdown'), drained]);
    expect(await call.error).toMatchObject({ code: 'child_crashed', executed: 'maybe' });
    expect(call.freed).toEqual([undefined]);
    expect(await worker.ended).toEqual({ summary: 'signal SIGKILL', expected: true });
  });

  it.each(['drain', 'destroy'] as const)('by %s before it exists settles everything', async (how) => {
    const { worker } = start();
    const ended = how === 'drain' ? worker.drain() : worker.destroy('shutdown');
    expect(await failure(worker.ready)).toMatchObject({ code: 'no_worker_ready' });
    await ended;
    expect(await worker.ended).toMatchObject({ expected: true });
  });
});

describe('a worker that misbehaves', () => {
  it('by flooding stdout with noise is killed, its calls fail', async () => {
    const { worker } = await startReady();
    const waiting = begin(worker, 'sleep', { ms: 60_000 });
    const noisy = begin(worker, 'noise', { lines: 10_000, bytes: 100 });
    for (const { error } of [waiting, noisy]) {
      expect(await error).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
    }
    expect(worker.accepting).toBe(false);
    const end = await worker.ended;
    expect(end.expected).toBe(false);
    expect(end.summary).toContain('SIGKILL after:');
    expect(worker.stats.noiseLines).toBeGreaterThan(100);
  });

  it('by being silent after a cancel is to be retired', async () => {
    const { worker } = await startReady({ FAKE_NO_PING: '1' });
    const { call, error, freed } = begin(worker, 'hang');
    await textFrom(worker, 'echo', { text: 'it arrived' });
    call.abort.abort(new BridgeError('deadline_exceeded', 'too late', { executed: 'maybe' }));
    expect(await error).toMatchObject({ code: 'deadline_exceeded' });
    expect(freed).toEqual([]);
    await until('the grace is over', () => freed.length > 0);
    expect(freed).toEqual(['silent']);
  });

  it('by writing 100 MB to stderr costs neither the call nor a core', async () => {
    const { worker, lines } = await startReady();
    await textFrom(worker, 'stderr', { bytes: 10e6, ansi: true });
    const cpuBefore = process.cpuUsage();
    expect(await textFrom(worker, 'stderr', { bytes: 100e6, ansi: true })).toBe('after the flood');
    await until('all was read', () => worker.stats.stderrBytes >= 110e6);
    const { user, system } = process.cpuUsage(cpuBefore);
    expect(worker.stats.stderrDroppedLines).toBeGreaterThan(500_000);
    expect(lines.length).toBeLessThan(5_000);
    expect(Buffer.byteLength(worker.stderrTail())).toBeLessThanOrEqual(16 * 1024);
    // One core for seconds would be the cost of decoding it all.
    expect((user + system) / 1e6).toBeLessThan(5);
  });
});
