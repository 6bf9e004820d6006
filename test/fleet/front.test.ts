/** The front as a caller and an operator see it: addresses, headers, ids, log, limits, TLS. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { Front, NGINX, NGINX_OPTIONS } from './support/front.ts';
import { docker } from './support/stage.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
let front: Front;

beforeAll(async () => {
  front = await Front.start();
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
});

/** The line of the access log that a request left. */
function lineOf(requestId: string) {
  return until('the request is logged', async () => (await front.log()).find((line) => line.requestId === requestId));
}

it('a call and a listing go to the bridge of their first segment and come back as the bridge answers', async () => {
  const called = await front.call('echo', { text: 'hello' });
  expect([called.status, called.json.content[0].text]).toEqual([200, 'hello']);
  expect((await front.request('/slack/mcp/tools')).json.tools.length).toBeGreaterThan(5);
  const unknown = await front.call('ecko');
  // The bridge's own problem, with what only the bridge knows.
  expect([unknown.status, unknown.json.code, unknown.json.suggestions]).toEqual([
    404,
    'unknown_tool',
    expect.arrayContaining(['echo']),
  ]);
  expect(unknown.headers['content-type']).toBe('application/problem+json');
  const wrongMethod = await front.request('/slack/mcp/tools/echo', { method: 'DELETE' });
  expect([wrongMethod.status, wrongMethod.headers.allow]).toEqual([405, 'GET, HEAD, POST']);
});

it.each([
  '/',
  '/metrics',
  '/livez',
  '/readyz',
  '/status',
  '/health',
  '/mcp/tools',
  '/nobody/mcp/tools/echo',
  '/Slack/mcp/tools',
  '/%73lack/mcp/tools',
  '//slack/mcp/tools',
  '/-/problem',
  '/-/no-answer',
  '/slackx',
])('S10 %s is 404 unknown_bridge from outside', async (path) => {
  const { status, json, headers } = await front.request(path);
  expect([status, json.code, json.executed, json.retryable]).toEqual([404, 'unknown_bridge', 'no', false]);
  expect(headers['content-type']).toBe('application/problem+json');
});

it('S10 the ops port of a replica is not to be reached under the name of its bridge either', async () => {
  for (const path of [
    '/slack/metrics',
    '/slack/status',
    '/slack/readyz',
    '/slack/../metrics',
    '/slack/%2e%2e/status',
  ]) {
    const text = await front.raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(text).not.toMatch(/bridge_calls_total|"workers"/);
  }
});

