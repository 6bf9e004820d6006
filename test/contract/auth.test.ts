/** Contract section 6 and acceptance table B4: who may call, seen from outside only. */
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entry, TemporaryKeyFile } from '../core/auth/support.ts';
import { fleet as command } from '../core/cli/run.ts';
import { type Answer, Fleet } from '../support/fleet.ts';
import { Issuer } from '../support/issuer.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const bearer = (credential: string) => ({ headers: { authorization: `Bearer ${credential}` } });
const keyHeader = (credential: string) => ({ headers: { 'x-api-key': credential } });
/** Status, and the code where it is a problem. */
const seen = ({ status, json }: Answer): string => (status === 200 ? '200' : `${status} ${json.code} ${json.executed}`);
/** What a refusal says beside the names of this one request. */
const withoutIds = ({ status, headers, json }: Answer): string =>
  JSON.stringify([status, headers['www-authenticate'], headers['content-type'], { ...json, instance: '' }]);
const toolsIn = ({ json }: Answer): string[] => json.tools.map(({ name }: { name: string }) => name).sort();

const ALL = 'secret-of-all-canary';
const SOME = 'secret-of-some-canary';
const OTHER = 'secret-of-other-canary';
const OLD = 'secret-of-old-canary';
const TOOLS = 'echo,received,meta,sleep,structured';

