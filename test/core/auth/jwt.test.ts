import { UnsecuredJWT } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { digestOf } from '#core/auth/digest-map.ts';
import { Jwt, type JwtOptions } from '#core/auth/jwt.ts';
import { Issuer, sign, type TokenOptions } from '../../support/issuer.ts';

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

async function tokensOf(issuer: Issuer, options: Partial<JwtOptions> = {}) {
  const jwt = new Jwt({ ...issuer.settings, ratePerMinute: undefined, on: () => undefined, ...options });
  await jwt.reload();
  /** The principal's id, or why there is none. */
  const verdict = async (token: string): Promise<string> => {
    const found = await jwt.verify(token, digestOf(token));
    if ('id' in found) return found.id;
    return found.claim === undefined ? found.reason : `${found.reason} ${found.claim}`;
  };
  return { jwt, verdict, [Symbol.asyncDispose]: () => jwt.close() };
}

describe('a token of the issuer', () => {
  it.each(['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])('signed with %s is taken', async (alg) => {
    await using issuer = await Issuer.start();
    const key = await issuer.addKey(alg);
    await using tokens = await tokensOf(issuer);
    expect(await tokens.verdict(await issuer.token('slack:*', { key }))).toBe('jwt:agent');
  });

  it.each([
    ['scope, with spaces', { scope: 'openid slack:* stripe:list_*' }],
    ['scp, a list', { scope: undefined, scp: ['slack:*', 'stripe:list_*', 7, null] }],
    ['scopes, a list', { scope: undefined, scopes: ['slack:*', 'stripe:list_*'] }],
    ['scp, with spaces', { scope: undefined, scp: 'slack:* stripe:list_*' }],
    ['two of them', { scope: 'slack:*', scp: ['stripe:list_*'] }],
  ])('may call what it says in %s', async (_, claims) => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer, { ratePerMinute: 30 });
    const token = await issuer.token('', { claims });
    const caller = await tokens.jwt.verify(token, digestOf(token));
    if (!('id' in caller)) throw new Error(caller.reason);
    expect([caller.mayCall('slack', 'post'), caller.mayCall('stripe', 'list_x')]).toEqual([true, true]);
    expect([caller.mayCall('stripe', 'create_x'), caller.mayUse('twilio')]).toEqual([false, false]);
    expect(caller.ratePerMinute).toBe(30);
  });

  it('without scopes is somebody who may call nothing', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    for (const claims of [{ scope: undefined }, { scope: 7 }, { scope: { 'slack:*': true } }, { scope: 'openid' }]) {
      const token = await issuer.token('', { claims });
      const caller = await tokens.jwt.verify(token, digestOf(token));
      expect('id' in caller && !caller.mayUse('slack')).toBe(true);
    }
  });

  it('may name several audiences, and be a few seconds late', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    expect(await tokens.verdict(await issuer.token('', { claims: { aud: ['other', 'fleet'] } }))).toBe('jwt:agent');
    expect(await tokens.verdict(await issuer.token('', { expiresIn: -3 }))).toBe('jwt:agent');
  });
});

