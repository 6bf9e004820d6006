/** Acceptance table B3 and Q7 through the front: what hostile and slow clients send, and what the children see of it. */
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { Front } from './support/front.ts';

let front: Front;

beforeAll(async () => {
  front = await Front.start({ replicaEnv: { ALLOWED_HOSTS: 'localhost,127.0.0.1' } });
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
});

const POST = 'POST /slack/mcp/tools/echo HTTP/1.1\r\n';
const TYPE = 'Content-Type: application/json\r\n';

function post(tag: string, headers = 'Connection: close\r\n', text = 'x'): string {
  const body = JSON.stringify({ text, tag });
  return `${POST}Host: localhost\r\n${TYPE}${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Status and code of each answer in what came back. */
function answers(text: string): [number, string | undefined][] {
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  const codes = [...text.matchAll(/"code":"(\w+)"/g)].map(([, code]) => code);
  return statuses.map((status, n) => [status, codes[n]]);
}

describe('I14 a request hidden behind an ambiguous one', () => {
  const chunkedHidden = (tag: string) => `0\r\n\r\n${post(tag)}`;
  const hidden = (tag: string) => `{}${post(tag)}`;
  it.each([
    ['te-cl', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', chunkedHidden],
    ['cl-te', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', chunkedHidden],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n', hidden],
    ['two equal lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n', hidden],
    ['a signed length', 'Content-Length: +2\r\n', hidden],
    ['a space before the colon', 'Content-Length : 2\r\n', hidden],
    ['a folded header', 'X-A: b\r\n c\r\nContent-Length: 2\r\n', hidden],
    ['an unknown transfer coding', 'Transfer-Encoding: xchunked\r\n', chunkedHidden],
    ['two transfer codings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', chunkedHidden],
    ['a NUL in a header', 'X-A: a\0b\r\nContent-Length: 2\r\n', hidden],
    ['a bare CR in the head', 'X-A: b\rContent-Length: 2\r\n', hidden],
  ] as const)('(%s) gets one answer, 400, and never runs', async (name, headers, rest) => {
    const tag = `hidden ${name}`;
    const text = await front.raw(`${POST}Host: localhost\r\n${TYPE}${headers}\r\n${rest(tag)}`);
    expect(answers(text)).toEqual([[400, 'bad_request']]);
    expect(text).toMatch(/^connection: close\r$/im);
    expect(text).toContain('application/problem+json');
    expect(front.ledger.executions(tag)).toBe(0);
  });

  it('a line that ends with LF alone ends for the bridge too: both are told apart, and neither is swallowed', async () => {
    const head = `${POST}Host: localhost\r\n${TYPE}X-A: b\nContent-Length: 23\r\n\r\n`;
    const text = await front.raw(`${head}{"text":"x","tag":"lf"}${post('after lf')}`);
    expect(answers(text).map(([status]) => status)).toEqual([200, 200]);
    expect([front.ledger.executions('lf'), front.ledger.executions('after lf')]).toEqual([1, 1]);
  });

  it('does run when both are plainly two calls: the check above looks where it should', async () => {
    await front.raw(post('open', ''), post('behind'));
    expect([front.ledger.executions('open'), front.ledger.executions('behind')]).toEqual([1, 1]);
  });
});

it('I15 two Host headers, none, a foreign one and a foreign origin are refused, and nothing runs', async () => {
  const before = front.ledger.executions();
  const texts = await Promise.all([
    front.raw(post('x').replace('Host: localhost\r\n', 'Host: localhost\r\nHost: localhost\r\n')),
    front.raw(post('x').replace('Host: localhost\r\n', '')),
    front.raw(post('x').replace('localhost', 'rebound.example')),
    front.raw(post('x', 'Connection: close\r\nOrigin: https://evil.example\r\n')),
    // What the bridge goes by is what we took for the host, not what a client says that it was.
    front.raw(
      post('x', 'Connection: close\r\nX-Forwarded-Host: localhost\r\n').replace(
        'Host: localhost',
        'Host: evil.example',
      ),
    ),
  ]);
  expect(texts.flatMap(answers)).toEqual([
    [400, 'bad_request'],
    [400, 'bad_request'],
    [403, 'forbidden_host'],
    [403, 'forbidden_origin'],
    [403, 'forbidden_host'],
  ]);
  expect(front.ledger.executions()).toBe(before);
});

describe('I12 a tool name that is none', () => {
  it.each([
    ['a%2Fb', 404, 'unknown_tool'],
    ['%2e%2e%2f%2e%2e%2fetc', 404, 'unknown_tool'],
    ['..%2f..%2f..%2f..%2f..%2fetc', 400, 'bad_request'],
    ['a%00b', 400, 'bad_request'],
    ['a%ZZ', 400, 'bad_request'],
    ['a%', 400, 'bad_request'],
    ['a%ff', 400, 'bad_path'],
    ['%252F', 404, 'unknown_tool'],
    ['ech%D0%BE', 404, 'unknown_tool'],
    ['', 404, 'unknown_tool'],
    ['echo/', 404, 'unknown_tool'],
    ['../tools/echo', 404, 'unknown_tool'],
    ['x'.repeat(129), 404, 'unknown_tool'],
    ['echo;a=b', 404, 'unknown_tool'],
    ['echo%20', 404, 'unknown_tool'],
  ])('%j is %d %s, and nothing runs', async (name, status, code) => {
    const before = front.ledger.executions();
    const text = await front.raw(post('x').replace('/echo ', `/${name} `));
    expect(answers(text)).toEqual([[status, code]]);
    expect(text).toContain('application/problem+json');
    expect(front.ledger.executions()).toBe(before);
  });
});

describe("I20 what nginx itself refuses is a problem in the bridges' words", () => {
  const headers = (n: number, size: number) =>
    Array.from({ length: n }, (_, i) => `X-${i}: ${'v'.repeat(size)}\r\n`).join('');
  it.each([
    ['a path of 9 KB', `GET /slack/${'a'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'uri_too_long'],
    ['I16 a header of 17 KB', post('x', headers(1, 17_000)), 431, 'headers_too_large'],
    ['I16 a head of 18 KB', post('x', `Connection: close\r\n${headers(18, 1_000)}`), 431, 'headers_too_large'],
    ['I16 101 headers', post('x', headers(101, 1)), 431, 'headers_too_large'],
    [
      'a method it does not know how to pass on',
      'TRACE /slack/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      405,
      'method_not_allowed',
    ],
    [
      'CONNECT',
      'CONNECT slack.com:443 HTTP/1.1\r\nHost: slack.com:443\r\nConnection: close\r\n\r\n',
      405,
      'method_not_allowed',
    ],
    ['an unknown expectation', post('x', 'Connection: close\r\nExpect: zzz\r\n'), 417, 'expectation_failed'],
    ['HTTP of another version', 'GET /slack/x HTTP/3.7\r\nHost: a\r\n\r\n', 400, 'bad_request'],
    ['garbage', '\x01\x02\x03\r\n\r\n', 400, 'bad_request'],
    ['a method in lower case', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_request'],
    ['a path above the root', 'GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_request'],
  ])('%s', async (_, request, status, code) => {
    const before = front.ledger.executions();
    const text = await front.raw(request);
    expect(answers(text)).toEqual([[status, code]]);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im);
    expect(JSON.parse(body)).toMatchObject({
      type: `urn:mcp-bridge:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: /^x-request-id: (.*?)\r?$/im.exec(head)?.[1],
      executed: 'no',
      retryable: false,
    });
    if (status === 405) expect(head).toMatch(/^allow: GET, HEAD, POST\r?$/im);
    expect(front.ledger.executions()).toBe(before);
  });

  it('plain HTTP on the TLS port', async () => {
    const origin = `http://127.0.0.1:${front.httpsPort}`;
    const { status, json } = await front.request('/slack/mcp/tools', { origin });
    expect([status, json.code]).toEqual([400, 'bad_request']);
  });
});

