import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Authenticator } from '#core/auth/authenticator.ts';
import { BridgeError } from '#core/errors.ts';
import { createApp } from '#core/http/app.ts';
import { authenticateWith } from '#core/http/authenticate.ts';
import type { ProblemReport } from '#core/http/edge.ts';
import { Edge } from '#core/http/edge.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import { until } from '../../support/until.ts';
import { answersIn, collect, fakeBridge, mapOf, type Running, rawCall, serve } from './support.ts';

const PATH = '/alpha/mcp/tools/echo';
const alpha = fakeBridge('alpha');
/** What the authenticator was asked, oldest first. */
const asked: { credential: string | undefined; address: string }[] = [];
const reports: ProblemReport[] = [];
/** Takes `good` at once and `slow` later. */
const authenticator: Authenticator = {
  authenticate(credential, address) {
    asked.push({ credential, address });
    if (credential === 'good') return anonymousPrincipal();
    const refused = new BridgeError('unauthorized', 'send a valid credential');
    if (credential !== 'slow' && credential !== 'slow and bad') throw refused;
    return new Promise((resolve, reject) => {
      setImmediate(() => (credential === 'slow' ? resolve(anonymousPrincipal()) : reject(refused)));
    });
  },
};

let running: Running;

beforeAll(async () => {
  running = await serve({
    bridges: mapOf(alpha),
    authenticate: authenticateWith(authenticator),
    onProblem: (report) => reports.push(report),
  });
});

afterAll(() => running.server.destroy());

async function answerTo(...headers: string[]) {
  const raw = await running.raw(rawCall(PATH, '{}', [...headers, 'Connection: close']));
  const [answer] = answersIn(raw);
  if (answer === undefined) throw new Error(`no answer: ${raw}`);
  return answer;
}

/** A refusal without what is different in every answer. */
async function refusalOf(...headers: string[]): Promise<string> {
  const { status, headers: answered, body } = await answerTo(...headers);
  const { instance, ...rest } = JSON.parse(body);
  expect(instance).toBe(answered.get('x-request-id'));
  return JSON.stringify({ status, challenge: answered.get('www-authenticate'), ...rest });
}

describe('a credential', () => {
  it.each([
    ['in Authorization', 'Authorization: Bearer good'],
    ['in Authorization, its scheme in any case', 'authorization: bEARER good'],
    ['in Authorization, with more space', 'Authorization: Bearer   good  '],
    ['in X-API-Key', 'X-API-Key: good'],
    ['that is looked up first', 'Authorization: Bearer slow'],
  ])('%s is taken', async (_, header) => {
    expect((await answerTo(header)).status).toBe(200);
    expect(asked.at(-1)).toEqual({ credential: expect.stringMatching(/^(good|slow)$/), address: '127.0.0.1' });
  });

  it.each([
    ['both headers', ['Authorization: Bearer good', 'X-API-Key: good']],
    ['both headers, one of another scheme', ['Authorization: Basic eDp5', 'X-API-Key: good']],
    ['two Authorization headers', ['Authorization: Bearer good', 'Authorization: Bearer good']],
    ['two Authorization headers in different cases', ['Authorization: Bearer good', 'AUTHORIZATION: Basic x']],
  ])('in %s is refused as 400, and nobody is asked (S5)', async (_, headers) => {
    const before = asked.length;
    const { status, body } = await answerTo(...headers);
    expect([status, JSON.parse(body).code, JSON.parse(body).executed]).toEqual([400, 'bad_request', 'no']);
    expect(body).not.toContain('good');
    expect(asked.length).toBe(before);
  });

  it('that is none, malformed, wrong, or refused late gets the same 401 (S2)', async () => {
    const refusals = await Promise.all([
      refusalOf(),
      refusalOf('Authorization:'),
      refusalOf('Authorization: Bearer'),
      refusalOf('Authorization: Bearer '),
      refusalOf('Authorization: Bearergood'),
      refusalOf('Authorization: good'),
      refusalOf('Authorization: Basic Z29vZDpnb29k'),
      refusalOf('Authorization: Bearer good good'),
      refusalOf('Authorization: Bearer Good'),
      refusalOf('Authorization: Bearer g\u00f6\u00f6d'),
      refusalOf('Authorization: Bearer slow and bad'),
      refusalOf('X-API-Key:'),
      refusalOf('X-API-Key: bad'),
      refusalOf('X-API-Key: good', 'X-API-Key: good'),
      refusalOf(`X-API-Key: ${'x'.repeat(15_000)}`),
      refusalOf('Cookie: key=good'),
    ]);
    expect(new Set(refusals).size).toBe(1);
    expect(JSON.parse(refusals[0] ?? '')).toMatchObject({
      status: 401,
      challenge: 'Bearer realm="mcp-bridge"',
      code: 'unauthorized',
      executed: 'no',
      retryable: false,
    });
  });

  it('in the query is never looked at, nor told (S5)', async () => {
    for (const name of ['key', 'api_key', 'access_token', 'X-API-Key']) {
      const raw = await running.raw(rawCall(`${PATH}?${name}=good`, '{}', ['Connection: close']));
      expect(answersIn(raw)[0]?.status).toBe(401);
      expect(raw).not.toContain('good');
    }
    expect(asked.at(-1)?.credential).toBeUndefined();
    expect(JSON.stringify(reports)).not.toContain('good');
  });

  it('never reaches a child', async () => {
    await answerTo('Authorization: Bearer good');
    const call = alpha.calls.at(-1);
    expect(JSON.stringify({ ...call, abort: undefined, definition: undefined })).not.toContain('good');
  });
});

