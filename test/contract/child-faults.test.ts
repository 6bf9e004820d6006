/** Acceptance table B1: what a caller sees when a child misbehaves. The ledger says what really ran. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FAKE_CHILD, Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const READ = { effect: 'read' };
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A zombie still answers signal 0; nothing of it is left but its entry.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const rssMb = (pid: number | undefined): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

describe('C1 a child dies during a call', () => {
  it('fails that call with 502 maybe, tells the exit in the log, and the next call finds a new worker', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
    const answer = await fleet.call('crash', { signal: 'SIGKILL', tag: 'victim' });
    expect(answer.status).toBe(502);
    expect(answer.json).toMatchObject({ code: 'child_crashed', executed: 'maybe' });
    expect(ledger.executions('victim')).toBe(1);
    expect((await fleet.call('echo', { text: 'again' })).status).toBe(200);
    const status = await fleet.status();
    expect(status.pool.spawned).toBe(2);
    expect(status.pool.ended).toMatchObject({ crashed: 1 });
    expect(fleet.log.some((line) => line.msg.includes('worker') && JSON.stringify(line).includes('SIGKILL'))).toBe(
      true,
    );
  });

  it('fails only the calls on that worker', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      { pool: { min: 2, max: 2, concurrency: 1 }, tools: { '*': { effect: 'write' } } },
    );
    const slow = fleet.call('sleep', { ms: 500, tag: 'bystander' });
    await until('the bystander runs', () => ledger.executions('bystander') === 1);
    expect((await fleet.call('crash', { code: 3 })).status).toBe(502);
    expect((await slow).status).toBe(200);
  });

  it('repeats a read once on another worker, and a write never', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      { pool: { min: 2, max: 2 }, tools: { flaky: READ, crash: { effect: 'write' } } },
    );
    expect((await fleet.call('flaky', { times: 1, tag: 'r1' })).status).toBe(200);
    expect(ledger.executions('r1')).toBe(2);
    const twice = await fleet.call('flaky', { times: 9, tag: 'r1-twice' });
    expect(twice.json).toMatchObject({ code: 'child_crashed', executed: 'maybe' });
    expect(ledger.executions('r1-twice')).toBe(2);
    expect((await fleet.call('crash', { tag: 'r2' })).status).toBe(502);
    expect(ledger.executions('r2')).toBe(1);
    expect((await fleet.status()).retries).toMatchObject({ r1: 2 });
  });

  it('keeps an answer that was written before the exit', async () => {
    await using fleet = await Fleet.fake();
    for (let i = 1; i <= 3; i++) {
      expect((await fleet.call('crash-after-answer', { code: 0 })).json).toMatchObject({
        content: [{ text: 'last words' }],
      });
      // A call that is handed to it before its exit is noticed would rightly be `maybe`.
      await until('the exit is noticed', async () => (await fleet.status()).pool.ended.crashed === i);
    }
  });
});

it('C2 a worker that can no longer be written to: the call moves, whatever its effect', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { pool: { min: 2, max: 2 } });
  expect((await fleet.call('close-stdin')).status).toBe(200);
  for (let i = 0; i < 4; i++) {
    const { status } = await fleet.call('echo', { text: 'x', tag: `moved-${i}` });
    expect(status).toBe(200);
    expect(ledger.executions(`moved-${i}`)).toBe(1);
  }
  expect((await fleet.status()).retries.r0).toBeGreaterThanOrEqual(1);
});

describe('C3 a child hangs', () => {
  it('answers 504 at the deadline, cancels in the child, and no slot leaks over ten times the pool', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      { pool: { min: 1, max: 1, concurrency: 4, maxShareOfTool: 1 }, tools: { hang: { deadlineMs: 100 } } },
    );
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, i) => fleet.call('hang', { hold: true, tag: `hang-${i}` })),
    );
    for (const { status, json } of answers) {
      expect(status).toBe(504);
      expect(json).toMatchObject({ code: 'deadline_exceeded', executed: 'maybe' });
    }
    await until('all four are cancelled', () => ledger.cancels() === 4);
    for (let i = 0; i < 40; i++) {
      const { status } = await fleet.call('hang', { tag: `again-${i}` }, { headers: { 'x-request-timeout-ms': '30' } });
      expect([503, 504]).toContain(status);
    }
    const after = await fleet.call('echo', { text: 'still serving' });
    expect(after.status).toBe(200);
    expect(ledger.repeatedTags()).toEqual([]);
  });

  it('retires a worker that is silent since the cancel, by drain', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      { pool: { min: 1, max: 2 }, tools: { spin: { deadlineMs: 100 } } },
    );
    expect((await fleet.call('spin', { ms: 4_000 })).status).toBe(504);
    await until('it is retired as silent', async () => {
      const { pool } = await fleet.status();
      return (
        pool.ended.silent === 1 ||
        pool.workers.some((each: { retireReason?: string }) => each.retireReason === 'silent')
      );
    });
    expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  });
});

it('C4 a slow start: calls wait until their deadline, /readyz says 503 and /livez 200 meanwhile', async () => {
  await using fleet = await Fleet.fake({ FAKE_START_MS: '2500' }, {}, { awaitReady: false });
  await until('the ports are open', () => {
    const open = fleet.log.find(({ msg }) => msg === 'listening' || msg === 'ready');
    if (open === undefined) return false;
    fleet.url = String(open.url);
    fleet.opsUrl = String(open.opsUrl);
    return true;
  });
  expect((await fleet.ops('/readyz')).status).toBe(503);
  expect((await fleet.ops('/livez')).status).toBe(200);
  const early = await fleet.call('echo', { text: 'x' }, { headers: { 'x-request-timeout-ms': '200' } });
  expect(early.status).toBe(503);
  expect(early.json).toMatchObject({ code: 'no_worker_ready', executed: 'no' });
  expect((await fleet.call('echo', { text: 'waited' })).status).toBe(200);
  expect((await fleet.ops('/readyz')).status).toBe(200);
});

it('C5 a child that exits at once: 503 with the next try, bounded spawns, and it recovers by itself', async () => {
  using ledger = new Ledger();
  const broken = `${ledger.path}.broken`;
  writeFileSync(broken, '');
  const fake = { command: process.execPath, args: [FAKE_CHILD] };
  await using fleet = await Fleet.start({
    config: {
      mcpServers: {
        fake: { ...fake, env: { FAKE_LEDGER: ledger.path, FAKE_EXIT_WHILE_FILE: broken } },
        other: { ...fake, env: {} },
      },
    },
  });
  await until('the verdict is given', async () => (await fleet.status()).pool.state === 'failed');
  const refused = await fleet.call('echo', { text: 'x' });
  expect(refused.status).toBe(503);
  expect(refused.json).toMatchObject({ code: 'bridge_unavailable', executed: 'no', retryable: true });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  expect((await fleet.request('/other/mcp/tools/echo', { text: 'x' })).status).toBe(200);
  expect(ledger.starts().length).toBeLessThanOrEqual(10);
  rmSync(broken);
  await until('the bridge has recovered', async () => (await fleet.call('echo', { text: 'x' })).status === 200);
});

it('C6 a flood on stderr blocks nothing and is not kept', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 1 } });
  await fleet.call('echo', { text: 'warm' });
  const before = rssMb(fleet.process.pid);
  expect((await fleet.call('stderr', { bytes: 100_000_000, ansi: true })).status).toBe(200);
  expect(rssMb(fleet.process.pid) - before).toBeLessThan(32);
  const { child } = await fleet.status();
  expect(child.stderrBytes).toBeGreaterThanOrEqual(100_000_000);
  expect(child.stderrDroppedLines).toBeGreaterThan(0);
  for (const line of fleet.log) expect(JSON.stringify(line).length).toBeLessThan(20_000);
  expect(fleet.output).toEqual([]);
});

describe('C7 lines on stdout that are no JSON', () => {
  it('are skipped and counted', async () => {
    await using fleet = await Fleet.fake();
    expect((await fleet.call('noise', { lines: 50 })).json).toMatchObject({ content: [{ text: 'after the noise' }] });
    expect((await fleet.status()).child.noiseLines).toBe(50);
  });

  it('cost the worker when there are too many', async () => {
    await using fleet = await Fleet.fake();
    const answer = await fleet.call('noise', { lines: 150 });
    expect(answer.status).toBe(502);
    expect(answer.json).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
    expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  });
});

it('C8 answers twice, answers to nobody and answers too late reach nobody else', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 1 }, tools: { late: { deadlineMs: 50 } } });
  expect((await fleet.call('double')).json).toMatchObject({ content: [{ text: 'first' }] });
  expect((await fleet.call('unknown-id')).json).toMatchObject({ content: [{ text: 'mine' }] });
  // On a busy machine its short deadline may be over before it is sent.
  await until('one was sent and given up', async () => {
    const { json } = await fleet.call('late', { ms: 200 });
    return json.code === 'deadline_exceeded' && json.executed === 'maybe';
  });
  for (let i = 0; i < 50; i++) {
    expect((await fleet.call('echo', { text: `own ${i}` })).json).toMatchObject({ content: [{ text: `own ${i}` }] });
  }
  // The second of two answers counts as late too: its id was ours.
  await until('the late answers are counted', async () => (await fleet.status()).child.lateAnswers === 2);
  expect((await fleet.status()).child.unknownAnswers).toBe(1);
});

it('C9 an answer in a bad shape fails that call alone', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { pool: { min: 1, max: 1 } });
  const slow = fleet.call('sleep', { ms: 800, tag: 'beside' });
  await until('the other call runs', () => ledger.executions('beside') === 1);
  for (const shape of ['both', 'neither', 'nojsonrpc', 'wrongresult']) {
    const answer = await fleet.call('bad', { shape }, { headers: { 'x-request-timeout-ms': '5000' } });
    expect(answer.status, shape).toBe(502);
    expect(answer.json).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
  }
  expect((await slow).status).toBe(200);
  expect((await fleet.status()).pool.spawned).toBe(1);
});

it('C9 with validateOutput a result against its outputSchema is a protocol error', async () => {
  await using fleet = await Fleet.fake({}, { validateOutput: true });
  expect((await fleet.call('structured', { value: { count: 1 } })).status).toBe(200);
  const answer = await fleet.call('structured', { value: { count: 'many' } });
  expect(answer.json).toMatchObject({ code: 'child_protocol_error', executed: 'maybe' });
});

describe('C10 an answer over the line cap', () => {
  it.each(['usual', 'reversed'])('costs its own call and not the worker (%s key order)', async (keyOrder) => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { pool: { min: 1, max: 1 } });
    const slow = fleet.call('sleep', { ms: 1_500, tag: 'beside' });
    await until('the other call runs', () => ledger.executions('beside') === 1);
    const before = rssMb(fleet.process.pid);
    const answer = await fleet.call('blob', { bytes: 50_000_000, keyOrder });
    expect(answer.status).toBe(502);
    expect(answer.json).toMatchObject({ code: 'child_response_too_large', executed: 'maybe' });
    expect(rssMb(fleet.process.pid) - before).toBeLessThan(3 * 8 + 16);
    expect((await slow).status).toBe(200);
    expect((await fleet.status()).pool.spawned).toBe(1);
  });

  it('costs the worker when its id cannot be read', async () => {
    await using fleet = await Fleet.fake();
    const answer = await fleet.call('blob', { bytes: 10_000_000, idless: true });
    expect(answer.status).toBe(502);
    expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
    expect((await fleet.status()).pool.spawned).toBe(2);
  });
});

it.each([
  ['1-byte writes', { size: 1 }],
  ['CRLF', { size: 1, crlf: true }],
  ['a BOM', { size: 3, bom: true }],
])('C11 text survives %s', async (_, how) => {
  await using fleet = await Fleet.fake();
  expect((await fleet.call('chunks', { text: 'a€😀é"\\\n', ...how })).json.content[0].text).toBe('a€😀é"\\\n');
});

it('C11 two messages in one write answer two calls', async () => {
  await using fleet = await Fleet.fake();
  const both = await Promise.all([
    fleet.call('chunks', { text: 'one', hold: 2 }),
    fleet.call('chunks', { text: 'two', hold: 2 }),
  ]);
  expect(both.map(({ json }) => json.content[0].text)).toEqual(['one', 'two']);
});

it('C12 a child that ignores EOF and SIGTERM is gone after the ladder', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path, FAKE_IGNORE_EOF: '1', FAKE_IGNORE_TERM: '1' });
  const [pid = 0] = ledger.starts();
  expect(await fleet.stop()).toEqual({ code: 0, signal: null });
  expect(ledger.entries().map(({ event }) => event)).toEqual(['start', 'eof', 'sigterm']);
  expect(alive(pid)).toBe(false);
});

it('C13 a child that grows over its limit is replaced without a failed call', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 2, maxRssMb: 120 } });
  expect((await fleet.call('leak', { mb: 150 })).status).toBe(200);
  await until(
    'the heavy worker is replaced',
    async () => {
      expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
      return (await fleet.status()).pool.ended.rss === 1;
    },
    { timeoutMs: 15_000, everyMs: 50 },
  );
});

it('C14 grandchildren end with their worker, at recycling and at the end', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { pool: { min: 1, max: 1 } });
  const first = JSON.parse((await fleet.call('fork', { n: 3 })).json.content[0].text) as number[];
  await fleet.call('crash', { code: 1 });
  await until('the first group is gone', () => first.every((pid) => !alive(pid)));
  const second = JSON.parse((await fleet.call('fork', { n: 3, ignoreTerm: true })).json.content[0].text) as number[];
  await fleet.stop();
  for (const pid of [...second, ...ledger.starts()]) expect(alive(pid)).toBe(false);
});

describe('C15 a child that asks us something', () => {
  it('gets {} for ping, -32601 for the rest, and the call goes on', async () => {
    await using fleet = await Fleet.fake();
    expect((await fleet.call('ask', { method: 'ping' })).json.content[0].text).toContain('"result":{}');
    for (const method of ['sampling/createMessage', 'roots/list', 'elicitation/create']) {
      expect((await fleet.call('ask', { method })).json.content[0].text).toContain('-32601');
    }
    expect((await fleet.status()).child.refusedRequests).toBe(3);
  });

  it('answers 501 to a result that wants more input', async () => {
    await using fleet = await Fleet.fake();
    const answer = await fleet.call('input-required');
    expect(answer.status).toBe(501);
    expect(answer.json).toMatchObject({ code: 'input_required_unsupported', executed: 'maybe' });
  });
});

it('C17 a child that stops reading: refused once its buffer is full, 504 for what was written', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    { pool: { min: 1, max: 1, concurrency: 64, maxShareOfTool: 1 }, tools: { echo: { deadlineMs: 4_000 } } },
  );
  expect((await fleet.call('stop-reading')).status).toBe(200);
  const text = 'x'.repeat(200_000);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => fleet.call('echo', { text, tag: `deaf-${i}` })),
  );
  const codes = answers.map(({ json }) => `${json.status} ${json.code} ${json.executed}`);
  expect(
    codes.every((code) => /^(503 (worker_backpressure|queue_timeout) no|504 deadline_exceeded (maybe|no))$/.test(code)),
  ).toBe(true);
  expect(codes).toContain('504 deadline_exceeded maybe');
  expect(codes).toContain('503 worker_backpressure no');
  expect(ledger.entries('executed').filter(({ tool }) => tool === 'echo')).toEqual([]);
});

it('C19 recycling by number of calls under load fails no call', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 3, maxUses: 100, minLifeMs: 0 } });
  let failed = 0;
  let recycled = 0;
  for (let round = 0; round < 100 && recycled < 20; round++) {
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let i = 0; i < 50; i++) if ((await fleet.call('echo', { text: 'x' })).status !== 200) failed++;
      }),
    );
    recycled = (await fleet.status()).pool.ended.uses ?? 0;
  }
  expect(failed).toBe(0);
  expect(recycled).toBeGreaterThanOrEqual(20);
});
