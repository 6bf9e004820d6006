import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { until } from '../../support/until.ts';
import { answersIn, collect, fakeBridge, mapOf, rawCall, result, serve } from './support.ts';

const PATH = '/alpha/mcp/tools/echo';

/** The one problem in a raw conversation. */
function onlyProblem(text: string): { status: number; code: string; executed: string } {
  const answers = answersIn(text);
  expect(answers).toHaveLength(1);
  const [answer] = answers;
  expect(answer?.headers.get('content-type')).toBe('application/problem+json');
  expect(answer?.headers.get('connection')).toBe('close');
  const body = JSON.parse(answer?.body ?? '');
  expect(body.status).toBe(answer?.status);
  expect(answer?.headers.get('x-request-id')).toBe(body.instance);
  return body;
}

/** A bridge whose calls wait until they are let go, or aborted. */
function waitingBridge() {
  const bridge = fakeBridge('alpha');
  let letGo: () => void = () => undefined;
  bridge.invoke = (call) => {
    bridge.calls.push(call);
    return new Promise((resolve, reject) => {
      const { signal } = call.abort;
      signal.addEventListener('abort', () => reject(signal.reason));
      letGo = () => resolve(result(call.argumentsJson));
    });
  };
  return { bridge, letGo: () => letGo() };
}

describe('what the parser refuses', () => {
  const hidden = rawCall(PATH, '{"hidden":1}');
  const smuggled: [string, string][] = [
    ['Transfer-Encoding with Content-Length', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n'],
    ['two equal lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n'],
    ['a signed length', 'Content-Length: +2\r\n'],
    ['a space before the colon', 'Content-Length : 2\r\n'],
    ['a folded header', 'X-A: b\r\n c\r\nContent-Length: 2\r\n'],
    ['an unknown transfer coding', 'Transfer-Encoding: xchunked\r\n'],
    ['a NUL in a header', 'X-Request-Id: a\0b\r\nContent-Length: 2\r\n'],
  ];
  test.each(smuggled)('%s is one bad_request, and nothing behind it runs', async (_, headers) => {
    const bridge = fakeBridge('alpha');
    await using running = await serve({ bridges: mapOf(bridge) });
    const head = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}\r\n{}`;
    expect(onlyProblem(await running.raw(head, hidden))).toMatchObject({ status: 400, code: 'bad_request' });
    expect(bridge.calls.filter((call) => call.argumentsJson.includes('hidden'))).toEqual([]);
    expect(running.events).toMatchObject([{ type: 'parser_error', status: 400 }]);
    expect(running.edge.answers['4xx']).toBe(1);
  });

  test.each([
    ['a bare LF head', `POST ${PATH} HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}`],
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00'],
  ])('%s is bad_request', async (_, text) => {
    await using running = await serve();
    expect(onlyProblem(await running.raw(text))).toMatchObject({ status: 400, code: 'bad_request' });
  });

  test('a head over 16 KB is headers_too_large, whatever made it so', async () => {
    await using running = await serve();
    const big = onlyProblem(await running.raw(rawCall(PATH, '{}', [`X-Big: ${'x'.repeat(20_000)}`])));
    expect(big).toMatchObject({ status: 431, code: 'headers_too_large' });
    const many = Array.from({ length: 101 }, (_, i) => `X-${i}: 1`);
    const counted = answersIn(await running.raw(rawCall(PATH, '{}', [...many, 'Connection: close'])));
    expect(JSON.parse(counted[0]?.body ?? '')).toMatchObject({ status: 431, code: 'headers_too_large' });
  });

  test('a path over 8 KB is uri_too_long, also where it alone fills the head', async () => {
    await using running = await serve();
    for (const length of [8_200, 20_000, 60_000]) {
      const text = await running.raw(rawCall(`/${'x'.repeat(length)}`, '{}', ['Connection: close']));
      expect(onlyProblem(text)).toMatchObject({ status: 414, code: 'uri_too_long' });
    }
  });

  test('an expectation that cannot be met is 417, CONNECT is 405', async () => {
    await using running = await serve();
    const expecting = rawCall(PATH, '{}', ['Expect: zzz', 'Connection: close']);
    expect(onlyProblem(await running.raw(expecting))).toMatchObject({ status: 417, code: 'expectation_failed' });
    const connecting = 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n';
    expect(onlyProblem(await running.raw(connecting))).toMatchObject({ status: 405, code: 'method_not_allowed' });
  });

  test('an offered upgrade is ignored', async () => {
    await using running = await serve();
    const offer = rawCall(PATH, '{}', ['Connection: Upgrade, close', 'Upgrade: h2c']);
    expect(answersIn(await running.raw(offer))).toMatchObject([{ status: 200, body: '{}' }]);
  });

  test('a body that is compressed below its chunks is unsupported_media_type, and runs nothing', async () => {
    const bridge = fakeBridge('alpha');
    await using running = await serve({ bridges: mapOf(bridge) });
    const head = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n`;
    const text = await running.raw(`${head}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`);
    expect(onlyProblem(text)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
    expect(bridge.calls).toEqual([]);
  });
});