describe('AUTH=keys', () => {
  let file: TemporaryKeyFile;
  let ledger: Ledger;
  let fleet: Fleet;

  beforeAll(async () => {
    file = new TemporaryKeyFile([
      entry(ALL, { id: 'all' }),
      entry(SOME, { id: 'some', allow: ['fake:echo', 'fake:s*'] }),
      entry(OTHER, { id: 'other', allow: ['elsewhere:*'] }),
      entry(OLD, { id: 'all', expires: '2020-01-01' }),
    ]);
    ledger = new Ledger();
    fleet = await Fleet.fake(
      { FAKE_LEDGER: ledger.path, FAKE_ONLY: TOOLS },
      { pool: { min: 1, max: 1 } },
      { env: { AUTH: 'keys', API_KEYS_FILE: file.path, LOG_LEVEL: 'debug' } },
    );
  });

  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
    ledger?.[Symbol.dispose]();
    file?.[Symbol.dispose]();
  });

  it('a key is taken in either header', async () => {
    expect(seen(await fleet.call('echo', { text: 'x' }, bearer(ALL)))).toBe('200');
    expect(seen(await fleet.call('echo', { text: 'x' }, keyHeader(ALL)))).toBe('200');
  });

  it('S2 none, a malformed, a wrong and an expired key get the same 401, and nothing runs', async () => {
    const before = ledger.executions();
    const answers = [
      await fleet.call('echo', { text: 'x' }),
      await fleet.call('echo', { text: 'x' }, { headers: { authorization: 'Basic c2VjcmV0' } }),
      await fleet.call('echo', { text: 'x' }, bearer('wrong')),
      await fleet.call('echo', { text: 'x' }, keyHeader('wrong')),
      await fleet.call('echo', { text: 'x' }, bearer(OLD)),
      await fleet.request('/fake/mcp/tools/echo', 'no JSON at all', bearer(`${ALL}x`)),
      await fleet.request('/fake/mcp/tools/echo?key=x', { text: 'x' }),
    ].map(withoutIds);
    const [first, ...rest] = new Set(answers);
    expect(rest).toEqual([]);
    expect(first).toContain('Bearer');
    expect(JSON.parse(first ?? '')[3]).toMatchObject({ status: 401, code: 'unauthorized', executed: 'no' });
    expect(ledger.executions()).toBe(before);
  });

  it('S2 a caller nobody knows learns of no bridge and no tool', async () => {
    const strange = [
      await fleet.request('/fake/mcp/tools', undefined, { method: 'GET' }),
      await fleet.request('/fake/mcp/tools/echo', undefined, { method: 'GET' }),
      await fleet.request('/nosuch/mcp/tools', undefined, { method: 'GET' }),
      await fleet.request('/nosuch/mcp/tools/echo', {}),
      await fleet.request('/fake/mcp/tools/nosuch', {}),
    ];
    expect(strange.map(seen)).toEqual(strange.map(() => '401 unauthorized no'));
  });

  it('S3 a tool that a key does not allow is 403, whether or not it exists, and before its body is judged', async () => {
    const before = ledger.executions();
    const forbidden = [
      await fleet.call('received', {}, bearer(SOME)),
      await fleet.call('nosuch', {}, bearer(SOME)),
      await fleet.request('/fake/mcp/tools/received', '{broken', bearer(SOME)),
      await fleet.request('/fake/mcp/tools/received', undefined, { ...bearer(SOME), method: 'GET' }),
      await fleet.call('echo', { text: 'x' }, bearer(OTHER)),
    ];
    expect(forbidden.map(seen)).toEqual(forbidden.map(() => '403 forbidden_tool no'));
    expect(seen(await fleet.request('/nosuch/mcp/tools/received', {}, bearer(SOME)))).toBe('404 unknown_bridge no');
    expect(seen(await fleet.call('s-nosuch', {}, bearer(SOME)))).toBe('404 unknown_tool no');
    expect(ledger.executions()).toBe(before);
    expect(seen(await fleet.call('echo', { text: 'x' }, bearer(SOME)))).toBe('200');
    expect(seen(await fleet.call('sleep', { ms: 1 }, bearer(SOME)))).toBe('200');
  });

  it('S3 a list shows each caller what it may call', async () => {
    const list = async (secret: string) =>
      fleet.request('/fake/mcp/tools', undefined, { ...bearer(secret), method: 'GET' });
    expect(toolsIn(await list(ALL))).toEqual(TOOLS.split(',').sort());
    expect(toolsIn(await list(SOME))).toEqual(['echo', 'sleep', 'structured']);
    expect(toolsIn(await list(OTHER))).toEqual([]);
  });

  it('S3 near names are only those that the caller may call or use', async () => {
    const suggestions = async (path: string, secret: string): Promise<unknown> =>
      (await fleet.request(path, {}, bearer(secret))).json.suggestions;
    expect(await suggestions('/fake/mcp/tools/sechoo', SOME)).toEqual(['echo']);
    expect(await suggestions('/fake/mcp/tools/sreceived', ALL)).toEqual(['received']);
    expect(await suggestions('/fake/mcp/tools/sreceived', SOME)).toEqual([]);
    expect(await suggestions('/fakes/mcp/tools/echo', SOME)).toEqual(['fake']);
    expect(await suggestions('/fakes/mcp/tools/echo', OTHER)).toEqual([]);
    expect(await suggestions('/fakes', OTHER)).toEqual([]);
    const put = await fleet.request('/fakes/mcp/tools/echo', {}, { ...bearer(OTHER), method: 'PUT' });
    expect([seen(put), put.json.suggestions]).toEqual(['404 unknown_bridge no', []]);
  });

  it('S5 two credentials are 400, and one in the query is 401', async () => {
    const both = { headers: { ...bearer(ALL).headers, ...keyHeader(ALL).headers } };
    expect(seen(await fleet.call('echo', { text: 'x' }, both))).toBe('400 bad_request no');
    const twice = await rawAnswer(fleet, [`Authorization: Bearer ${ALL}`, `Authorization: Bearer ${ALL}`]);
    expect(twice).toMatch(/^HTTP\/1\.1 400 /);
    expect(twice).toContain('"code":"bad_request"');
    for (const name of ['api_key', 'key', 'access_token', 'X-API-Key', 'Authorization']) {
      const path = `/fake/mcp/tools/echo?${name}=${ALL}`;
      expect(seen(await fleet.request(path, { text: 'x' }))).toBe('401 unauthorized no');
    }
  });

  it('S1 no request sets a command, an argument, a variable or a directory', async () => {
    const workers = ledger.starts();
    const marker = join(file.folder, 'marker');
    const wishes = {
      command: '/bin/sh',
      args: ['-c', `touch ${marker}`],
      env: { CANARY_NAME: 'canary' },
      cwd: '/',
      serverPath: '/bin/sh',
      transport: { command: 'sh' },
    };
    const headers = {
      ...bearer(ALL).headers,
      'x-mcp-command': '/bin/sh',
      'x-command': '/bin/sh',
      'x-cwd': '/',
      'x-env-canary-name': 'canary',
    };
    const query = `?command=/bin/sh&args=-c&cwd=/&env.CANARY_NAME=canary`;
    const received = await fleet.request(`/fake/mcp/tools/received${query}`, wishes, { headers });
    expect(seen(received)).toBe('200');
    const meta = await fleet.request(`/fake/mcp/tools/meta${query}`, {}, { headers });
    expect(meta.text).not.toContain('CANARY_NAME');
    expect(meta.text).not.toContain('/bin/sh');
    for (const path of ['/fake/mcp', '/fake/mcp/servers', '/bridge', '/mcp', '/servers']) {
      expect([404, 405]).toContain((await fleet.request(path, wishes, { headers })).status);
    }
    expect(ledger.starts()).toEqual(workers);
    expect(existsSync(marker)).toBe(false);
  });

  it('a credential reaches no child, no log and no answer', async () => {
    const meta = await fleet.call('meta', {}, bearer(ALL));
    const received = await fleet.call('received', {}, keyHeader(ALL));
    const status = await fleet.ops('/status');
    const metrics = await fleet.ops('/metrics');
    const [child = 0] = ledger.starts();
    const about = (name: string): string => readFileSync(`/proc/${child}/${name}`, 'utf8');
    const shown = [meta, received, status, metrics].map(({ text }) => text);
    for (const text of [...shown, about('environ'), about('cmdline'), fleet.everything()]) {
      expect(text).not.toContain('canary');
    }
    expect(about('environ')).not.toContain(file.path);
    expect(status.json.auth).toMatchObject({ keys: { keys: 4, principals: 3, expired: 1 } });
  });
});