describe('I1 a body over 1 MiB', () => {
  it.each([
    ['announced', `Content-Length: 1048577\r\n\r\n`],
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n${`10000\r\n${'x'.repeat(65_536)}\r\n`.repeat(17)}`],
  ])('(%s) is 413 and the end of the connection', async (_, rest) => {
    const text = await front.raw(`${POST}Host: localhost\r\n${TYPE}${rest}`);
    expect(answers(text)).toEqual([[413, 'body_too_large']]);
    expect(text).toMatch(/^connection: close\r$/im);
  });

  it('and one of exactly 1 MiB is a call', async () => {
    const around = JSON.stringify({ text: '' }).length;
    const { status } = await front.call('echo', { text: 'x'.repeat(1_048_576 - around) });
    expect(status).toBe(200);
  });
});

describe('Q7 slow clients', () => {
  const open: TLSSocket[] = [];
  afterAll(() => {
    for (const socket of open) socket.destroy();
  });

  function slow(part: string): Promise<void> {
    const socket = connectTls({ port: front.httpsPort, host: '127.0.0.1', rejectUnauthorized: false });
    open.push(socket);
    socket.on('error', () => {});
    socket.resume();
    socket.write(part);
    return new Promise((resolve) => socket.once('close', () => resolve()));
  }

  it('500 of them reach no bridge, keep nobody waiting and are closed when their time is over', async () => {
    const ended: Promise<void>[] = [];
    for (let n = 0; n < 400; n++) ended.push(slow(`${POST}Host: localhost\r\nX-Slow: `));
    for (let n = 0; n < 100; n++)
      ended.push(slow(`${POST}Host: localhost\r\n${TYPE}Content-Length: 100\r\n\r\n{"tag":"slow"`));
    await until('all are connected', () => open.every((socket) => socket.getProtocol() !== null), {
      timeoutMs: 30_000,
    });
    const statuses = new Set<number>();
    for (let n = 0; n < 50; n++) statuses.add((await front.call('echo', { text: 'quick' })).status);
    expect([...statuses]).toEqual([200]);
    expect(open.filter((socket) => socket.closed).length).toBeLessThan(500);
    await Promise.all(ended);
    expect(front.ledger.executions('slow')).toBe(0);
    const slowBodies = (await front.log()).filter(({ status, bytesIn }) => status === 408 && Number(bytesIn) > 0);
    expect(slowBodies.length).toBeGreaterThanOrEqual(100);
    // nginx says nothing to such a client, and nothing of them went to a replica.
    expect(slowBodies.every(({ upstream }) => upstream === '')).toBe(true);
  });
});
