import { Agent, request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BridgeError } from '#core/errors.ts';
import { type App, createApp } from '#core/http/app.ts';
import { Edge } from '#core/http/edge.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { type FakeBridge, fakeBridge, fakeCatalog, mapOf, type Running, result, serve, TOOLS } from './support.ts';

/** One answer, however it came. */
interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

type Door = (path: string, sent?: Sent) => Promise<Seen>;

const JSON_TYPE = { 'content-type': 'application/json' };
const call = (body: string, headers: Sent['headers'] = {}): Sent => ({
  method: 'POST',
  headers: { ...JSON_TYPE, ...headers },
  body,
});

const MEGABYTE = Buffer.from(`{"content":"${'é"\\\\n'.repeat(170_000)}"}`);

let alpha: FakeBridge;
let beta: FakeBridge;
let running: Running;
let app: App;
const reports: unknown[] = [];

beforeAll(async () => {
  alpha = fakeBridge('alpha');
  beta = fakeBridge('beta', { mode: 'sandbox' });
  const options = {
    bridges: mapOf(alpha, beta),
    version: '1',
    maxBodyBytes: 2_000,
    allowedOrigins: new Set(['https://app.example']),
    onProblem: (report: unknown) => reports.push(report),
  };
  running = await serve(options);
  app = createApp(new Edge(options));
});

/** Its connections are kept, as those of nearly every caller are: whoever asks for another end is node:http's to serve. */
const keeping = new Agent({ keepAlive: true });

afterAll(async () => {
  keeping.destroy();
  await running.server.destroy();
});

beforeEach(() => {
  alpha.calls.length = 0;
  reports.length = 0;
  const catalog = fakeCatalog(TOOLS);
  alpha.tools = () => catalog;
  alpha.invoke = async (toolCall) => {
    alpha.calls.push(toolCall);
    return result(toolCall.argumentsJson);
  };
});

function overHttp(
  path: string,
  { method = 'GET', headers = {}, body }: Sent = {},
  agent: Agent | false = false,
): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port: running.port, host: '127.0.0.1', path, method, headers, agent });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const pairs: [string, string][] = [];
        for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
          pairs.push([incoming.rawHeaders[i] as string, incoming.rawHeaders[i + 1] as string]);
        }
        const text = Buffer.concat(chunks).toString();
        resolve({ status: incoming.statusCode ?? 0, headers: new Headers(pairs), text });
      });
    });
    outgoing.end(body);
  });
}

