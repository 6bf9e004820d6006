/** Rows of acceptance tables B1 and B2 about waiting: who waits for whom, and for how long. */
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { FAKE_CHILD, Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

function open(fleet: Fleet): Socket {
  const { hostname, port } = new URL(fleet.url);
  return connect(Number(port), hostname).on('error', () => {});
}

it('C4 a bridge that starts slowly holds up no other bridge of its process', async () => {
  const fake = { command: process.execPath, args: [FAKE_CHILD] };
  await using fleet = await Fleet.start({
    config: { mcpServers: { fake: { ...fake, env: { FAKE_HANG_AT_START: '1' } }, other: { ...fake, env: {} } } },
    awaitReady: false,
  });
  const line = await until('the ports are open', () => fleet.log.find(({ msg }) => msg === 'listening'));
  fleet.url = String(line.url);
  fleet.opsUrl = String(line.opsUrl);
  const waiting = fleet.call('echo', { text: 'x' }, { headers: { 'x-request-timeout-ms': '6000' } });
  let answered = false;
  void waiting.then(() => {
    answered = true;
  });
  for (let i = 0; i < 20; i++) expect((await fleet.request('/other/mcp/tools/echo', { text: 'x' })).status).toBe(200);
  expect((await fleet.ops('/readyz')).status).toBe(200);
  expect(answered).toBe(false);
  expect((await waiting).json).toMatchObject({ status: 503, code: 'no_worker_ready', executed: 'no' });
});

it('Q6 a reader that takes nothing of 100 MB holds no slot and no place in the queue', async () => {
  await using fleet = await Fleet.fake(
    {},
    { pool: { min: 1, max: 1, concurrency: 1, queueMax: 0, maxShareOfTool: 1, maxLineBytes: 134_217_728 } },
  );
  const socket = open(fleet);
  socket.pause();
  const body = '{"bytes":100000000}';
  socket.write(
    `POST /fake/mcp/tools/blob HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until('the result is in', async () => (await fleet.status()).calls.ok === 1);
  for (let i = 0; i < 10; i++) expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  // More than any socket buffer holds: the answer is still waiting in the process.
  expect(socket.bytesRead).toBeLessThan(1_000_000);
  expect((await fleet.status()).pool.workers[0].inFlight).toBe(0);
  socket.destroy();
});

it('a body in chunks of one byte costs what it weighs, not a piece of memory for each chunk', async () => {
  await using fleet = await Fleet.fake();
  const residentMb = (): number =>
    Number(execFileSync('ps', ['-o', 'rss=', '-p', String(fleet.process.pid)], { encoding: 'utf8' })) / 1024;
  expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  const before = residentMb();
  const socket = open(fleet);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.write(
    'POST /fake/mcp/tools/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  socket.write(`b\r\n{"text":"aa\r\n${'1\r\na\r\n'.repeat(500_000)}2\r\n"}\r\n0\r\n\r\n`);
  await until('it is answered', () => text.endsWith('}]}'));
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  // As pieces of their own they weigh 250 MB, which a process does not give back soon.
  expect(residentMb() - before).toBeLessThan(120);
  socket.destroy();
}, 30_000);

it('Q7 a head that does not end is answered 408 after 10 s, and only then', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
  const socket = open(fleet);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  const startedAtMs = performance.now();
  socket.write('POST /fake/mcp/tools/echo HTTP/1.1\r\nHost: loc');
  await new Promise((resolve) => socket.once('close', resolve));
  const tookMs = performance.now() - startedAtMs;
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text).toContain('"code":"request_timeout"');
  expect(text).toContain('"executed":"no"');
  expect(tookMs).toBeGreaterThan(9_000);
  expect(tookMs).toBeLessThan(14_000);
  expect(ledger.executions()).toBe(0);
}, 30_000);

it('Q9 the deadline that a child is told is what queueing has left of it', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    { pool: { min: 1, max: 1, concurrency: 1, maxShareOfTool: 1 } },
  );
  const slow = fleet.call('sleep', { ms: 800, tag: 'first' });
  await until('the first runs', () => ledger.executions('first') === 1);
  const queued = fleet.call('meta', {}, { headers: { 'x-request-timeout-ms': '5000' } });
  await until('the second waits', async () => (await fleet.status()).pool.waiting === 1);
  const waitedFromMs = performance.now();
  await slow;
  const waitedMs = performance.now() - waitedFromMs;
  const leftMs = JSON.parse((await queued).json.content[0].text).meta['mcp-bridge-fleet/deadlineMs'];
  expect(leftMs).toBeLessThanOrEqual(5_000 - Math.floor(waitedMs) + 5);
  expect(waitedMs).toBeGreaterThan(100);
  expect(leftMs).toBeGreaterThan(0);
});