describe('a token is refused (S2)', () => {
  it.each([
    ['of another issuer', { claims: { iss: 'https://elsewhere.test/' } }, 'claims iss'],
    ['without an issuer', { claims: { iss: undefined } }, 'claims iss'],
    ['for somebody else', { claims: { aud: 'other' } }, 'claims aud'],
    ['for nobody', { claims: { aud: undefined } }, 'claims aud'],
    ['that has expired', { expiresIn: -60 }, 'expired'],
    ['that never expires', { expiresIn: null }, 'claims exp'],
    ['that is not good yet', { claims: { nbf: nowSeconds() + 600 } }, 'claims nbf'],
    ['without a subject', { claims: { sub: undefined } }, 'claims sub'],
    ['with an empty subject', { claims: { sub: '' } }, 'claims sub'],
    ['with a subject of many characters', { claims: { sub: 'x'.repeat(201) } }, 'claims sub'],
    ['with a line break in its subject', { claims: { sub: 'a\nb' } }, 'claims sub'],
    ['with an expiry that is no number', { claims: { exp: 'soon' as unknown as number } }, 'claims exp'],
    ['with a critical header that is not understood', { header: { crit: ['x'], x: 1 } }, 'malformed'],
  ] satisfies readonly (readonly [string, TokenOptions, string])[])(
    '%s',
    async (_, options: TokenOptions, expected) => {
      await using issuer = await Issuer.start();
      await using tokens = await tokensOf(issuer);
      const token = await issuer.token('*:*', options).catch(async () => {
        // The library does not sign what it would not read.
        const good = await issuer.token('*:*');
        const [, payload, signature] = good.split('.');
        const header = { alg: issuer.key.alg, kid: issuer.key.kid, ...options.header };
        return [Buffer.from(JSON.stringify(header)).toString('base64url'), payload, signature].join('.');
      });
      expect(await tokens.verdict(token)).toBe(expected);
      expect(tokens.jwt.recall(digestOf(token)) ?? {}).not.toHaveProperty('id');
    },
  );

  it('that is not signed, or signed with the public key as a secret, and no key is fetched for it', async () => {
    await using issuer = await Issuer.start();
    const rsa = await issuer.addKey('RS256');
    await using tokens = await tokensOf(issuer, { jwks: { cooldownMs: 0 } });
    const fetched = issuer.requests;
    const payload = { iss: issuer.issuer, aud: issuer.audience, sub: 'agent', exp: nowSeconds() + 300, scope: '*:*' };
    expect(await tokens.verdict(new UnsecuredJWT(payload).encode())).toBe('malformed');
    for (const { kid, pem } of [rsa, issuer.key]) {
      const forged = await sign(payload, Buffer.from(pem), { alg: 'HS256', kid });
      expect(await tokens.verdict(forged)).toBe('malformed');
    }
    expect(issuer.requests).toBe(fetched);
  });

  it('signed in a way that is not on our list, though its key is published', async () => {
    await using issuer = await Issuer.start();
    const key = await issuer.addKey('ML-DSA-44');
    await using tokens = await tokensOf(issuer);
    expect(await tokens.verdict(await issuer.token('*:*', { key }))).toBe('malformed');
  });

  it('that carries its own key, or names one elsewhere', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    const own = await issuer.makeKey('ES256', issuer.key.kid);
    const token = await issuer.token('*:*', { key: own, header: { jwk: own.jwk, jku: 'http://127.0.0.1:1/' } });
    expect(await tokens.verdict(token)).toBe('signature');
  });

  it('that was changed after it was signed', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    const [header, payload = '', signature] = (await issuer.token('slack:*')).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...claims, scope: '*:*' })).toString('base64url');
    expect(await tokens.verdict([header, forged, signature].join('.'))).toBe('signature');
  });

  it.each(['..', 'a.b.c', `${'x'.repeat(8_000)}.${'y'.repeat(8_000)}.z`, '💥.💥.💥'])(
    'that is no token: %.20s',
    async (token) => {
      await using issuer = await Issuer.start();
      await using tokens = await tokensOf(issuer);
      expect(await tokens.verdict(token)).toBe('malformed');
    },
  );

  it('that does not say its key where there are several', async () => {
    await using issuer = await Issuer.start();
    await issuer.addKey();
    await using tokens = await tokensOf(issuer);
    expect(await tokens.verdict(await issuer.token('*:*', { header: { kid: undefined } }))).toBe('untrusted');
  });
});