describe('S7 keys are turned under load', () => {
  it('without a lost call, and the old one is 401 afterwards', async () => {
    using file = new TemporaryKeyFile([entry('old', { id: 'turned' }), entry('stays', { id: 'stays' })]);
    await using fleet = await Fleet.fake({}, {}, { env: { AUTH: 'keys', API_KEYS_FILE: file.path } });
    const call = (secret: string) => fleet.call('echo', { text: 'x' }, bearer(secret));
    const answers: string[] = [];
    let secret = 'old';
    let on = true;
    const load = Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        while (on) answers.push(seen(await call(i % 2 === 0 ? 'stays' : secret)));
      }),
    );
    const status = async () => (await fleet.ops('/status')).json.auth.keys;
    await until('calls are made', () => answers.length > 50);

    // Both are good, by a file that is seen to have changed.
    file.write([entry('old', { id: 'turned' }), entry('new', { id: 'turned' }), entry('stays', { id: 'stays' })]);
    await until('the new key is known', async () => (await status()).keys === 3);
    expect([seen(await call('old')), seen(await call('new'))]).toEqual(['200', '200']);

    // A broken file in between takes nothing away.
    file.write('[{');
    fleet.process.kill('SIGHUP');
    await until('the file is found broken', async () => (await status()).stale);
    secret = 'new';
    const turned = answers.length;
    await until('calls go on', () => answers.length > turned + 50);

    // The old key goes, by a signal.
    file.write([entry('new', { id: 'turned' }), entry('stays', { id: 'stays' })]);
    fleet.process.kill('SIGHUP');
    await until('the old key is gone', async () => (await status()).keys === 2);
    expect(seen(await call('old'))).toBe('401 unauthorized no');
    const gone = answers.length;
    await until('calls go on', () => answers.length > gone + 50);
    on = false;
    await load;
    expect(answers.filter((answer) => answer !== '200')).toEqual([]);
    expect(fleet.log.filter(({ event }) => event === 'auth:keys_rejected')).not.toEqual([]);
  });
});

