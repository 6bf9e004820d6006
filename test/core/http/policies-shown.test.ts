import { expect, it } from 'vitest';
import type { CallReport, ToolCall } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import type { Principal } from '#core/principal.ts';
import { fakeBridge, mapOf, result, serve } from './support.ts';

/** May call the tool `echo` of the bridge `alpha`, and nothing else. */
const echoer: Principal = {
  id: 'echoer',
  ratePerMinute: undefined,
  mayCall: (bridge, tool) => bridge === 'alpha' && tool === 'echo',
  mayUse: (bridge) => bridge === 'alpha',
};

async function ask(port: number, path: string, init: RequestInit = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  const json: any = await answer.json();
  return { status: answer.status, headers: answer.headers, json };
}

const post = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** A bridge whose policies report this. */
function reporting(report: Partial<CallReport>, failure?: BridgeError) {
  return fakeBridge('alpha', {
    invoke: async (call: ToolCall) => {
      Object.assign(call.report, report);
      if (failure !== undefined) throw failure;
      return result('{"content":[]}');
    },
  });
}

it('S3 what a caller may not call is 403 whether or not it exists, and before the body is looked at', async () => {
  const alpha = fakeBridge('alpha');
  await using server = await serve({ bridges: mapOf(alpha, fakeBridge('beta')), authenticate: () => echoer });
  for (const path of ['/alpha/mcp/tools/keyless', '/alpha/mcp/tools/nothing', '/beta/mcp/tools/echo']) {
    const refused = await ask(server.port, path, { method: 'POST', body: '{not json' });
    expect(refused, path).toMatchObject({ status: 403, json: { code: 'forbidden_tool', executed: 'no' } });
    expect((await ask(server.port, path)).json.code).toBe('forbidden_tool');
  }
  expect((await ask(server.port, '/alpha/mcp/tools/echo', post({}))).status).toBe(200);
  expect(alpha.calls.map(({ principal }) => principal.id)).toEqual(['echoer']);
});

it('a caller is listed what it may call, and the bridges it may use', async () => {
  await using server = await serve({ authenticate: () => echoer });
  const { json } = await ask(server.port, '/alpha/mcp/tools');
  expect(json.tools.map(({ name }: { name: string }) => name)).toEqual(['echo']);
  expect((await ask(server.port, '/beta/mcp/tools')).json.tools).toEqual([]);
  expect((await ask(server.port, '/')).json.bridges).toMatchObject([{ name: 'alpha' }]);
});

it('a quota is told with every answer that it was counted for, refusals too', async () => {
  const quota = { name: 'principal', perMinute: 100, remaining: 0, resetMs: 29_500 } as const;
  const headers = { 'ratelimit-policy': '"principal";q=100;w=60', ratelimit: '"principal";r=0;t=30' };
  const over = new BridgeError('rate_limited', 'over', { retryAfterMs: 29_500 });
  for (const [failure, status] of [
    [undefined, 200],
    [over, 429],
  ] as const) {
    await using server = await serve({ bridges: mapOf(reporting({ quota }, failure)) });
    const answer = await ask(server.port, '/alpha/mcp/tools/echo', post({}));
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject(headers);
    expect(answer.headers.get('retry-after')).toBe(failure === undefined ? null : '30');
  }
});

it('an answer from the cache says its age, and no longer that nobody may store it', async () => {
  await using server = await serve({ bridges: mapOf(reporting({ source: 'cache', ageMs: 7_900 })) });
  const { headers } = await ask(server.port, '/alpha/mcp/tools/echo', post({}));
  expect([headers.get('x-cache'), headers.get('age'), headers.get('cache-control')]).toEqual(['hit', '7', null]);
});

it('an answer told again says so, and a problem told again names the request it first answered', async () => {
  const first = { requestId: 'the-first', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };
  const lost = new BridgeError('child_crashed', 'it died', { executed: 'maybe', first });
  for (const failure of [undefined, lost]) {
    await using server = await serve({ bridges: mapOf(reporting({ source: 'record' }, failure)) });
    const { headers, json } = await ask(server.port, '/alpha/mcp/tools/echo', post({}));
    expect(headers.get('idempotency-replayed')).toBe('true');
    if (failure === undefined) continue;
    expect(json).toMatchObject({ instance: 'the-first', traceId: first.traceId });
    expect(headers.get('x-request-id')).not.toBe('the-first');
  }
});

it('an answer that was found afterwards says so, and is not one that is told again', async () => {
  await using server = await serve({ bridges: mapOf(reporting({ source: 'reconciled' })) });
  const { headers } = await ask(server.port, '/alpha/mcp/tools/echo', post({}));
  expect([headers.get('idempotency-reconciled'), headers.get('idempotency-replayed')]).toEqual(['true', null]);
});

it('a call for a fresh answer is one, and another is not', async () => {
  const alpha = fakeBridge('alpha');
  await using server = await serve({ bridges: mapOf(alpha) });
  for (const cacheControl of ['no-cache', 'max-age=0, No-Cache', 'max-age=0', 'x-no-cache']) {
    const headers = { ...post({}).headers, 'cache-control': cacheControl };
    await ask(server.port, '/alpha/mcp/tools/echo', { ...post({}), headers });
  }
  expect(alpha.calls.map(({ fresh }) => fresh)).toEqual([true, true, false, false]);
});
