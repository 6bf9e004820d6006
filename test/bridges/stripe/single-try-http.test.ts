import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LostRequest, SingleTryHttp } from '../../../bridges/stripe/single-try-http.ts';
import { until } from '../../support/until.ts';

let server: Server;
let tries: SingleTryHttp;
let received: number;
let closed: number;

beforeEach(async () => {
  received = 0;
  closed = 0;
  server = createServer((request, response) => {
    received += 1;
    response.on('close', () => {
      if (!response.writableFinished) closed += 1;
    });
    if (request.url === '/break') request.socket.destroy();
    else if (request.url === '/half') response.writeHead(200, { 'content-length': 99 }).write('{"a":');
    else if (request.url !== '/hang') response.end('{"a":1}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  tries = new SingleTryHttp();
});
afterEach(async () => {
  tries.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const port = () => String((server.address() as AddressInfo).port);
const send = (path: string, timeoutMs = 60_000, to = port()) =>
  tries.client.makeRequest('127.0.0.1', to, path, 'POST', {}, 'x=1', 'http', timeoutMs);
/** How a request was lost. The SDK would send it again where the error had a code such as ECONNRESET. */
const loss = (request: Promise<unknown>) =>
  request.then(
    () => 'answered',
    (error: unknown) => {
      if (!(error instanceof LostRequest) || 'code' in error) return error;
      return [error.sent ? 'sent' : 'not sent', error.why];
    },
  );

test('an answer is read as a whole, and the connection used again', async () => {
  for (let n = 0; n < 20; n++) expect(await (await send('/')).toJSON()).toEqual({ a: 1 });
  expect(received).toBe(20);
});

test('a connection that breaks loses a request that was sent', async () => {
  expect(await loss(send('/break'))).toEqual(['sent', 'connection']);
  expect(received).toBe(1);
});

test('an answer that stops half way is no answer', async () => {
  expect(await loss(send('/half', 200))).toEqual(['sent', 'timeout']);
});

test('where nobody listens nothing was sent', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port: shut } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  expect(await loss(send('/', 60_000, String(shut)))).toEqual(['not sent', 'connection']);
});

test('the time-out counts for the whole answer', async () => {
  expect(await loss(send('/hang', 100))).toEqual(['sent', 'timeout']);
});

test("a call's end ends its requests, and no others", async () => {
  const abort = new AbortController();
  const other = send('/hang');
  other.catch(() => {});
  const lost = loss(tries.under(abort.signal, () => send('/hang')));
  await until('both are there', () => received === 2);
  abort.abort();
  expect(await lost).toEqual(['sent', 'aborted']);
  await until('its connection is closed', () => closed === 1);
});

test('a call that has ended sends nothing', async () => {
  const ended = tries.under(AbortSignal.abort(), () => send('/'));
  expect(await loss(ended)).toEqual(['not sent', 'aborted']);
  expect(received).toBe(0);
});