describe('S9 a flood of bad credentials', () => {
  it('is answered 429 above the limit, while valid callers at the same address get every answer', async () => {
    using file = new TemporaryKeyFile([entry('good')]);
    await using fleet = await Fleet.fake({}, {}, { env: { AUTH: 'keys', API_KEYS_FILE: file.path } });
    let flooding = true;
    // No more at a time than there is room for: a full queue would be another reason to be refused.
    const served: string[] = [];
    const good = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (flooding) served.push(seen(await fleet.call('echo', { text: 'x' }, bearer('good'))));
      }),
    );
    await until('good calls are made', () => served.length > 20);
    const refused = await Promise.all(
      Array.from({ length: 300 }, (_, i) => fleet.call('echo', { text: 'x' }, bearer(`guess-${i}`))),
    );
    const during = served.length;
    await until('good calls go on', () => served.length > during + 20);
    flooding = false;
    await good;
    expect(served.filter((answer) => answer !== '200')).toEqual([]);
    const codes = refused.map(seen);
    expect(codes.filter((code) => code === '401 unauthorized no')).toHaveLength(20);
    expect(codes.filter((code) => code === '429 rate_limited no')).toHaveLength(280);
    const limited = refused.find(({ status }) => status === 429);
    const seconds = Number(limited?.headers['retry-after']);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(seen(await fleet.call('echo', { text: 'x' }, bearer('good')))).toBe('200');
    expect(seen(await fleet.call('echo', { text: 'x' }))).toBe('401 unauthorized no');
    const { auth } = (await fleet.ops('/status')).json;
    expect(auth.refused).toEqual({ missing: 1, invalid: 20, limited: 280 });
    const told = fleet.log.filter(({ event }) => event === 'auth:refused' || event === 'auth:address_limited');
    expect(told).toHaveLength(21);
  });
});

describe('AUTH=jwt', () => {
  it('a token of the issuer may call what its scopes say, and is 401 for every other reason (S2)', async () => {
    await using issuer = await Issuer.start();
    await using fleet = await Fleet.fake({ FAKE_ONLY: TOOLS }, {}, { env: { AUTH: 'jwt', ...issuer.env } });
    const good = await issuer.token('fake:echo fake:s* openid');
    expect(seen(await fleet.call('echo', { text: 'x' }, bearer(good)))).toBe('200');
    expect(seen(await fleet.call('echo', { text: 'x' }, keyHeader(good)))).toBe('200');
    expect(seen(await fleet.call('meta', {}, bearer(good)))).toBe('403 forbidden_tool no');
    const list = await fleet.request('/fake/mcp/tools', undefined, { ...bearer(good), method: 'GET' });
    expect(toolsIn(list)).toEqual(['echo', 'sleep', 'structured']);

    const stranger = await issuer.makeKey('ES256', issuer.key.kid);
    const refused = await Promise.all(
      [
        issuer.token('*:*', { expiresIn: -60 }),
        issuer.token('*:*', { claims: { iss: 'https://elsewhere.test/' } }),
        issuer.token('*:*', { claims: { aud: 'other' } }),
        issuer.token('*:*', { expiresIn: null }),
        issuer.token('*:*', { key: stranger }),
        issuer.makeKey().then((key) => issuer.token('*:*', { key })),
        Promise.resolve('a.b.c'),
      ].map(async (token) => withoutIds(await fleet.call('echo', { text: 'x' }, bearer(await token)))),
    );
    refused.push(withoutIds(await fleet.call('echo', { text: 'x' })));
    expect(new Set(refused).size).toBe(1);
    expect(refused[0]).toContain('"code":"unauthorized"');
    expect(fleet.everything()).not.toContain(good.slice(-40));
  });

  it('known keys go on while the issuer is away, from the start or later (D11)', async () => {
    await using issuer = await Issuer.start();
    issuer.answer = () => undefined;
    await using fleet = await Fleet.fake({}, {}, { env: { AUTH: 'jwt', ...issuer.env } });
    // Its keys never came: the caller waits for them no longer than the fetch does.
    const early = await fleet.call('echo', { text: 'x' }, bearer(await issuer.token('*:*')));
    expect(seen(early)).toBe('401 unauthorized no');
    issuer.answer = (response) => issuer.serveKeys(response);
    const fresh = async () => fleet.call('echo', { text: 'x' }, bearer(await issuer.token('*:*')));
    await until('the keys have come', async () => (await fresh()).status === 200);

    issuer.answer = (response) => response.destroy();
    const key = await issuer.addKey();
    const unknown = await fleet.call('echo', { text: 'x' }, bearer(await issuer.token('*:*', { key })));
    expect(seen(unknown)).toBe('401 unauthorized no');
    expect((await fresh()).status).toBe(200);
    expect((await fleet.ops('/status')).json.auth.jwt).toMatchObject({ jwksKeys: 1 });
  });
});