const DOORS: Readonly<Record<string, Door>> = {
  'a plain connection': (path, sent) => overHttp(path, sent, keeping),
  'the shortcut in front of the router': (path, sent) => overHttp(path, sent),
  // An escape anywhere in the path is the router's to read.
  'the router behind the server': (path, sent) => overHttp(path.replace('alpha', '%61lpha'), sent),
  'the app alone': async (path, { method = 'GET', headers = {}, body } = {}) => {
    const init = { method, headers, ...(body === undefined ? {} : { body: body as string }) };
    const response = await app.request(path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  },
};

function problem({ status, headers, text }: Seen): { status: number; code: string; [member: string]: unknown } {
  expect(headers.get('content-type')).toBe('application/problem+json');
  const body = JSON.parse(text);
  expect(body.status).toBe(status);
  expect(body.type).toBe(`urn:mcp-bridge:problem:${body.code}`);
  expect(body.instance).toBe(headers.get('x-request-id'));
  return body;
}

describe.each(Object.entries(DOORS))('through %s', (_, send) => {
  test('a call is answered with exactly the bytes of the child', async () => {
    const seen = await send('/alpha/mcp/tools/echo', call('{"text": "ü \\u00e9", "n": [1, 2]}'));
    expect(seen.status).toBe(200);
    expect(seen.text).toBe('{"text":"ü é","n":[1,2]}');
    expect(seen.headers.get('content-type')).toBe('application/json');
    expect(seen.headers.get('content-length')).toBe(String(Buffer.byteLength(seen.text)));
    expect(seen.headers.get('cache-control')).toBe('no-store');
    expect(seen.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen.headers.has('x-tool-error')).toBe(false);
    expect(alpha.calls[0]).toMatchObject({
      bridge: 'alpha',
      tool: 'echo',
      principal: { id: 'anonymous' },
      timeoutMs: 30_000,
    });
    expect(alpha.calls[0]?.idempotencyKey).toBeUndefined();
  });

  test('a large result in pieces arrives unchanged', async () => {
    alpha.invoke = async () => result([MEGABYTE.subarray(0, 65_537), MEGABYTE.subarray(65_537)]);
    const seen = await send('/alpha/mcp/tools/echo', call('{}'));
    expect(seen.text === MEGABYTE.toString()).toBe(true);
    expect(seen.headers.get('content-length')).toBe(String(MEGABYTE.length));
  });

  test('an empty body means {} and needs no Content-Type; the query is ignored', async () => {
    const seen = await send('/alpha/mcp/tools/echo?api_key=k&x=%ZZ', { method: 'POST' });
    expect(seen).toMatchObject({ status: 200, text: '{}' });
  });

  test('a tool that says no is a 200 with X-Tool-Error, or a 422 that carries its bytes for strict callers', async () => {
    const no = '{ "isError":true, "content":[{"type":"text","text":"nö"}] }';
    alpha.invoke = async () => result([Buffer.from(no.slice(0, 9)), Buffer.from(no.slice(9))], true);
    const usual = await send('/alpha/mcp/tools/echo', call('{}', { prefer: 'handling=lenient' }));
    expect(usual).toMatchObject({ status: 200, text: no });
    expect(usual.headers.get('x-tool-error')).toBe('true');
    const strict = await send('/alpha/mcp/tools/echo', call('{}', { prefer: 'return=minimal, handling=strict' }));
    expect(problem(strict)).toMatchObject({ status: 422, code: 'tool_error', executed: 'yes', retryable: false });
    expect(strict.text.endsWith(`,"result":${no}}`)).toBe(true);
    expect(strict.headers.get('content-length')).toBe(String(Buffer.byteLength(strict.text)));
  });

  test('the call carries what the headers say, checked', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const headers = { traceparent, tracestate: 'v=1,x@y=2', 'x-request-id': 'my.id-1', 'idempotency-key': 'k~1' };
    const seen = await send('/alpha/mcp/tools/echo', call('{}', { ...headers, 'x-request-timeout-ms': '250' }));
    expect(seen.headers.get('x-request-id')).toBe('my.id-1');
    expect(alpha.calls[0]).toMatchObject({
      requestId: 'my.id-1',
      trace: { traceparent, tracestate: 'v=1,x@y=2' },
      idempotencyKey: 'k~1',
      timeoutMs: 250,
    });
  });

  test.each([
    ['x-request-id', 'a b'],
    ['x-request-id', 'x'.repeat(129)],
    ['x-request-id', 'caf\xe9'],
  ])('%s %j is replaced and never reflected', async (name, value) => {
    const seen = await send('/alpha/mcp/tools/echo', call('{}', { [name]: value }));
    expect(seen.status).toBe(200);
    expect(seen.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
    `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-more`,
    `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`,
    'caf\xe9',
  ])('traceparent %j is dropped', async (traceparent) => {
    await send('/alpha/mcp/tools/echo', call('{}', { traceparent, tracestate: 'v=1' }));
    expect(alpha.calls).toHaveLength(1);
    expect(alpha.calls[0]?.trace).toBeUndefined();
  });

  test.each(['a b', 'caf\xe9', 'x'.repeat(256)])('Idempotency-Key %j is invalid_header', async (key) => {
    const seen = await send('/alpha/mcp/tools/echo', call('{}', { 'idempotency-key': key }));
    expect(problem(seen)).toMatchObject({ status: 400, code: 'invalid_header', executed: 'no', tool: 'echo' });
    expect((await send('/alpha/mcp/tools/keyless', call('{}', { 'idempotency-key': key }))).status).toBe(200);
    expect(alpha.calls[0]?.idempotencyKey).toBeUndefined();
  });

  test.each([
    ['reconcile', true],
    ['Reconcile', true],
    ['handling=strict, reconcile', true],
    ['respond-async; wait=5, reconcile ', true],
    ['reconcile=true', true],
    ['wait=5, reconcile = ""; x', true],
    ['reconcile-not', false],
    ['do-not-reconcile', false],
    ['handling=reconcile', false],
  ])('Prefer: %s asks what became of the call: %s', async (prefer, asks) => {
    await send('/alpha/mcp/tools/echo', call('{}', { prefer, 'idempotency-key': 'k' }));
    expect(alpha.calls[0]).toMatchObject({ reconcile: asks });
  });

  test.each([
    ['echo', {}, 'needs the Idempotency-Key'],
    ['pay', {}, 'needs the Idempotency-Key'],
    ['keyless', { 'idempotency-key': 'k' }, 'this tool takes none'],
  ])(
    'Prefer: reconcile to %s without a key that counts is invalid_header, and nothing runs',
    async (tool, key, why) => {
      const seen = await send(`/alpha/mcp/tools/${tool}`, call('{}', { prefer: 'reconcile', ...key }));
      expect(problem(seen)).toMatchObject({ status: 400, code: 'invalid_header', executed: 'no', retryable: false });
      expect(problem(seen).detail).toContain(why);
      expect(alpha.calls).toEqual([]);
    },
  );

  test.each(['0', '-5', '1.5', 'soon', ''])('X-Request-Timeout-Ms %j is invalid_header', async (value) => {
    const seen = await send('/alpha/mcp/tools/echo', call('{}', { 'x-request-timeout-ms': value }));
    expect(problem(seen)).toMatchObject({ status: 400, code: 'invalid_header' });
  });

  test("X-Request-Timeout-Ms is clamped to the tool's maximum", async () => {
    const headers = { 'x-request-timeout-ms': '99999999999999999999', 'idempotency-key': 'k' };
    await send('/alpha/mcp/tools/pay', call('{}', headers));
    expect(alpha.calls[0]?.timeoutMs).toBe(5_000);
  });

  test.each([
    ['text/plain', {}],
    ['application/json; charset=latin1', {}],
    ['application/jsonx', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
    ['application/json', { 'content-encoding': 'identity' }],
  ])('a body as %s %o is unsupported_media_type', async (type, more) => {
    const seen = await send('/alpha/mcp/tools/echo', call('{}', { 'content-type': type, ...more }));
    expect(problem(seen)).toMatchObject({ status: 415, code: 'unsupported_media_type', executed: 'no' });
    expect(seen.headers.get('accept-post')).toBe('application/json');
    expect(seen.headers.get('accept-encoding')).toBe('identity');
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])('%s is taken', async (type) => {
    const seen = await send('/alpha/mcp/tools/echo', call('{"a":1}', { 'content-type': type }));
    expect(seen).toMatchObject({ status: 200, text: '{"a":1}' });
  });

  test('a body over the limit is body_too_large', async () => {
    const seen = await send('/alpha/mcp/tools/echo', call(`{"a":"${'x'.repeat(2_000)}"}`));
    expect(problem(seen)).toMatchObject({ status: 413, code: 'body_too_large', executed: 'no' });
  });

  test.each([
    ['{"a":', 'invalid_json'],
    ['{"a":NaN}', 'invalid_json'],
    [Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_json'],
    ['"text"', 'invalid_body'],
    [`{"a":${'['.repeat(70)}${']'.repeat(70)}}`, 'json_too_deep'],
    ['{"__proto__":{}}', 'forbidden_key'],
    ['{"a":9007199254740993}', 'unsafe_number'],
  ])('the body %s is %s', async (body, code) => {
    const seen = await send('/alpha/mcp/tools/echo', { method: 'POST', headers: JSON_TYPE, body });
    expect(problem(seen)).toMatchObject({ status: 400, code, executed: 'no', retryable: false, tool: 'echo' });
    expect(alpha.calls).toHaveLength(0);
  });

  test('arguments against the schema are 422 with at most 20 errors', async () => {
    const body = problem(await send('/alpha/mcp/tools/strict', call('{"secret":"value"}')));
    expect(body).toMatchObject({ status: 422, code: 'invalid_arguments', executed: 'no' });
    expect(body.errors).toHaveLength(20);
    expect(JSON.stringify(body)).not.toContain('value"');
    expect((await send('/alpha/mcp/tools/strict', call('{"text":""}'))).status).toBe(200);
  });

  test('a tool whose schema was rejected is 503', async () => {
    const body = problem(await send('/alpha/mcp/tools/broken', call('{}')));
    expect(body).toMatchObject({ status: 503, code: 'schema_rejected', executed: 'no' });
    expect(JSON.stringify(body)).not.toContain('exponential');
  });

  test.each([
    ['/alpha/mcp/tools/ecko', ['echo']],
    ['/alpha/mcp/tools/a%2Fb', []],
    ['/alpha/mcp/tools/a%00', []],
    ['/alpha/mcp/tools/%252F', []],
    ['/alpha/mcp/tools/%D0%B5cho', []],
    ['/alpha/mcp/tools/ech%20o', []],
    [`/alpha/mcp/tools/${'x'.repeat(129)}`, []],
    ['/alpha/mcp/tools/echo/', undefined],
    ['/alpha/mcp/tools/', undefined],
    ['/alpha/mcp/tools//echo', undefined],
    ['/alpha/mcp/tool', undefined],
    ['/alpha', undefined],
  ])('%s is unknown_tool', async (path, suggestions) => {
    const seen = await send(path, call('{}'));
    const body = problem(seen);
    expect(body).toMatchObject({ status: 404, code: 'unknown_tool', bridge: 'alpha', executed: 'no' });
    expect(body.suggestions).toEqual(suggestions);
    expect(alpha.calls).toHaveLength(0);
  });

  test.each(['/alpha/mcp/tools/%ZZ', '/alpha/mcp/tools/%', '/alpha/mcp/tools/%FF', '/alpha/mcp/tools/%C0%AE'])(
    '%s is bad_path',
    async (path) => {
      expect(problem(await send(path, call('{}')))).toMatchObject({ status: 400, code: 'bad_path' });
    },
  );

  test('a path over 8 KiB is uri_too_long', async () => {
    const seen = await send(`/alpha/mcp/tools/echo?${'x'.repeat(8_200)}`, call('{}'));
    expect(problem(seen)).toMatchObject({ status: 414, code: 'uri_too_long' });
  });

  test('no bridge of that name is unknown_bridge, with near names', async () => {
    const near = problem(await send('/betta/mcp/tools/echo', call('{}')));
    expect(near).toMatchObject({ status: 404, code: 'unknown_bridge', suggestions: ['beta'] });
    for (const path of ['/mcp/tools/echo', '/mcp/tools', '/zzzzzzz', '/BETA/mcp/tools', '//mcp/tools/x']) {
      expect(problem(await send(path, call('{}')))).toMatchObject({ status: 404, code: 'unknown_bridge' });
    }
  });

  test.each([
    ['DELETE', '/alpha/mcp/tools/echo', 'GET, HEAD, POST'],
    ['PUT', '/alpha/mcp/tools/nothing', 'GET, HEAD, POST'],
    ['POST', '/alpha/mcp/tools', 'GET, HEAD'],
    ['OPTIONS', '/alpha/mcp/tools', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['PATCH', '/', 'GET, HEAD'],
  ])('%s %s is method_not_allowed with Allow: %s', async (method, path, allow) => {
    const seen = await send(path, { method });
    expect(problem(seen)).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(seen.headers.get('allow')).toBe(allow);
  });

  test('an unknown bridge is said before a wrong method, a wrong method before an unknown tool', async () => {
    expect(problem(await send('/gamma/mcp/tools/echo', { method: 'PUT' }))).toMatchObject({ code: 'unknown_bridge' });
  });

  test('the list shows the tools, their schemas and our policy, to GET and HEAD', async () => {
    const seen = await send('/alpha/mcp/tools');
    expect(seen.status).toBe(200);
    expect(JSON.parse(seen.text)).toMatchObject({ bridge: 'alpha', tools: TOOLS.map(({ name }) => ({ name })) });
    expect(JSON.parse(seen.text).tools[1]).toEqual({
      name: 'pay',
      title: 'The pay',
      description: 'Naïve – says it back',
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: true },
      policy: { effect: 'write', deadlineMs: 5_000, cacheTtlMs: 0, idempotencyKey: 'required' },
    });
    const head = await send('/alpha/mcp/tools', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers.get('content-length')).toBe(seen.headers.get('content-length'));
    const one = await send('/alpha/mcp/tools/pay');
    expect(JSON.parse(one.text)).toEqual(JSON.parse(seen.text).tools[1]);
    expect(problem(await send('/alpha/mcp/tools/nope'))).toMatchObject({ status: 404, code: 'unknown_tool' });
  });

  test('a bridge against a stand-in says so on every answer', async () => {
    for (const path of ['/beta/mcp/tools', '/beta/mcp/tools/nope', '/beta/mcp/tools/echo']) {
      expect((await send(path)).headers.get('x-bridge-mode')).toBe('sandbox');
    }
    expect((await send('/alpha/mcp/tools')).headers.has('x-bridge-mode')).toBe(false);
  });

  test('what the bridge throws is a problem with its code; 500 and above are reported', async () => {
    alpha.invoke = () => {
      const details = { rpcCode: -32603 };
      throw new BridgeError('child_error', 'the server says no', { executed: 'maybe', details });
    };
    const seen = problem(await send('/alpha/mcp/tools/pay', call('{}', { 'idempotency-key': 'k' })));
    expect(seen).toMatchObject({
      status: 502,
      code: 'child_error',
      rpcCode: -32603,
      executed: 'maybe',
      retryable: false,
    });
    expect(reports).toEqual([
      expect.objectContaining({ code: 'child_error', status: 502, bridge: 'alpha', tool: 'pay' }),
    ]);
  });

  test('a bug is internal without its text', async () => {
    alpha.invoke = () => Promise.reject(new Error('secret'));
    const seen = await send('/alpha/mcp/tools/echo', call('{}'));
    expect(problem(seen)).toMatchObject({ status: 500, code: 'internal', executed: 'maybe' });
    expect(seen.text).not.toContain('secret');
    expect(reports).toMatchObject([{ code: 'internal', error: new Error('secret') }]);
  });

  test('a bridge without its settings is not_configured', async () => {
    alpha.tools = () => Promise.reject(new BridgeError('not_configured', 'set ALPHA_TOKEN'));
    const seen = await send('/alpha/mcp/tools/echo', call('{}'));
    expect(problem(seen)).toMatchObject({ status: 503, code: 'not_configured', detail: 'set ALPHA_TOKEN' });
    expect(seen.headers.get('retry-after')).toBe('1');
    expect(problem(await send('/alpha/mcp/tools'))).toMatchObject({ code: 'not_configured' });
  });

  test('waiting for a first list of tools ends with the deadline of the caller', async () => {
    alpha.tools = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const seen = await send('/alpha/mcp/tools/echo', call('{}', { 'x-request-timeout-ms': '20' }));
    expect(problem(seen)).toMatchObject({ status: 503, code: 'no_worker_ready', executed: 'no', retryable: true });
  });

  test('a foreign origin is forbidden, an allowed one gets CORS headers on every answer', async () => {
    const foreign = await send('/alpha/mcp/tools/echo', call('{}', { origin: 'https://evil.example' }));
    expect(problem(foreign)).toMatchObject({ status: 403, code: 'forbidden_origin' });
    expect(foreign.headers.has('access-control-allow-origin')).toBe(false);
    const origin = 'https://app.example';
    for (const path of ['/alpha/mcp/tools/echo', '/alpha/mcp/tools/nope']) {
      const { headers } = await send(path, call('{}', { origin }));
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('vary')).toBe('Origin');
    }
    const asked = { origin, 'access-control-request-method': 'POST' };
    const preflight = await send('/alpha/mcp/tools/echo', { method: 'OPTIONS', headers: asked });
    expect(preflight).toMatchObject({ status: 204, text: '' });
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
    const refused = await send('/alpha/mcp/tools/echo', {
      method: 'OPTIONS',
      headers: { ...asked, origin: 'null' },
    });
    expect(problem(refused)).toMatchObject({ status: 403, code: 'forbidden_origin' });
  });

  test('/health says ok while a bridge can serve; / lists the bridges', async () => {
    expect(await send('/health')).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    alpha.ready = false;
    beta.ready = false;
    expect(problem(await send('/health'))).toMatchObject({ status: 503, code: 'no_worker_ready' });
    alpha.ready = true;
    beta.ready = true;
    expect(JSON.parse((await send('/')).text)).toMatchObject({
      bridges: [
        { name: 'alpha', mode: 'live', tools: '/alpha/mcp/tools' },
        { name: 'beta', mode: 'sandbox', tools: '/beta/mcp/tools' },
      ],
    });
  });
});

test('a process with one bridge serves it without its name in the path too', async () => {
  const only = fakeBridge('only');
  await using single = await serve({ bridges: mapOf(only) });
  const url = `http://127.0.0.1:${single.port}`;
  const posted = await fetch(`${url}/mcp/tools/echo`, { method: 'POST' });
  expect(await posted.text()).toBe('{}');
  expect(only.calls[0]).toMatchObject({ bridge: 'only', tool: 'echo' });
  expect((await fetch(`${url}/mcp/tools`)).status).toBe(200);
  expect(await (await fetch(`${url}/mcp/tools/`)).json()).toMatchObject({ code: 'unknown_tool', bridge: 'only' });
});

test('who calls is asked before anything else is told, and before the body is read', async () => {
  const bridge = fakeBridge('alpha');
  await using guarded = await serve({
    bridges: mapOf(bridge),
    authenticate: (exchange) => {
      if (exchange.header('x-api-key') === 'k') return { ...anonymousPrincipal(), id: 'me' };
      throw new BridgeError('unauthorized', 'send a valid key');
    },
  });
  const bodies = new Set<string>();
  for (const path of ['/alpha/mcp/tools/echo', '/nope/mcp/tools/echo', '/nope', '/alpha/mcp/tools?x-api-key=k']) {
    const method = path.includes('?') ? 'GET' : 'POST';
    const response = await fetch(`http://127.0.0.1:${guarded.port}${path}`, {
      method,
      headers: { 'x-request-id': 'r' },
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    bodies.add(await response.text());
  }
  expect(bodies.size, 'identical bodies').toBe(1);
  const init = { method: 'POST', headers: { 'x-api-key': 'k' } };
  await fetch(`http://127.0.0.1:${guarded.port}/alpha/mcp/tools/echo`, init);
  expect(bridge.calls[0]?.principal.id).toBe('me');
});
