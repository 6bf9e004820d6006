import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { CLIENT_GONE } from '#core/errors.ts';
import { headText } from '#core/http/head-text.ts';
import { until } from '../../support/until.ts';
import { answersIn, collect, fakeBridge, mapOf, type Running, rawCall, result, serve } from './support.ts';

const PATH = '/alpha/mcp/tools/echo';
const GET = 'GET /health HTTP/1.1\r\nHost: localhost\r\n';

/** What the socket has received so far. */
function received(socket: Socket): { readonly text: string } {
  const seen = { text: '' };
  // A character may come in two pieces.
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    seen.text += text;
  });
  onTestFinished(() => {
    socket.destroy();
  });
  return seen;
}

const answered = (seen: { readonly text: string }, count: number) =>
  until(`${count} answers`, () => answersIn(seen.text).length === count && !seen.text.endsWith('\r\n\r\n'));

/** A bridge whose calls wait until they are let go. */
function waiting() {
  const bridge = fakeBridge('alpha');
  const letGo: (() => void)[] = [];
  bridge.invoke = (call) => {
    bridge.calls.push(call);
    return new Promise((resolve, reject) => {
      call.abort.signal.addEventListener('abort', () => reject(call.abort.signal.reason));
      letGo.push(() => resolve(result(call.argumentsJson)));
    });
  };
  return { bridge, letGo };
}

function open(running: Running): { socket: Socket; seen: { readonly text: string } } {
  const socket = running.open();
  return { socket, seen: received(socket) };
}

test('calls come one after the other by one connection, which is kept', async () => {
  await using running = await serve();
  const { socket, seen } = open(running);
  for (let i = 1; i <= 5; i++) {
    socket.write(rawCall(PATH, `{"n":${i}}`));
    await answered(seen, i);
  }
  const answers = answersIn(seen.text);
  expect(answers.map(({ body }) => body)).toEqual([1, 2, 3, 4, 5].map((n) => `{"n":${n}}`));
  expect(Object.fromEntries(answers[0]?.headers ?? [])).toMatchObject({
    connection: 'keep-alive',
    'keep-alive': 'timeout=75',
    'content-length': '7',
  });
  expect(Date.parse(answers[0]?.headers.get('date') ?? '')).toBeGreaterThan(Date.now() - 60_000);
});

test('a body may come behind its head, in pieces', async () => {
  await using running = await serve();
  const { socket, seen } = open(running);
  const text = rawCall(PATH, '{"text":"in three pieces"}');
  for (const [from, to] of [
    [0, -24],
    [-24, -10],
    [-10, undefined],
  ]) {
    socket.write(text.slice(from, to));
    await new Promise(setImmediate);
  }
  await answered(seen, 1);
  socket.write(rawCall(PATH, '{"next":1}'));
  await answered(seen, 2);
  expect(answersIn(seen.text).map(({ body }) => body)).toEqual(['{"text":"in three pieces"}', '{"next":1}']);
});

test('a call that comes in single bytes is answered too', async () => {
  await using running = await serve();
  const { socket, seen } = open(running);
  socket.setNoDelay(true);
  for (const byte of rawCall(PATH, '{"slow":true}')) {
    socket.write(byte);
    await new Promise(setImmediate);
  }
  await answered(seen, 1);
  expect(answersIn(seen.text)).toMatchObject([{ status: 200, body: '{"slow":true}' }]);
});

test('whatever is not plain goes on as it was begun, also behind calls that were', async () => {
  await using running = await serve();
  const { socket, seen } = open(running);
  socket.write(rawCall(PATH, '{"first":1}'));
  await answered(seen, 1);
  socket.write(`${GET}\r\n`);
  await answered(seen, 2);
  socket.write(rawCall(PATH, '{"third":1}'));
  await answered(seen, 3);
  socket.write(rawCall(PATH, '{"last":1}', ['Connection: close']));
  await once(socket, 'end');
  expect(answersIn(seen.text)).toMatchObject([
    { status: 200, body: '{"first":1}' },
    { status: 200, body: '{"status":"ok"}' },
    { status: 200, body: '{"third":1}' },
    { status: 200, body: '{"last":1}' },
  ]);
});

