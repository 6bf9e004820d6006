/** Acceptance table B2: what a caller sees when there is more to do than room, or somebody is slow or gone. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Answer, Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const codes = (answers: readonly Answer[]): string[] =>
  answers.map(({ status, json }) => (status === 200 ? '200' : `${status} ${json.code} ${json.executed}`));
const count = (list: readonly string[], entry: string): number => list.filter((each) => each === entry).length;
const rssMb = (pid: number | undefined): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

describe('Q1 a full queue', () => {
  it('refuses at once with 503 queue_full and Retry-After, and never grows over its bound', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      { pool: { min: 1, max: 1, concurrency: 2, queueMax: 3, maxShareOfTool: 1 } },
    );
    const answers = await Promise.all(
      Array.from({ length: 25 }, (_, i) => fleet.call('sleep', { ms: 300, tag: `call-${i}` })),
    );
    const seen = codes(answers);
    expect(count(seen, '200')).toBe(5);
    expect(count(seen, '503 queue_full no')).toBe(20);
    const refused = answers.find(({ status }) => status === 503);
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(refused?.json.detail).toMatch(/2.*3/);
    expect(ledger.executions()).toBe(5);
  });
});

it('Q2 a call queued past its deadline is answered 503 queue_timeout and never runs', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    { pool: { min: 1, max: 1, concurrency: 1, maxShareOfTool: 1 } },
  );
  const slow = fleet.call('sleep', { ms: 600, tag: 'first' });
  await until('the first runs', () => ledger.executions('first') === 1);
  const late = await fleet.call('echo', { text: 'x', tag: 'late' }, { headers: { 'x-request-timeout-ms': '100' } });
  expect(codes([late])).toEqual(['503 queue_timeout no']);
  expect((await slow).status).toBe(200);
  expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  expect(ledger.executions('late')).toBe(0);
});

it('Q3 five times too many callers get 200 or 503 and nothing else, and all is normal afterwards', async () => {
  using ledger = new Ledger();
  const queueMax = 8;
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    {
      pool: { min: 2, max: 2, concurrency: 4, queueMax, maxShareOfTool: 1 },
      tools: { sleep: { deadlineMs: 10_000 } },
    },
  );
  await fleet.call('sleep', { ms: 1 });
  const before = rssMb(fleet.process.pid);
  const seen = new Map<string, string>();
  let longestQueue = 0;
  const callers = Array.from({ length: 80 }, async (_, caller) => {
    for (let n = 0; n < 25; n++) {
      const tag = `${caller}-${n}`;
      const [code = ''] = codes([await fleet.call('sleep', { ms: 20, tag })]);
      seen.set(tag, code);
      if (code !== '200') await delay(20);
    }
  });
  let over = false;
  const watcher = (async () => {
    while (!over) longestQueue = Math.max(longestQueue, (await fleet.status()).pool.waiting);
  })();
  await Promise.all(callers);
  over = true;
  await watcher;
  const all = [...seen.values()];
  expect([...new Set(all)].filter((code) => !/^(200|503 queue_(full|timeout) no)$/.test(code))).toEqual([]);
  expect(count(all, '503 queue_full no')).toBeGreaterThan(0);
  expect(longestQueue).toBeGreaterThan(0);
  expect(longestQueue).toBeLessThanOrEqual(queueMax);
  // What ran is what was answered with 200, once each.
  const ran = ledger.entries('executed').flatMap(({ tag }) => tag ?? []);
  expect(ran.sort()).toEqual([...seen].flatMap(([tag, code]) => (code === '200' ? tag : [])).sort());
  expect(rssMb(fleet.process.pid) - before).toBeLessThan(64);
  const after = await Promise.all(Array.from({ length: 8 }, () => fleet.call('sleep', { ms: 1 })));
  expect(codes(after)).toEqual(Array(8).fill('200'));
  expect((await fleet.status()).pool.waiting).toBe(0);
});

describe('Q4 the client leaves during a call', () => {
  it('cancels an un-keyed call in the child and frees the slot', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path },
      { pool: { min: 1, max: 1, concurrency: 1, maxShareOfTool: 1 } },
    );
    const gone = new AbortController();
    const call = fleet.call('sleep', { ms: 20_000, honourCancel: true, tag: 'left' }, { signal: gone.signal });
    await until('it runs', () => ledger.executions('left') === 1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await until('the child was told', () => ledger.cancels('left') === 1);
    expect((await fleet.call('echo', { text: 'the slot is free' })).status).toBe(200);
    expect((await fleet.status()).calls.client_gone).toBe(1);
  });

  it('lets a keyed call run on', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path, FAKE_LEDGER_ANSWERS: '1' },
      { tools: { sleep: { effect: 'write', idempotencyKey: 'optional' } } },
    );
    const gone = new AbortController();
    const headers = { 'idempotency-key': 'k-1' };
    const call = fleet.call('sleep', { ms: 500, honourCancel: true, tag: 'keyed' }, { signal: gone.signal, headers });
    await until('it runs', () => ledger.executions('keyed') === 1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await until('it was answered', () => ledger.entries('answered').some(({ tag }) => tag === 'keyed'));
    expect(ledger.cancels()).toBe(0);
  });
});

it('Q5 a client that leaves while queued is never dispatched', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    { pool: { min: 1, max: 1, concurrency: 1, maxShareOfTool: 1 } },
  );
  const slow = fleet.call('sleep', { ms: 700, tag: 'first' });
  await until('the first runs', () => ledger.executions('first') === 1);
  const gone = new AbortController();
  const queued = fleet.call('echo', { text: 'x', tag: 'queued' }, { signal: gone.signal });
  await until('the second waits', async () => (await fleet.status()).pool.waiting === 1);
  gone.abort();
  await expect(queued).rejects.toThrow();
  await until('it left the queue', async () => (await fleet.status()).pool.waiting === 0);
  expect((await slow).status).toBe(200);
  expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  expect(ledger.executions('queued')).toBe(0);
});

/** A raw connection to the main port. */
async function rawSocket(fleet: Fleet): Promise<Socket> {
  const { hostname, port } = new URL(fleet.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

it('Q6 a slow reader of a large result does not hold the worker', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 1, concurrency: 1, maxShareOfTool: 1 } });
  const { host } = new URL(fleet.url);
  const socket = await rawSocket(fleet);
  socket.pause();
  const body = JSON.stringify({ bytes: 5_000_000 });
  socket.write(
    `POST /fake/mcp/tools/blob HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until('the slow reader has its result on the way', async () => (await fleet.status()).calls.ok === 1);
  expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  socket.destroy();
});

it('Q7 500 half-sent requests hold no worker and do not stop the others', async () => {
  await using fleet = await Fleet.fake();
  const { host } = new URL(fleet.url);
  const sockets = await Promise.all(Array.from({ length: 500 }, () => rawSocket(fleet)));
  for (const [i, socket] of sockets.entries()) {
    socket.write(
      i % 2 === 0
        ? 'POST /fake/mcp/tools/echo HTTP/1.1\r\nHos'
        : `POST /fake/mcp/tools/echo HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    );
  }
  for (let i = 0; i < 20; i++) expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  expect((await fleet.status()).pool.workers.every((each: { inFlight: number }) => each.inFlight === 0)).toBe(true);
  for (const socket of sockets) socket.destroy();
});