it('a path is passed on as it was sent: no segment of it can lead to another bridge', async () => {
  const [line] = (
    await front.raw('GET /stripe/../slack/mcp/tools HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  ).split('\r\n');
  // stripe has no replica here: had the path been tidied up, slack would have answered.
  expect(line).toBe('HTTP/1.1 503 Service Temporarily Unavailable');
});

describe('ids and traces', () => {
  it('a request id within the rule is taken over, echoed once and known to the bridge', async () => {
    const { headers, json } = await front.call('ecko', {}, { headers: { 'x-request-id': 'my.Request-1_a' } });
    expect([headers['x-request-id'], json.instance]).toEqual(['my.Request-1_a', 'my.Request-1_a']);
  });

  it.each(['a b', 'ä', 'x'.repeat(129), 'a,b', ''])(
    '%j is replaced by one id, the same for bridge, answer and log',
    async (id) => {
      const text = await front.raw(
        `POST /slack/mcp/tools/ecko HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      const [, header] = /^x-request-id: (.*)\r$/im.exec(text) ?? [];
      expect(header).toMatch(/^[0-9a-f]{32}$/);
      expect(text).toContain(`"instance":"${header}"`);
      expect(text.match(/^x-request-id:/gim)).toHaveLength(1);
      expect((await lineOf(String(header))).status).toBe(404);
    },
  );

  it("the front's own problems carry both, and the log names the trace", async () => {
    const headers = { 'x-request-id': 'traced-1', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
    const { json } = await front.request('/nobody/x', { headers });
    expect([json.instance, json.traceId]).toEqual(['traced-1', TRACE]);
    expect((await lineOf('traced-1')).traceId).toBe(TRACE);
  });

  it("a caller's trace reaches the child", async () => {
    const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, tracestate: 'vendor=1' };
    const { json } = await front.call('meta', {}, { headers });
    expect(json.content[0].text).toContain(TRACE);
    expect(json.content[0].text).toContain('vendor=1');
  });
});

it('says of itself and of its caller what it knows, whatever the caller claims', async () => {
  const answer = await front.call('echo', { text: 'x' });
  expect(answer.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    server: 'nginx',
  });
  // A self-signed certificate must not be remembered for a year.
  expect(answer.headers).not.toHaveProperty('strict-transport-security');
  await front.call('echo', { text: 'x' }, { headers: { 'x-forwarded-for': '6.6.6.6', 'x-request-id': 'claims' } });
  expect((await lineOf('claims')).client).not.toBe('6.6.6.6');
});

it('what is not spoken over TLS is sent there, but for ACME and health', async () => {
  const origin = `http://127.0.0.1:${front.httpPort}`;
  const moved = await front.request('/slack/mcp/tools?x=1', { origin, method: 'POST' });
  expect([moved.status, moved.headers.location]).toEqual([308, 'https://127.0.0.1/slack/mcp/tools?x=1']);
  expect((await front.request('/healthz', { origin })).json).toEqual({ status: 'ok' });
  const challenge = await front.request('/.well-known/acme-challenge/abc', { origin });
  expect([challenge.status, challenge.headers.location]).toEqual([404, undefined]);
});

it('speaks HTTP/2, and the bridge does not notice', async () => {
  const headers = { ':method': 'POST', ':path': '/slack/mcp/tools/echo', 'content-type': 'application/json' };
  const { status, text } = await front.http2(headers, '{"text":"two"}');
  expect([status, JSON.parse(text).content[0].text]).toEqual([200, 'two']);
  const unknown = await front.http2({ ...headers, ':path': '/nobody' }, '');
  expect([unknown.status, JSON.parse(unknown.text).code]).toEqual([404, 'unknown_bridge']);
});

describe('the access log', () => {
  it('is one JSON line a request, whatever the request holds', async () => {
    const hostile = '\x1b[2J\x07"\\\x80\xff{"level":"fatal"}\u2028';
    await front.raw(
      `GET /slack/${hostile} HTTP/1.1\r\nHost: a\r\nUser-Agent: ${hostile}\r\nX-Request-Id: ${hostile}\r\nConnection: close\r\n\r\n`,
    );
    await front.raw(
      `GET /nobody/"\\%0a%00\xe4\xff HTTP/1.1\r\nHost: a\r\nUser-Agent: "\\\xe4\r\ntraceparent: "x\r\nConnection: close\r\n\r\n`,
    );
    await front.raw(`G"T / HTTP/1.1\r\nHost: a\r\n\r\n`, '\x16\x03\x01garbage\r\n\r\n');
    await front.request('/nobody/hostile-last', { headers: { 'x-request-id': 'hostile-last' } });
    await lineOf('hostile-last');
    for (const line of (await front.output()).split('\n')) {
      expect(() => JSON.parse(line), line).not.toThrow();
      expect(line).toMatch(/^[ -~]+$/);
    }
  });

  it('names bridge, status, upstream and times, and neither the query nor a credential (S6)', async () => {
    const headers = {
      authorization: 'Bearer canary-a',
      'x-api-key': 'canary-b',
      cookie: 'canary-c',
      'x-request-id': 'secretive',
    };
    await front.request('/slack/mcp/tools?api_key=canary-d', { headers });
    // Refusals and failures have lines of their own in nginx.
    await front.request('/stripe/mcp/tools?api_key=canary-e', { headers });
    await front.raw(
      `POST /slack/x?key=canary-f HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\nAuthorization: Bearer canary-g\r\n\r\n`,
    );
    const line = await lineOf('secretive');
    expect(line).toMatchObject({
      bridge: 'slack',
      path: '/slack/mcp/tools',
      method: 'GET',
      protocol: 'HTTP/1.1',
      tls: 'TLSv1.3',
    });
    expect(line.upstream).toMatch(/^[0-9.]+:3000$/);
    expect(line.seconds).toBeGreaterThanOrEqual(0);
    expect(await front.output()).not.toContain('canary');
  });
});

describe('TLS', () => {
  const WRITTEN = new Date('2026-01-01T00:00:00Z');

  function makeCertificate(name: string): void {
    const folder = join(front.stage.folder, 'tls');
    const files = ['-keyout', join(folder, 'new.key'), '-out', join(folder, 'new.pem')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    execFileSync('openssl', ['req', '-x509', ...kind, '-subj', `/CN=${name}`, ...files], { stdio: 'ignore' });
    execFileSync('chmod', ['644', join(folder, 'new.key')]);
    copyFileSync(join(folder, 'new.key'), join(folder, 'key.pem'));
    copyFileSync(join(folder, 'new.pem'), join(folder, 'cert.pem'));
    // Each in the same file and of the same second as the one before, as `cp -p` and quick renewals leave them.
    for (const file of ['key.pem', 'cert.pem']) utimesSync(join(folder, file), WRITTEN, WRITTEN);
  }

  function subjectAt(port: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject?.CN);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  }

  it('makes a certificate of its own where none is given', async () => {
    expect(await subjectAt(front.httpsPort)).toBe('localhost');
  });

  it('takes no version before 1.2', async () => {
    const old = new Promise((resolve, reject) => {
      const socket = connectTls(
        {
          port: front.httpsPort,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          minVersion: 'TLSv1',
          maxVersion: 'TLSv1.1',
          ciphers: 'DEFAULT@SECLEVEL=0',
        },
        () => {
          socket.destroy();
          resolve('connected');
        },
      );
      socket.once('error', reject);
    });
    await expect(old).rejects.toThrow();
  });

  it('files are served, promised for a year, and read again when they change; half a change is left alone', async () => {
    makeCertificate('first.example');
    const container = await front.stage.start('tls', {
      image: NGINX,
      env: { FRONT_TLS_CERT: '/run/tls/cert.pem', FRONT_TLS_KEY: '/run/tls/key.pem' },
      options: [
        ...NGINX_OPTIONS,
        `--volume=${join(front.stage.folder, 'tls')}:/run/tls:ro`,
        '--publish=127.0.0.1::8443',
      ],
      command: ['/bin/sh', '/etc/front/front.sh'],
    });
    const port = await front.stage.published(container, 8443);
    const serves = (name: string) => async () => (await subjectAt(port).catch(() => undefined)) === name;
    await until('the first certificate is served', serves('first.example'), { everyMs: 50 });
    const { headers } = await front.request('/', { origin: `https://127.0.0.1:${port}` });
    expect(headers['strict-transport-security']).toBe('max-age=31536000');

    copyFileSync(join(front.stage.folder, 'tls/cert.pem'), join(front.stage.folder, 'tls/old.pem'));
    makeCertificate('second.example');
    await until('the second is served', serves('second.example'), { timeoutMs: 20_000, everyMs: 100 });

    // A certificate whose key is still to come.
    copyFileSync(join(front.stage.folder, 'tls/old.pem'), join(front.stage.folder, 'tls/cert.pem'));
    await until('it says so', async () => (await docker('logs', container)).includes('not reloaded'), {
      timeoutMs: 20_000,
      everyMs: 100,
    });
    expect(await subjectAt(port)).toBe('second.example');
  });
});

describe('settings', () => {
  async function logOf(env: Readonly<Record<string, string>>): Promise<{ code: string; said: string }> {
    const container = await front.stage.start(`settings-${Object.keys(env).join('-').toLowerCase()}`, {
      image: NGINX,
      env,
      options: NGINX_OPTIONS,
      command: ['/bin/sh', '/etc/front/front.sh'],
    });
    const code = await docker('wait', container);
    return { code, said: await docker('logs', container) };
  }

  it.each([
    { FRONT_READ_TIMEOUT_S: '5; deny all' },
    { FRONT_RESOLVER: '1.1.1.1; #' },
    { FRONT_MAX_BODY_BYTES: '0' },
    { FRONT_TLS: 'yes' },
    { FRONT_TLS_CERT: '/no/such/file', FRONT_TLS_KEY: '/no/such/file' },
  ])('%j is one clear line and exit 78, with no port open', async (env) => {
    const { code, said } = await logOf(env);
    expect(code).toBe('78');
    expect(said.split('\n')).toHaveLength(1);
    expect(JSON.parse(said)).toMatchObject({
      level: 'fatal',
      service: 'front',
      msg: expect.stringContaining(Object.keys(env)[0] ?? ''),
    });
  });
});

describe('limits of one address', () => {
  it('beyond its requests a second it is told 429 rate_limited and when to come back', async () => {
    await using limited = await Front.start({ replicas: 0, env: { FRONT_REQUESTS_PER_SECOND: '5' } });
    const answers = await Promise.all(Array.from({ length: 40 }, () => limited.request('/slack/mcp/tools')));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(20);
    expect(refused[0]?.json).toMatchObject({
      code: 'rate_limited',
      bridge: 'slack',
      executed: 'no',
      retryable: true,
      retryAfterMs: 1000,
    });
    expect(refused[0]?.headers['retry-after']).toBe('1');
    // The others came as far as the missing replica.
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([429, 503]));
  });

  it('plain HTTP is for development, and the same in all else', async () => {
    await using plain = await Front.start({ replicas: 0, env: { FRONT_TLS: 'off' } });
    const { status, json } = await plain.request('/slack/mcp/tools', { origin: `http://127.0.0.1:${plain.httpPort}` });
    expect([status, json.code]).toEqual([503, 'no_replica']);
  });
});