test('what comes while a call runs is read behind its answer', async () => {
  const { bridge, letGo } = waiting();
  await using running = await serve({ bridges: mapOf(bridge) });
  const { socket, seen } = open(running);
  socket.write(rawCall(PATH, '{"n":1}'));
  await until('the first runs', () => bridge.calls.length === 1);
  const second = rawCall(PATH, '{"n":2}');
  socket.write(second.slice(0, 30));
  await new Promise(setImmediate);
  socket.write(second.slice(30));
  letGo[0]?.();
  await until('the second runs', () => bridge.calls.length === 2);
  letGo[1]?.();
  await answered(seen, 2);
  expect(answersIn(seen.text).map(({ body }) => body)).toEqual(['{"n":1}', '{"n":2}']);
});

test('a body over the limit is refused, however plain its head is', async () => {
  const bridge = fakeBridge('alpha');
  await using running = await serve({ maxBodyBytes: 100, bridges: mapOf(bridge) });
  const { socket, seen } = open(running);
  // Each by itself: two at once would be node:http's.
  socket.write(rawCall(PATH, `{"text":"${'x'.repeat(100)}"}`));
  await answered(seen, 1);
  socket.write(rawCall(PATH, '{"n":1}'));
  await answered(seen, 2);
  expect(answersIn(seen.text)).toMatchObject([{ status: 413 }, { status: 200, body: '{"n":1}' }]);
  expect(bridge.calls).toMatchObject([{ argumentsJson: '{"n":1}' }]);
});

test('a large body and a large result pass', async () => {
  await using running = await serve();
  const { socket, seen } = open(running);
  const body = JSON.stringify({ text: 'é'.repeat(400_000) });
  for (let i = 1; i <= 3; i++) {
    socket.write(rawCall(PATH, body));
    await until('the answer is in', () => seen.text.split(body).length === i + 1);
  }
});

test('a client that says nothing has its head awaited by node:http, and is told', async () => {
  await using running = await serve({ limits: { headersTimeoutMs: 300 } });
  expect(answersIn(await collect(running.open()))).toMatchObject([{ status: 408 }]);
});

test('a client that stops in its body is told so', async () => {
  await using running = await serve({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 300 } });
  expect(answersIn(await running.raw(rawCall(PATH, '{"text":1}').slice(0, -4)))).toMatchObject([{ status: 408 }]);
  await until('nothing is in flight', () => running.edge.callsInFlight === 0);
});

test('an idle connection is ended in its time', async () => {
  await using running = await serve({ limits: { keepAliveTimeoutMs: 50 } });
  expect(answersIn(await running.raw(rawCall(PATH)))).toMatchObject([{ status: 200 }]);
});

test('a client that leaves, or sends its end, while its call runs is gone', async () => {
  const { bridge } = waiting();
  await using running = await serve({ bridges: mapOf(bridge) });
  const { socket } = open(running);
  socket.write(rawCall(PATH));
  await until('the call arrives', () => bridge.calls.length === 1);
  expect(running.server.inFlight).toBe(1);
  socket.end();
  await until('its call is aborted', () => bridge.calls[0]?.abort.signal.reason === CLIENT_GONE);
  await until('nothing is in flight', () => running.server.inFlight === 0);
  expect(running.edge.answers.gone).toBe(1);
});

test('close ends idle connections at once, and the others with their answers', async () => {
  const { bridge, letGo } = waiting();
  await using running = await serve({ bridges: mapOf(bridge) });
  const idle = open(running);
  idle.socket.write(rawCall(PATH));
  await until('a call arrives', () => bridge.calls.length === 1);
  letGo[0]?.();
  await answered(idle.seen, 1);
  const busy = open(running);
  busy.socket.write(rawCall(PATH));
  await until('a call arrives', () => bridge.calls.length === 2);
  const closed = running.server.close(5_000);
  await once(idle.socket, 'end');
  expect(running.server.inFlight).toBe(1);
  letGo[1]?.();
  await closed;
  await until('it has its answer', () => answersIn(busy.seen.text).length === 1);
  expect(answersIn(busy.seen.text)[0]?.headers.get('connection')).toBe('close');
});

test('a new connection whose request never comes does not hold up the end', async () => {
  await using running = await serve();
  const { socket } = open(running);
  await once(socket, 'connect');
  await until('it is accepted', async () => (await fetch(`http://127.0.0.1:${running.port}/health`)).ok);
  const closed = running.server.close(60_000);
  await once(socket, 'end');
  await closed;
});

test('no header value can start another header (I17)', () => {
  expect(() => headText(200, ['X-Request-Id', 'a\r\nSet-Cookie: b'], 75)).toThrow(TypeError);
  expect(headText(200, ['X-A', 'b'], 0)).toMatch(
    /^HTTP\/1\.1 200 OK\r\nX-A: b\r\nDate: [^\r]+\r\nConnection: close\r\n\r\n$/,
  );
});
