import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { AuthEvent } from '#core/auth/authenticator.ts';
import { digestOf } from '#core/auth/digest-map.ts';
import { jwksUrlProblem } from '#core/auth/jwks-url.ts';
import { Jwt, type JwtOptions } from '#core/auth/jwt.ts';
import { Issuer, sign } from '../../support/issuer.ts';
import { until } from '../../support/until.ts';

function tokensOf(issuer: Issuer, options: Partial<JwtOptions> = {}) {
  const events: AuthEvent[] = [];
  const jwt = new Jwt({
    ...issuer.settings,
    ratePerMinute: undefined,
    on: (event) => events.push(event),
    fetchTimeoutMs: 5_000,
    ...options,
  });
  const verdict = async (token: string): Promise<string> => {
    const found = await jwt.verify(token, digestOf(token));
    return 'id' in found ? found.id : found.reason;
  };
  const reasons = (): string[] => events.flatMap((event) => (event.event === 'auth:jwks_failed' ? [event.reason] : []));
  return { jwt, verdict, events, reasons, [Symbol.asyncDispose]: () => jwt.close() };
}

describe('the keys of an issuer', () => {
  it('are fetched before the first token comes, and once for many', async () => {
    await using issuer = await Issuer.start();
    await using tokens = tokensOf(issuer);
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => issuer.token('', { claims: { sub: `s${i}` } })));
    expect(await Promise.all(all.map(tokens.verdict))).toEqual(all.map((_, i) => `jwt:s${i}`));
    expect(issuer.requests).toBe(1);
    expect(tokens.jwt.stats()).toMatchObject({ jwksKeys: 1, jwksFailures: 0, rememberedTokens: 20 });
    expect(tokens.jwt.stats().jwksAgeMs).toBeGreaterThanOrEqual(0);
    expect(tokens.events).toEqual([{ event: 'auth:jwks_loaded', keys: 1 }]);
  });

  it('are fetched again for a key that is not known, so that a new one is taken at once', async () => {
    await using issuer = await Issuer.start();
    await using tokens = tokensOf(issuer, { jwks: { cooldownMs: 0 } });
    await tokens.jwt.reload();
    const key = await issuer.addKey();
    const several = await Promise.all(['a', 'b', 'c'].map((sub) => issuer.token('', { key, claims: { sub } })));
    expect(await Promise.all(several.map(tokens.verdict))).toEqual(['jwt:a', 'jwt:b', 'jwt:c']);
    expect(issuer.requests).toBe(2);
  });

  it('are not fetched more often than the cooldown says, however many unknown keys come', async () => {
    await using issuer = await Issuer.start();
    let now = 0;
    await using tokens = tokensOf(issuer, { jwks: { cooldownMs: 10_000, now: () => now } });
    await tokens.jwt.reload();
    const forge = async (kid: string): Promise<string> =>
      tokens.verdict(await issuer.token('*:*', { key: await issuer.makeKey('ES256', kid) }));
    const unknown = Array.from({ length: 20 }, (_, i) => `unknown ${i}`);
    expect(new Set(await Promise.all(unknown.map(forge)))).toEqual(new Set(['untrusted']));
    expect(issuer.requests).toBe(1);
    now = 10_000;
    expect(new Set(await Promise.all(unknown.map(forge)))).toEqual(new Set(['untrusted']));
    expect(issuer.requests).toBe(2);
  });

  it('are fetched again by themselves', async () => {
    await using issuer = await Issuer.start();
    await using tokens = tokensOf(issuer, { jwks: { refreshMs: 20 } });
    const token = await issuer.token('*:*');
    expect(await tokens.verdict(token)).toBe('jwt:agent');
    await issuer.addKey();
    issuer.withdrawKey(issuer.key.kid);
    await until('the old key is trusted no more', async () => (await tokens.verdict(token)) === 'untrusted');
  });

  it('stay in force while the address hangs, and no token with one of them waits for it (D11)', async () => {
    await using issuer = await Issuer.start();
    await using tokens = tokensOf(issuer, { fetchTimeoutMs: 300, jwks: { cooldownMs: 0 } });
    expect(await tokens.verdict(await issuer.token('', { claims: { sub: 'first' } }))).toBe('jwt:first');
    issuer.answer = () => undefined;
    const stranger = await issuer.makeKey();
    let settled = false;
    const unknown = tokens.verdict(await issuer.token('*:*', { key: stranger })).finally(() => {
      settled = true;
    });
    await until('the fetch hangs', () => issuer.requests === 2);
    for (let i = 0; i < 20; i += 1) {
      expect(await tokens.verdict(await issuer.token('', { claims: { sub: `s${i}` } }))).toBe(`jwt:s${i}`);
    }
    expect(settled).toBe(false);
    expect(await unknown).toBe('untrusted');
    expect(tokens.reasons()).toEqual(['no answer within 300 ms']);
    expect(tokens.jwt.stats()).toMatchObject({ jwksKeys: 1, jwksFailures: 1 });
    // Within the time until the next try an unknown key is refused without a wait.
    expect(await tokens.verdict(await issuer.token('*:*', { key: stranger, claims: { sub: 'again' } }))).toBe(
      'untrusted',
    );
    expect(issuer.requests).toBe(2);
  });

  it('are tried for again after the address was away at the start', async () => {
    await using issuer = await Issuer.start();
    issuer.answer = (response) => response.destroy();
    await using tokens = tokensOf(issuer, { jwks: { firstRetryMs: 20 } });
    expect(await tokens.verdict(await issuer.token('*:*'))).toBe('untrusted');
    expect(tokens.jwt.stats()).toMatchObject({ jwksKeys: 0, jwksAgeMs: undefined });
    await until('it failed twice', () => tokens.reasons().length >= 2);
    issuer.answer = (response) => issuer.serveKeys(response);
    await until('the keys are there', () => tokens.jwt.stats().jwksKeys === 1);
    expect(await tokens.verdict(await issuer.token('*:*'))).toBe('jwt:agent');
    expect(tokens.jwt.stats().jwksFailures).toBe(0);
    const waits = tokens.events.flatMap((event) => (event.event === 'auth:jwks_failed' ? [event.retryMs] : []));
    expect(waits.slice(0, 2)).toEqual([20, 40]);
  });

  it.each([
    ['a status', (response: ServerResponse) => response.writeHead(500).end('canary'), 'answered with status 500'],
    [
      'a redirect, which is not followed',
      (response: ServerResponse) => response.writeHead(302, { location: '/other' }).end(),
      'answered with status 302',
    ],
    ['no JSON', (response: ServerResponse) => response.end('canary'), 'no JSON Web Key Set'],
    ['another document', (response: ServerResponse) => response.end('{"keys":"canary"}'), 'no JSON Web Key Set'],
    ['no key', (response: ServerResponse) => response.end('{"keys":[]}'), 'no JSON Web Key Set'],
    [
      'too much',
      (response: ServerResponse) => response.end(`{"keys":[]}${' '.repeat(600_000)}`),
      'more than 524288 bytes',
    ],
  ])('stay in force where the answer is %s', async (_, answer, reason) => {
    await using issuer = await Issuer.start();
    await using tokens = tokensOf(issuer);
    await tokens.jwt.reload();
    issuer.answer = answer;
    await tokens.jwt.reload();
    expect(tokens.reasons()).toEqual([expect.stringContaining(reason)]);
    expect(tokens.reasons().join()).not.toContain('canary');
    expect(await tokens.verdict(await issuer.token('*:*'))).toBe('jwt:agent');
  });

  it('that belong to a shared secret are never used', async () => {
    await using issuer = await Issuer.start();
    issuer.answer = (response) =>
      response.end('{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}');
    await using tokens = tokensOf(issuer);
    const payload = { iss: issuer.issuer, aud: issuer.audience, sub: 'x', exp: Math.floor(Date.now() / 1000) + 60 };
    const token = await sign(payload, Buffer.from('secretsecretsecretsecret'), { alg: 'HS256', kid: 's' });
    expect(await tokens.verdict(token)).toBe('malformed');
  });

  it('an end is not delayed by an address that hangs', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const events: AuthEvent[] = [];
    const jwt = new Jwt({
      issuer: 'i',
      audience: 'a',
      jwksUrl,
      ratePerMinute: undefined,
      on: (event) => events.push(event),
      fetchTimeoutMs: 60_000,
    });
    await once(server, 'request');
    await jwt.close();
    await jwt.close();
    server.close();
    await once(server, 'close');
    expect(events).toEqual([]);
  });
});

it.each([
  ['https://issuer.example/jwks.json', undefined],
  ['http://127.0.0.1:8080/jwks', undefined],
  ['http://localhost/jwks', undefined],
  ['http://[::1]:1/jwks', undefined],
  ['http://issuer.example/jwks', /https/],
  ['http://127.0.0.1.example/jwks', /https/],
  ['http://localhost.example/jwks', /https/],
  ['file:///etc/passwd', /https/],
  ['https://user:secret@issuer.example/', /user name/],
  ['issuer.example', /URL/],
  ['', /URL/],
])('the address of a key set %s is judged', (url, expected) => {
  const problem = jwksUrlProblem(url);
  if (expected === undefined) expect(problem).toBeUndefined();
  else expect(problem).toMatch(expected);
});
