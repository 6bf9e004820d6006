import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PlainHead, readPlainHead } from '#core/http/plain-head.ts';

const read = (text: string): PlainHead | undefined => readPlainHead(Buffer.from(text, 'latin1'));
const LINE = 'POST /alpha/mcp/tools/echo HTTP/1.1\r\n';
const HOST = 'Host: localhost\r\n';

describe('a plain head', () => {
  test('is read with its names in lower case and its values trimmed', () => {
    const head = `${LINE}Host: \t localhost:3000 \r\nContent-Type:application/json\r\nX-Empty:\r\nCONTENT-LENGTH: 2\r\n\r\n`;
    expect(read(`${head}{}`)).toEqual({
      target: '/alpha/mcp/tools/echo',
      address: { bridge: 'alpha', tool: 'echo' },
      headers: ['host', 'localhost:3000', 'content-type', 'application/json', 'x-empty', '', 'content-length', '2'],
      bodyLength: 2,
      length: head.length,
    });
  });

  test('may name no bridge, keep its connection, and have no body', () => {
    expect(read(`POST /mcp/tools/a.b_C-9 HTTP/1.1\r\n${HOST}Connection: Keep-Alive\r\n\r\n`)).toMatchObject({
      target: '/mcp/tools/a.b_C-9',
      bodyLength: 0,
    });
  });

  test.each([
    ['is not whole', `${LINE}${HOST}\r`],
    ['is long', `${LINE}${HOST}X: ${'x'.repeat(9_000)}\r\n\r\n`],
    ['has another method', `GET /alpha/mcp/tools/echo HTTP/1.1\r\n${HOST}\r\n`],
    ['has another version', `POST /alpha/mcp/tools/echo HTTP/1.0\r\n${HOST}\r\n`],
    ['has another address', `POST /health HTTP/1.1\r\n${HOST}\r\n`],
    ['has an escape in its path', `POST /alpha/mcp/tools/%65cho HTTP/1.1\r\n${HOST}\r\n`],
    ['has a query', `POST /alpha/mcp/tools/echo?x HTTP/1.1\r\n${HOST}\r\n`],
    ['names its host in the request line', `POST http://a/alpha/mcp/tools/echo HTTP/1.1\r\n${HOST}\r\n`],
    ['has two spaces', `POST  /alpha/mcp/tools/echo HTTP/1.1\r\n${HOST}\r\n`],
    ['begins with an empty line', `\r\n${LINE}${HOST}\r\n`],
    ['has no header', `${LINE}\r\n`],
    ['has a space before a colon', `${LINE}Host : a\r\n\r\n`],
    ['has a fold', `${LINE}${HOST}X-A: b\r\n c\r\n\r\n`],
    ['has a line without a colon', `${LINE}${HOST}X-A\r\n\r\n`],
    ['has a name that is empty', `${LINE}${HOST}: b\r\n\r\n`],
    ['has an underscore in a name', `${LINE}${HOST}Content_Length: 2\r\n\r\n`],
    ['has a bare LF', `${LINE}Host: a\nX-A: b\r\n\r\n`],
    ['has a bare CR', `${LINE}Host: a\rX-A: b\r\n\r\n`],
    ['has a NUL', `${LINE}Host: a\0\r\n\r\n`],
    ['has a byte beyond ASCII', `${LINE}${HOST}X-A: \xe9\r\n\r\n`],
    ['repeats a header', `${LINE}${HOST}host: localhost\r\n\r\n`],
    ['comes in chunks', `${LINE}${HOST}Transfer-Encoding: chunked\r\n\r\n`],
    ['has a length and chunks', `${LINE}${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['has two lengths', `${LINE}${HOST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n`],
    ['has a length with a sign', `${LINE}${HOST}Content-Length: +2\r\n\r\n`],
    ['has a length with a zero before', `${LINE}${HOST}Content-Length: 02\r\n\r\n`],
    ['has a length in hex', `${LINE}${HOST}Content-Length: 0x2\r\n\r\n`],
    ['has a list of lengths', `${LINE}${HOST}Content-Length: 2, 2\r\n\r\n`],
    ['has an empty length', `${LINE}${HOST}Content-Length:\r\n\r\n`],
    ['has a length beyond every limit', `${LINE}${HOST}Content-Length: 99999999999999999999\r\n\r\n`],
    ['expects something', `${LINE}${HOST}Expect: 100-continue\r\n\r\n`],
    ['offers an upgrade', `${LINE}${HOST}Upgrade: h2c\r\n\r\n`],
    ['ends its connection', `${LINE}${HOST}Connection: close\r\n\r\n`],
    ['lists options of its connection', `${LINE}${HOST}Connection: keep-alive, Upgrade\r\n\r\n`],
  ])('one that %s is none (I14)', (_, text) => {
    expect(read(text)).toBeUndefined();
  });
});

describe('whatever is read as a plain head', () => {
  let port = 0;
  let seen: IncomingMessage | undefined;
  const server = createServer({ requireHostHeader: false }, (incoming, outgoing) => {
    seen = incoming;
    outgoing.writeHead(204, { connection: 'close' }).end();
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  /** What node:http makes of the same bytes; undefined where it refuses them. */
  function parsed(bytes: Buffer): Promise<IncomingMessage | undefined> {
    seen = undefined;
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
      socket.on('error', () => undefined);
      socket.resume().on('close', () => resolve(seen));
    });
  }

  test('node:http reads the same way: 20 000 mutated heads (I14)', async () => {
    const pieces = [
      '\r\n',
      '\n',
      '\r',
      ' ',
      '\t',
      ':',
      '\0',
      '0',
      '-',
      'é',
      ',',
      '%',
      'Host: b\r\n',
      'Content-Length: 3\r\n',
    ];
    pieces.push('Transfer-Encoding: chunked\r\n', 'Connection: close\r\n', 'X', ';', '"', '(', '/', '?', '\x7f', '\v');
    const random = randomFrom(20_261_120);
    const whole = `${LINE}Host: localhost:3000\r\nContent-Type: application/json\r\nX-Request-Id: abc-1\r\nContent-Length: 3\r\n\r\n{ }`;
    let plain = 0;
    for (let round = 0; round < 20_000; round++) {
      let text = whole;
      for (let times = 1 + random(2); times > 0; times--) {
        const at = random(text.length - 3);
        const piece = pieces[random(pieces.length)] as string;
        text = text.slice(0, at) + (random(4) === 0 ? '' : piece) + text.slice(at + random(3));
      }
      const bytes = Buffer.from(text, 'latin1');
      const head = readPlainHead(bytes);
      if (head === undefined) continue;
      plain++;
      const incoming = await parsed(bytes.subarray(0, head.length + head.bodyLength));
      const said = incoming?.rawHeaders.map((value, i) => (i % 2 === 0 ? value.toLowerCase() : value));
      expect({ url: incoming?.url, headers: said }, JSON.stringify(text)).toEqual({
        url: head.target,
        headers: head.headers,
      });
      expect(Number(incoming?.headers['content-length'] ?? 0)).toBe(head.bodyLength);
    }
    expect(plain).toBeGreaterThan(500);
  });
});

/** Whole numbers below a limit, the same ones for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