it('AUTH=keys,jwt takes either, and keeps their principals apart', async () => {
  using file = new TemporaryKeyFile([entry('secret', { id: 'agent', allow: ['fake:echo'] })]);
  await using issuer = await Issuer.start();
  const env = { AUTH: 'keys,jwt', API_KEYS_FILE: file.path, ...issuer.env };
  await using fleet = await Fleet.fake({}, {}, { env });
  const token = await issuer.token('fake:meta', { claims: { sub: 'agent' } });
  const codes = [
    await fleet.call('echo', { text: 'x' }, bearer('secret')),
    await fleet.call('meta', {}, bearer('secret')),
    await fleet.call('echo', { text: 'x' }, bearer(token)),
    await fleet.call('meta', {}, bearer(token)),
  ].map(seen);
  expect(codes).toEqual(['200', '403 forbidden_tool no', '403 forbidden_tool no', '200']);
});

it('L10 a key file that cannot be used is told line by line, ends with 78, and no port is opened', async () => {
  using file = new TemporaryKeyFile([{ id: 'planner', sha256: 'canary', allow: ['canary'] }]);
  const args = ['serve', '--name', 'x', '--port', '0', '--ops-port', '0', '--', process.execPath, '-e', '0'];
  const broken = await command(args, { AUTH: 'keys', API_KEYS_FILE: file.path });
  expect(broken.code).toBe(78);
  expect(broken.stderr).toContain('API_KEYS_FILE entry 1 sha256');
  expect(broken.stderr).toContain('API_KEYS_FILE entry 1 allow');
  expect(broken.stderr + broken.stdout).not.toContain('canary');
  const away = await command(args, { AUTH: 'keys', API_KEYS_FILE: join(file.folder, 'away.json') });
  expect(away.code).toBe(78);
  expect(away.stderr).toContain('API_KEYS_FILE: cannot be read (ENOENT)');
});

it('a key of fleet key create is taken by a process that runs', async () => {
  using file = new TemporaryKeyFile([]);
  await using fleet = await Fleet.fake({}, {}, { env: { AUTH: 'keys', API_KEYS_FILE: file.path } });
  const { code, stdout } = await command(
    ['key', 'create', '--id', 'planner', '--allow', 'fake:e*', '--expires', '90d'],
    { API_KEYS_FILE: file.path },
  );
  expect(code).toBe(0);
  const secret = stdout.trim();
  await until('the key is known', async () => (await fleet.ops('/status')).json.auth.keys.keys === 1);
  expect(seen(await fleet.call('echo', { text: 'x' }, bearer(secret)))).toBe('200');
  expect(seen(await fleet.call('meta', {}, bearer(secret)))).toBe('403 forbidden_tool no');
});

/** Everything that comes back for a call with these header lines, as they are. */
async function rawAnswer(fleet: Fleet, headers: readonly string[]): Promise<string> {
  const { port, hostname, host } = new URL(fleet.url);
  const socket = connect({ port: Number(port), host: hostname });
  const head = ['POST /fake/mcp/tools/echo HTTP/1.1', `Host: ${host}`, 'Connection: close', ...headers];
  socket.write([...head, 'Content-Type: application/json', 'Content-Length: 2', '', '{}'].join('\r\n'));
  return text(socket);
}