describe('who calls is said before', () => {
  it('the body is read: 401 comes while the body has not been sent (S2)', async () => {
    for (const length of ['Content-Length: 500', 'Transfer-Encoding: chunked', 'Content-Length: 999999999']) {
      const socket = running.open();
      const text = collect(socket);
      socket.write(`POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`);
      await once(socket, 'data');
      socket.end();
      const [answer] = answersIn(await text);
      expect(answer?.status).toBe(401);
    }
  });

  it('a body is asked for: no 100 Continue for a stranger (S2)', async () => {
    const raw = await running.raw(
      `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect(raw).toMatch(/^HTTP\/1\.1 401 /);
    expect(raw).not.toContain('100 Continue');
  });

  it('the body is judged, and before it is said whether bridge and tool exist (S2)', async () => {
    const statusOf = async (path: string, body = '{}', ...headers: string[]) =>
      answersIn(await running.raw(rawCall(path, body, [...headers, 'Connection: close'])))[0]?.status;
    expect(await statusOf(PATH, '{broken')).toBe(401);
    expect(await statusOf('/alpha/mcp/tools/nosuch')).toBe(401);
    expect(await statusOf('/nosuch/mcp/tools/echo')).toBe(401);
    expect(await statusOf(PATH, '{broken', 'X-API-Key: good')).toBe(400);
    expect(await statusOf('/alpha/mcp/tools/nosuch', '{}', 'X-API-Key: good')).toBe(404);
    expect(await statusOf('/nosuch/mcp/tools/echo', '{}', 'X-API-Key: good')).toBe(404);
  });

  it.each(['GET', 'HEAD'])('tools are listed, to a %s too (S2)', async (method) => {
    for (const path of ['/alpha/mcp/tools', PATH, '/nosuch/mcp/tools']) {
      const ask = (header: string) =>
        running.raw(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n`);
      expect(await ask('')).toMatch(/^HTTP\/1\.1 401 /);
      expect(await ask('X-API-Key: slow\r\n')).toMatch(path.startsWith('/alpha') ? /^HTTP\/1\.1 200 / : / 404 /);
    }
  });
});

it('a caller that leaves while it is found out who it is ends nothing', async () => {
  let decide: () => void = () => undefined;
  const slow: Authenticator = {
    authenticate: () =>
      new Promise((resolve) => {
        decide = () => resolve(anonymousPrincipal());
      }),
  };
  const bridge = fakeBridge('alpha');
  await using server = await serve({ bridges: mapOf(bridge), authenticate: authenticateWith(slow) });
  const socket = server.open();
  socket.write(rawCall(PATH));
  await until('it is asked', () => server.server.inFlight === 1);
  socket.destroy();
  await until('it has left', () => server.server.inFlight === 0);
  decide();
  await until('it is counted as gone', () => server.edge.answers.gone === 1);
  expect(bridge.calls).toEqual([]);
});

it('without a socket there is no address, and the same headers count', async () => {
  const app = createApp(
    new Edge({ bridges: mapOf(alpha), version: '1', authenticate: authenticateWith(authenticator) }),
  );
  const post = (headers: Record<string, string>) =>
    app.request(PATH, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', ...headers } });
  expect((await post({ authorization: 'Bearer good' })).status).toBe(200);
  expect(asked.at(-1)).toEqual({ credential: 'good', address: '' });
  expect((await post({})).status).toBe(401);
  expect((await post({ authorization: 'Bearer good', 'x-api-key': 'good' })).status).toBe(400);
});
