/** Acceptance table B3 on the whole path: what a hostile caller sends, and what the child, the log and the metrics see. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

/** Sends bytes as they are; everything that comes back until the connection ends. */
function raw(fleet: Fleet, ...parts: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(fleet.url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  for (const part of parts) socket.write(part);
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}

const POST = 'POST /fake/mcp/tools/echo HTTP/1.1\r\n';
const TYPE = 'Content-Type: application/json\r\n';

function post(tag: string, headers = 'Connection: close\r\n'): string {
  const body = JSON.stringify({ text: 'x', tag });
  return `${POST}Host: localhost\r\n${TYPE}${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

it('I9 an unknown tool is 404 with near names, reaches no child and becomes no label of a metric', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
  for (const name of ['ecko', 'canary_tool', 'canary"}%0A', 'x'.repeat(128)]) {
    const { status, json } = await fleet.call(name.replaceAll('"', '%22'));
    expect([status, json.code, json.executed]).toEqual([404, 'unknown_tool', 'no']);
  }
  expect((await fleet.call('ecko')).json.suggestions).toContain('echo');
  expect(ledger.executions()).toBe(0);
  const { text } = await fleet.ops('/metrics');
  expect(text).toContain('bridge_calls_total');
  expect(text).not.toMatch(/canary|ecko|xxxx/);
});

describe('I11 a child that lists hostile schemas', () => {
  it('has those tools refused with 503 schema_rejected, and the others served', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path, FAKE_HOSTILE_SCHEMAS: '1' });
    for (const tool of ['hostile_ref', 'hostile_pattern', 'hostile_names', 'hostile_bomb', 'hostile_invalid']) {
      const { status, json } = await fleet.call(tool, { a: 'x' });
      expect([tool, status, json.code, json.executed]).toEqual([tool, 503, 'schema_rejected', 'no']);
    }
    expect(ledger.executions()).toBe(0);
    expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
  });
});

describe('I14 a request hidden behind an ambiguous one', () => {
  const chunkedHidden = `0\r\n\r\n${post('hidden')}`;
  it.each([
    ['Transfer-Encoding with Content-Length', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', chunkedHidden],
    ['Content-Length with Transfer-Encoding', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', chunkedHidden],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n', `{}${post('hidden')}`],
    ['two equal lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n', `{}${post('hidden')}`],
    ['a signed length', 'Content-Length: +2\r\n', `{}${post('hidden')}`],
    ['a space before the colon', 'Content-Length : 2\r\n', `{}${post('hidden')}`],
    ['a folded header', 'X-A: b\r\n c\r\nContent-Length: 2\r\n', `{}${post('hidden')}`],
    ['an unknown transfer coding', 'Transfer-Encoding: xchunked\r\n', chunkedHidden],
    ['a bare LF in the head', 'X-A: b\nContent-Length: 2\r\n', `{}${post('hidden')}`],
    ['a NUL in a header', 'X-A: a\0b\r\nContent-Length: 2\r\n', `{}${post('hidden')}`],
  ])('(%s) gets one answer, 400, and never runs', async (_, headers, rest) => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
    const text = await raw(fleet, `${POST}Host: localhost\r\n${TYPE}${headers}\r\n${rest}`);
    expect(text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 400']);
    expect(text).toContain('"code":"bad_request"');
    expect(text).toMatch(/^connection: close\r$/im);
    expect((await raw(fleet, post('open'))).startsWith('HTTP/1.1 200')).toBe(true);
    expect(ledger.executions('open')).toBe(1);
    expect(ledger.executions('hidden')).toBe(0);
  });

  it('does run when both are plainly two calls: the check above looks where it should', async () => {
    using ledger = new Ledger();
    await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
    await raw(fleet, post('open', ''), post('hidden'));
    expect([ledger.executions('open'), ledger.executions('hidden')]).toEqual([1, 1]);
  });
});

it('I15 with nothing configured a loopback process takes loopback names only, and no origin', async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path });
  const answers = await Promise.all([
    raw(fleet, post('x').replace('localhost', 'rebound.example')),
    raw(fleet, post('x').replace('Host: localhost\r\n', 'Host: localhost\r\nHost: localhost\r\n')),
    raw(fleet, post('x').replace('Host: localhost\r\n', '')),
    raw(fleet, post('x', 'Connection: close\r\nOrigin: https://evil.example\r\n')),
  ]);
  expect(answers.map((text) => [text.slice(9, 12), /"code":"(\w+)"/.exec(text)?.[1]])).toEqual([
    ['403', 'forbidden_host'],
    ['400', 'bad_host'],
    ['400', 'bad_host'],
    ['403', 'forbidden_origin'],
  ]);
  expect(ledger.executions()).toBe(0);
});

it('I18 hostile names, arguments and stderr are whole JSON lines of at most 16 KiB, without control characters', async () => {
  const evil = 'canary\r\n{"level":"fatal","msg":"forged"}\n\u001b[2J\u001b]0;title\u0007\u009b31m\u2028\u202e%s';
  await using fleet = await Fleet.fake({ FAKE_STDERR_AT_START: evil }, {}, { env: { LOG_LEVEL: 'debug' } });
  const chunks: Buffer[] = [];
  fleet.process.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  expect((await fleet.call('change-tools', { add: `${evil}${'n'.repeat(300_000)}` })).status).toBe(200);
  expect((await fleet.call('change-tools', { describe: evil.repeat(5_000) })).status).toBe(200);
  expect((await fleet.call('stderr', { text: evil })).status).toBe(200);
  expect((await fleet.call('stderr', { text: `huge${'\u001b'.repeat(100_000)}` })).status).toBe(200);
  expect((await fleet.call('stderr', { text: `wide${'€'.repeat(100_000)}` })).status).toBe(200);
  expect((await fleet.call('rpc-error', { code: -32_000, message: evil.repeat(2_000) })).status).toBe(502);
  expect((await fleet.call('tool-error', { text: evil })).status).toBe(200);
  expect((await fleet.call(encodeURIComponent(`${evil}`))).status).toBe(404);
  const said = (text: string) => fleet.log.some((line) => JSON.stringify(line).includes(text));
  await until('the changed tools were told', () => said('tools listed'));
  await until('the long line of stderr was told', () => said('wide€€'));
  // Whoever forges a line would have to get it parsed as one of ours.
  expect(fleet.log.filter(({ level }) => level === 'fatal')).toEqual([]);
  expect(fleet.output).toEqual([]);
  const lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) {
    expect(() => JSON.parse(line)).not.toThrow();
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16_384);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must be absent.
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
  }
});

it('I18 no argument of a call and no text of a result is logged, at any level', async () => {
  await using fleet = await Fleet.fake({}, {}, { env: { LOG_LEVEL: 'debug' } });
  await fleet.call('echo', { text: 'canary-argument' });
  await fleet.call('echo', { text: 1, extra: 'canary-argument' });
  await fleet.call('tool-error', { text: 'canary-argument' });
  await fleet.call('bad', { shape: 'neither', tag: 'canary-argument' });
  await until('something was logged', () => fleet.log.some(({ msg }) => msg.includes('problem')));
  expect(fleet.everything()).not.toContain('canary');
});