describe('a token that was verified', () => {
  it('is remembered until it expires', async () => {
    await using issuer = await Issuer.start();
    let now = Date.now();
    await using tokens = await tokensOf(issuer, { wallNow: () => now });
    const token = await issuer.token('slack:*', { expiresIn: 60 });
    expect(tokens.jwt.recall(digestOf(token))).toBeUndefined();
    expect(await tokens.verdict(token)).toBe('jwt:agent');
    expect(tokens.jwt.recall(digestOf(token))).toMatchObject({ id: 'jwt:agent' });
    now += 59_000;
    expect(tokens.jwt.recall(digestOf(token))).toMatchObject({ id: 'jwt:agent' });
    now += 8_000;
    expect(tokens.jwt.recall(digestOf(token))).toEqual({ reason: 'expired' });
    expect(await tokens.verdict(token)).toBe('expired');
  });

  it('and refused is remembered too, so that its signature is checked once; one that is too new is not', async () => {
    await using issuer = await Issuer.start();
    let now = Date.now();
    await using tokens = await tokensOf(issuer, { wallNow: () => now });
    const [old, foreign, young, nameless] = await Promise.all([
      issuer.token('', { expiresIn: -60 }),
      issuer.token('', { claims: { aud: 'other' } }),
      issuer.token('', { claims: { nbf: nowSeconds() + 60 } }),
      issuer.token('', { claims: { sub: '' } }),
    ]);
    for (const token of [old, foreign, young, nameless]) await tokens.verdict(token);
    expect([old, foreign, young, nameless].map((token) => tokens.jwt.recall(digestOf(token)))).toEqual([
      { reason: 'expired' },
      { reason: 'claims', claim: 'aud' },
      undefined,
      { reason: 'claims', claim: 'sub' },
    ]);
    now += 60_000;
    expect(await tokens.verdict(young)).toBe('jwt:agent');
  });

  it("with a key that is not the issuer's is not remembered, so that guesses fill nothing", async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    const key = await issuer.makeKey('ES256', issuer.key.kid);
    expect(await tokens.verdict(await issuer.token('', { key }))).toBe('signature');
    expect(await tokens.verdict('a.b.c')).toBe('malformed');
    expect(await tokens.verdict(await issuer.token('', { key: await issuer.makeKey() }))).toBe('untrusted');
    expect(tokens.jwt.stats().rememberedTokens).toBe(0);
  });

  it('is forgotten for the first of too many', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer, { maxRemembered: 2 });
    const three = await Promise.all(['a', 'b', 'c'].map((sub) => issuer.token('', { claims: { sub } })));
    for (const token of three) await tokens.verdict(token);
    const recalled = three.map((token) => tokens.jwt.recall(digestOf(token)));
    expect(recalled).toEqual([
      undefined,
      expect.objectContaining({ id: 'jwt:b' }),
      expect.objectContaining({ id: 'jwt:c' }),
    ]);
  });

  it('is not remembered where its key was taken back while it was verified', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    const token = await issuer.token('*:*');
    const { subtle } = globalThis.crypto;
    const verify = subtle.verify.bind(subtle);
    const spy = vi.spyOn(subtle, 'verify').mockImplementationOnce(async (...input) => {
      await issuer.addKey();
      issuer.withdrawKey(issuer.key.kid);
      await tokens.jwt.reload();
      return verify(...(input as Parameters<typeof verify>));
    });
    onTestFinished(() => spy.mockRestore());
    expect(await tokens.verdict(token)).toBe('jwt:agent');
    expect(tokens.jwt.recall(digestOf(token))).toBeUndefined();
    expect(await tokens.verdict(token)).toBe('untrusted');
  });

  it('is verified again once the keys of the issuer have changed, and refused where its key was taken back', async () => {
    await using issuer = await Issuer.start();
    await using tokens = await tokensOf(issuer);
    const token = await issuer.token('*:*');
    expect(await tokens.verdict(token)).toBe('jwt:agent');
    const stolen = issuer.key;
    const next = await issuer.addKey();
    await tokens.jwt.reload();
    expect(tokens.jwt.recall(digestOf(token))).toBeUndefined();
    expect(await tokens.verdict(token)).toBe('jwt:agent');
    issuer.withdrawKey(stolen.kid);
    await tokens.jwt.reload();
    expect(tokens.jwt.recall(digestOf(token))).toBeUndefined();
    expect(await tokens.verdict(token)).toBe('untrusted');
    expect(await tokens.verdict(await issuer.token('*:*', { key: next }))).toBe('jwt:agent');
  });
});