it('Q8 one hanging tool at full load leaves room for the others', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 2, max: 2, concurrency: 4, queueMax: 16 } });
  const gone = new AbortController();
  const hanging = Array.from({ length: 40 }, () =>
    fleet.call('sleep', { ms: 30_000, honourCancel: true }, { signal: gone.signal }).catch(() => undefined),
  );
  await until('the hanging tool holds its share', async () => {
    const { pool } = await fleet.status();
    return pool.workers.reduce((sum: number, each: { inFlight: number }) => sum + each.inFlight, 0) === 6;
  });
  // Two slots and four places in the queue are what the hanging tool cannot have.
  const others = await Promise.all(Array.from({ length: 6 }, () => fleet.call('echo', { text: 'x' })));
  expect(codes(others)).toEqual(Array(6).fill('200'));
  gone.abort();
  await Promise.all(hanging);
});

describe('Q9 the caller says how long it waits', () => {
  it('is clamped to what the tool allows, and handed down less the time already gone', async () => {
    await using fleet = await Fleet.fake({}, { tools: { meta: { deadlineMs: 5_000 }, hang: { deadlineMs: 200 } } });
    const deadlineOf = async (ms: string) => {
      const { json } = await fleet.call('meta', {}, { headers: { 'x-request-timeout-ms': ms } });
      return JSON.parse(json.content[0].text).meta['mcp-bridge-fleet/deadlineMs'] as number;
    };
    expect(await deadlineOf('2000')).toBeLessThanOrEqual(2_000);
    expect(await deadlineOf('999999')).toBeLessThanOrEqual(5_000);
    expect(await deadlineOf('999999')).toBeGreaterThan(2_000);
    const answer = await fleet.call('hang', {}, { headers: { 'x-request-timeout-ms': '60000' } });
    expect(codes([answer])).toEqual(['504 deadline_exceeded maybe']);
    expect(answer.json.detail).toContain('200 ms');
  });

  it.each(['0', '-5', 'soon', '1.5', ''])('refuses %j', async (value) => {
    await using fleet = await Fleet.fake();
    const answer = await fleet.call('echo', { text: 'x' }, { headers: { 'x-request-timeout-ms': value } });
    expect(codes([answer])).toEqual(['400 invalid_header no']);
  });
});