describe('Host', () => {
  const allowed = { allowedHosts: new Set(['localhost', '127.0.0.1', '::1']) };
  test.each([
    ['none', '', 400, 'bad_host'],
    ['two', 'Host: localhost\r\nhost: localhost\r\n', 400, 'bad_host'],
    ['an empty one', 'Host:\r\n', 400, 'bad_host'],
    ['one with a path', 'Host: localhost/x\r\n', 400, 'bad_host'],
    ['one with a user', 'Host: a@localhost\r\n', 400, 'bad_host'],
    ['a foreign one', 'Host: evil.example\r\n', 403, 'forbidden_host'],
    ['one that looks alike', 'Host: localhost.evil.example\r\n', 403, 'forbidden_host'],
  ])('%s is refused on every address', async (_, host, status, code) => {
    await using running = await serve(allowed);
    for (const line of [`POST ${PATH}`, 'GET /health', 'GET /nope']) {
      const text = await running.raw(`${line} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
      expect(onlyProblem(text)).toMatchObject({ status, code, executed: 'no' });
    }
  });

  test.each(['localhost:3000', 'LOCALHOST', '127.0.0.1', '[::1]:80'])('%s is on the list', async (host) => {
    await using running = await serve(allowed);
    const text = await running.raw(`POST ${PATH} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answersIn(text)).toMatchObject([{ status: 200 }]);
  });

  test('a repeated Authorization or Content-Type is bad_request', async () => {
    await using running = await serve();
    for (const line of ['Authorization: Bearer a', 'Content-Type: application/json']) {
      const text = await running.raw(rawCall(PATH, '{}', [line, line.toLowerCase(), 'Connection: close']));
      expect(onlyProblem(text)).toMatchObject({ status: 400, code: 'bad_request' });
    }
  });

  test.each(['*', 'http://localhost/health', '\\alpha\\mcp', 'alpha/mcp/tools'])(
    'the target %s is refused',
    async (target) => {
      await using running = await serve();
      const text = await running.raw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect(onlyProblem(text)).toMatchObject({ status: 400 });
    },
  );

  test.each(['/alpha/mcp/tools/..', '/alpha/mcp/tools/.', '/alpha/mcp/tools/%2e%2e', '/alpha/mcp/tools/%2e%2e%2fetc'])(
    'the path %s is taken as it is written: unknown_tool',
    async (path) => {
      await using running = await serve();
      const text = await running.raw(rawCall(path, '{}', ['Connection: close']));
      expect(onlyProblem(text)).toMatchObject({ status: 404, code: 'unknown_tool' });
    },
  );
});

describe('a slow client', () => {
  test('that does not finish its head or its body is request_timeout', async () => {
    const { bridge } = waitingBridge();
    await using running = await serve({
      bridges: mapOf(bridge),
      limits: { headersTimeoutMs: 60, requestTimeoutMs: 60 },
    });
    const head = running.raw('POST / HTTP/1.1\r\nHost: loc');
    const body = running.raw(rawCall(PATH, 'x'.repeat(10)).slice(0, -5));
    for (const text of [await head, await body]) {
      expect(onlyProblem(text)).toMatchObject({ status: 408, code: 'request_timeout', executed: 'no' });
    }
    expect(bridge.calls).toEqual([]);
    await until('nothing in flight', () => running.server.inFlight === 0);
    expect(running.edge.callsInFlight).toBe(0);
  });

  test('does not keep a call that it waits for from being answered', async () => {
    const { bridge, letGo } = waitingBridge();
    await using running = await serve({
      bridges: mapOf(bridge),
      limits: { headersTimeoutMs: 30, requestTimeoutMs: 30 },
    });
    const socket = running.open();
    const all = collect(socket);
    socket.write(rawCall(PATH, '{}', ['Connection: close']));
    await until('the call arrives', () => bridge.calls.length === 1);
    const since = performance.now();
    await until('longer than the time-out', () => performance.now() - since > 100);
    letGo();
    expect(answersIn(await all)).toMatchObject([{ status: 200 }]);
  });

  test('that does not read its answer is cut off, and its slot was free long before', async () => {
    const bridge = fakeBridge('alpha');
    bridge.invoke = async () => result([Buffer.alloc(64 * 1024 * 1024, 0x20)]);
    await using running = await serve({ bridges: mapOf(bridge), limits: { sendTimeoutMs: 200 } });
    const socket = running.open();
    socket.pause();
    socket.write(rawCall(PATH));
    await until('the answer is being sent', () => running.edge.answers['2xx'] === 1);
    expect(running.edge.callsInFlight).toBe(0);
    await until('the connection is cut', () => running.events.some(({ type }) => type === 'send_timeout'));
    await until('the exchange has ended', () => running.server.inFlight === 0);
    socket.destroy();
  });
});

describe('a body over the limit', () => {
  const LIMIT = 100_000;
  test.each([
    ['declared', `Content-Length: ${50 * 1024 * 1024}\r\n`, ''],
    ['chunked', 'Transfer-Encoding: chunked\r\n', 'ffffff\r\n'],
  ])('(%s) is 413, the connection closed, and no more than 64 KB beyond it read', async (_, header, prefix) => {
    await using running = await serve({ maxBodyBytes: LIMIT });
    const head = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${header}\r\n${prefix}`;
    let read = 0;
    let serverSide: Socket | undefined;
    const watch = (message: unknown): void => {
      const connection = (message as { socket: Socket }).socket;
      serverSide = connection;
      connection.on('close', () => {
        read = connection.bytesRead;
      });
    };
    subscribe('net.server.socket', watch);
    onTestFinished(() => void unsubscribe('net.server.socket', watch));
    const socket = running.open();
    const all = collect(socket);
    let resetAtEnd: boolean | undefined;
    socket.on('end', () => {
      resetAtEnd = serverSide?.destroyed;
    });
    socket.write(head);
    for (let i = 0; i < 100; i++) socket.write(Buffer.alloc(65_536, 0x20));
    expect(onlyProblem(await all)).toMatchObject({ status: 413, code: 'body_too_large', executed: 'no' });
    // Closed with unread bytes, the connection would be reset and the answer could be lost with it.
    expect(resetAtEnd).toBe(false);
    await until('the connection has ended', () => read > 0);
    expect(read).toBeLessThanOrEqual(LIMIT + 65_536 + head.length);
  });

  test('is refused before a client that waits for 100 Continue sends it; one that fits is let in', async () => {
    await using running = await serve({ maxBodyBytes: LIMIT });
    const head = (length: number): string =>
      rawCall(PATH, '', ['Expect: 100-continue', 'Connection: close']).replace('Length: 0', `Length: ${length}`);
    expect(onlyProblem(await running.raw(head(LIMIT + 1)))).toMatchObject({ status: 413 });
    const socket = running.open();
    const all = collect(socket);
    socket.write(head(2));
    const [first] = await once(socket, 'data');
    expect(String(first)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('{}');
    expect(answersIn((await all).slice(String(first).length))).toMatchObject([{ status: 200, body: '{}' }]);
  });

  test('a refusal with a small body unread keeps the connection', async () => {
    await using running = await serve();
    const text = await running.raw(rawCall('/nope', '{}'), rawCall(PATH, '{"a":1}', ['Connection: close']));
    expect(answersIn(text)).toMatchObject([{ status: 404 }, { status: 200, body: '{"a":1}' }]);
  });
});

describe('pipelined calls', () => {
  test('are answered in their order', async () => {
    const bridge = fakeBridge('alpha');
    const waiting: (() => void)[] = [];
    bridge.invoke = (call) =>
      new Promise((resolve) => {
        waiting.push(() => resolve(result(call.argumentsJson)));
      });
    await using running = await serve({ bridges: mapOf(bridge) });
    const all = running.raw(...[1, 2, 3].map((n) => rawCall(PATH, `{"n":${n}}`, n === 3 ? ['Connection: close'] : [])));
    await until('all have arrived', () => waiting.length === 3);
    for (const letGo of waiting.toReversed()) letGo();
    expect(answersIn(await all).map(({ body }) => body)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
  });

  test('before something broken get their own answers, and it gets none', async () => {
    const { bridge, letGo } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const all = running.raw(`${rawCall(PATH, '{"good":1}')}GARBAGE\r\n\r\n`);
    await until('the call arrives', () => bridge.calls.length === 1);
    letGo();
    expect(answersIn(await all)).toMatchObject([{ status: 200, body: '{"good":1}' }]);
  });
});

describe('a client that leaves', () => {
  test('aborts its call with CLIENT_GONE; nothing is written', async () => {
    const { bridge } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const socket = running.open();
    socket.write(rawCall(PATH));
    const call = await until('the call arrives', () => bridge.calls[0]);
    socket.destroy();
    await until('the call is aborted', () => call.abort.signal.aborted);
    expect(call.abort.signal.reason).toBe(CLIENT_GONE);
    await until('the answer is counted as gone', () => running.edge.answers.gone === 1);
    expect(running.edge.callsInFlight).toBe(0);
  });

  test('lets a keyed call run on', async () => {
    const { bridge, letGo } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const socket = running.open();
    socket.write(rawCall(PATH, '{}', ['Idempotency-Key: k']));
    const call = await until('the call arrives', () => bridge.calls[0]);
    socket.destroy();
    await until('the server has noticed', () => running.server.inFlight === 0);
    expect(call.abort.signal.aborted).toBe(false);
    expect(running.edge.callsInFlight).toBe(1);
    letGo();
    await until('the call has ended', () => running.edge.callsInFlight === 0);
  });

  test('in the middle of its body leaves nothing behind', async () => {
    const { bridge } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const socket = running.open();
    socket.write(rawCall(PATH, 'x'.repeat(100)).slice(0, -50));
    await until('the call is being read', () => running.edge.callsInFlight === 1);
    socket.destroy();
    await until('nothing is in flight', () => running.edge.callsInFlight === 0 && running.server.inFlight === 0);
    expect(bridge.calls).toEqual([]);
  });
});

/** Settles when the port takes no connection any more. */
async function refused({ port }: { readonly port: number }): Promise<void> {
  await until('the port is closed', async () => {
    const late = connect(port, '127.0.0.1');
    const [error] = await Promise.race([once(late, 'error'), once(late, 'connect')]);
    late.destroy();
    return error?.code === 'ECONNREFUSED';
  });
}

describe('the end of the server', () => {
  test('while it drains, calls are taken and answers say goodbye; /health is 503', async () => {
    await using running = await serve();
    const idle = running.open();
    idle.write(rawCall(PATH));
    await once(idle, 'data');
    running.server.drain();
    expect(answersIn(await running.raw(rawCall(PATH)))).toMatchObject([{ status: 200, body: '{}' }]);
    const health = await running.raw('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(onlyProblem(health)).toMatchObject({ status: 503, code: 'draining' });
    const idleEnded = collect(idle);
    await running.server.close(1_000);
    await idleEnded;
  });

  test('close takes no new connections and waits for the answers in flight', async () => {
    const { bridge, letGo } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const all = running.raw(rawCall(PATH, '{"last":1}'));
    await until('the call arrives', () => bridge.calls.length === 1);
    const closed = running.server.close(10_000);
    await refused(running);
    letGo();
    const [answer] = answersIn(await all);
    expect(answer).toMatchObject({ status: 200, body: '{"last":1}' });
    expect(answer?.headers.get('connection')).toBe('close');
    await closed;
  });

  test('a request that is under way when the port closes is answered, on a new connection too', async () => {
    await using running = await serve({});
    const fresh = running.open();
    await once(fresh, 'connect');
    // Connections are accepted in their order: this one's answer says that the first was.
    await running.raw(rawCall(PATH, '{}', ['Connection: close']));
    let text = '';
    fresh.on('data', (chunk) => {
      text += String(chunk);
    });
    fresh.on('end', () => fresh.end());
    const closed = running.server.close(10_000);
    fresh.write(rawCall(PATH));
    await once(fresh, 'close');
    expect(answersIn(text)[0]).toMatchObject({ status: 200 });
    await closed;
  });

  test('whoever had connected when the port closes is answered, however many waited to be taken', async () => {
    await using running = await serve({});
    const many = Array.from({ length: 40 }, () => running.raw(rawCall(PATH, '{}', ['Connection: close'])));
    // Not before the kernel has made the connections: none of them has been taken by then.
    const closed = new Promise((resolve) => setImmediate(() => resolve(running.server.close(10_000))));
    const statuses = (await Promise.all(many)).map((text) => answersIn(text)[0]?.status);
    expect(new Set(statuses)).toEqual(new Set([200]));
    await closed;
  });

  test('what is left at the deadline is answered 504, executed maybe, before the connection ends', async () => {
    const { bridge } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const answered = running.raw(rawCall(PATH, '{}', ['Idempotency-Key: k']));
    await until('the call arrives', () => bridge.calls.length === 1);
    await running.server.close(20);
    expect(onlyProblem(await answered)).toMatchObject({ status: 504, code: 'deadline_exceeded', executed: 'maybe' });
  });

  test('close waits for keyed calls whose clients have left, so that their outcomes are recorded', async () => {
    const { bridge, letGo } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const socket = running.open();
    socket.write(rawCall(PATH, '{}', ['Idempotency-Key: k']));
    const call = await until('the call arrives', () => bridge.calls[0]);
    socket.destroy();
    await until('the server has noticed', () => running.server.inFlight === 0);
    let isClosed = false;
    const closed = running.server.close(10_000).then(() => {
      isClosed = true;
    });
    await refused(running);
    expect([isClosed, call.abort.signal.aborted]).toEqual([false, false]);
    letGo();
    await closed;
    expect(running.edge.callsInFlight).toBe(0);
  });

  test('keyed calls whose clients have left are ended at the deadline', async () => {
    const { bridge } = waitingBridge();
    await using running = await serve({ bridges: mapOf(bridge) });
    const socket = running.open();
    socket.write(rawCall(PATH, '{}', ['Idempotency-Key: k']));
    const call = await until('the call arrives', () => bridge.calls[0]);
    socket.destroy();
    await until('the server has noticed', () => running.server.inFlight === 0);
    await running.server.close(20);
    expect(call.abort.signal.reason).toMatchObject({ code: 'deadline_exceeded', executed: 'maybe' });
    expect(running.edge.callsInFlight).toBe(0);
  });

  test('abortAll also ends calls whose body is still on its way', async () => {
    await using running = await serve();
    const answered = running.raw(rawCall(PATH, 'x'.repeat(100_000)).slice(0, -50));
    await until('the call is being read', () => running.edge.callsInFlight === 1);
    running.server.abortAll(new BridgeError('draining', 'stopping'));
    expect(onlyProblem(await answered)).toMatchObject({ status: 503, code: 'draining', executed: 'no' });
  });

  test('a busy port is an error of listen', async () => {
    await using running = await serve();
    await using other = await serve();
    await other.server.destroy();
    await expect(other.server.listen(running.port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

test('connections beyond the limit are dropped and told', async () => {
  await using running = await serve({ limits: { maxConnections: 1 } });
  const first = running.open();
  first.write(rawCall(PATH));
  await once(first, 'data');
  expect(await running.raw(rawCall(PATH))).toBe('');
  expect(running.events).toContainEqual({ type: 'dropped' });
  first.destroy();
});
