import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AuthenticatorError, createAuthenticator } from '#core/auth/create-authenticator.ts';
import { BridgeError } from '#core/errors.ts';
import { Issuer } from '../../support/issuer.ts';
import { authenticatorWith, entry, TemporaryKeyFile } from './support.ts';

const thrownBy = (work: () => unknown): BridgeError => {
  try {
    work();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('who shows a key', () => {
  it('is known at once, without a promise', async () => {
    using file = new TemporaryKeyFile([entry('secret')]);
    await using auth = await authenticatorWith({ keysFile: file.path, ratePerMinute: 7 });
    const principal = auth.check.authenticate('secret', '192.0.2.1');
    expect(principal).not.toBeInstanceOf(Promise);
    expect(principal).toMatchObject({ id: 'planner', ratePerMinute: 7 });
  });

  it('is refused the same way without one, with a malformed, a wrong and an expired one (S2)', async () => {
    using file = new TemporaryKeyFile([entry('old', { expires: '2020-01-01' }), entry('good')]);
    await using auth = await authenticatorWith({ keysFile: file.path });
    const errors = [undefined, '\u0000', 'wrong', 'good ', 'old', 'a.b.c', 'x'.repeat(15_000)].map((credential) =>
      thrownBy(() => auth.check.authenticate(credential, '192.0.2.1')),
    );
    expect(new Set(errors.map(({ code, message, executed }) => `${code} ${executed} ${message}`)).size).toBe(1);
    expect(errors[0]).toMatchObject({ code: 'unauthorized', executed: 'no', retryAfterMs: undefined });
    expect(auth.told('auth:refused')).toContainEqual({
      event: 'auth:refused',
      reason: 'expired',
      principal: 'planner',
    });
    expect(auth.check.stats().refused).toEqual({ missing: 1, invalid: 6, limited: 0 });
    expect(JSON.stringify(auth.events)).not.toContain('wrong');
  });

  it('is refused from the moment at which the key expires, by the clock on the wall (D7)', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1) });
    try {
      using file = new TemporaryKeyFile([entry('secret', { expires: '2030-01-01T00:00:10Z' })]);
      await using auth = await authenticatorWith({ keysFile: file.path });
      expect(await auth.whois('secret')).toBe('planner');
      vi.setSystemTime(Date.UTC(2030, 0, 1, 0, 0, 10));
      expect(await auth.whois('secret')).toBe('unauthorized');
      expect(auth.check.stats().keys).toMatchObject({ keys: 1, expired: 1 });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('keys and tokens together', () => {
  it('either is taken, and a subject is never mistaken for a key', async () => {
    using file = new TemporaryKeyFile([entry('secret', { id: 'agent' }), entry('a.b.c', { id: 'dotted' })]);
    await using issuer = await Issuer.start();
    await using auth = await authenticatorWith({ keysFile: file.path, jwt: issuer.settings });
    expect(await auth.whois('secret')).toBe('agent');
    expect(await auth.whois('a.b.c')).toBe('dotted');
    expect(await auth.whois(await issuer.token('slack:*'))).toBe('jwt:agent');
    expect(await auth.whois('d.e.f')).toBe('unauthorized');
    expect(await auth.whois('wrong')).toBe('unauthorized');
    expect(auth.told('auth:refused').map(({ reason }) => reason)).toEqual(['malformed', 'unknown']);
    expect(auth.check.stats()).toMatchObject({ keys: { keys: 1 + 1 }, jwt: { jwksKeys: 1, rememberedTokens: 1 } });
  });

  it('a token that was verified is known at once, without a promise', async () => {
    await using issuer = await Issuer.start();
    await using auth = await authenticatorWith({ jwt: issuer.settings });
    const token = await issuer.token('slack:*');
    expect(auth.check.authenticate(token, '192.0.2.1')).toBeInstanceOf(Promise);
    expect(await auth.whois(token)).toBe('jwt:agent');
    expect(auth.check.authenticate(token, '192.0.2.1')).toMatchObject({ id: 'jwt:agent' });
    expect(auth.check.stats().keys).toBeUndefined();
  });

  it('both are read again by a reload', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    await using issuer = await Issuer.start();
    await using auth = await authenticatorWith({ keysFile: file.path, jwt: issuer.settings });
    await auth.check.reload();
    file.write([entry('new')]);
    const key = await issuer.addKey();
    await auth.check.reload();
    expect(await auth.whois('new')).toBe('planner');
    expect(await auth.whois('old')).toBe('unauthorized');
    expect(await auth.whois(await issuer.token('', { key }))).toBe('jwt:agent');
  });
});

describe('a flood of bad credentials (S9)', () => {
  it('is answered with 429 above the limit, and leaves keys and verified tokens alone', async () => {
    using file = new TemporaryKeyFile([entry('secret')]);
    await using issuer = await Issuer.start();
    await using auth = await authenticatorWith({ keysFile: file.path, jwt: issuer.settings });
    const verified = await issuer.token('', { claims: { sub: 'early' } });
    expect(await auth.whois(verified)).toBe('jwt:early');
    const codes: string[] = [];
    for (let i = 0; i < 50; i += 1) codes.push(await auth.whois(i % 2 === 0 ? `guess ${i}` : `g.${i}.x`));
    expect(codes.slice(0, 20)).toEqual(Array(20).fill('unauthorized'));
    expect(codes.slice(20)).toEqual(Array(30).fill('rate_limited'));

    expect(await auth.whois('secret')).toBe('planner');
    expect(await auth.whois(verified)).toBe('jwt:early');
    expect(await auth.whois('guess', '::ffff:192.0.2.1')).toBe('rate_limited');
    expect(await auth.whois('guess', '192.0.2.2')).toBe('unauthorized');
    expect(await auth.whois(undefined)).toBe('unauthorized');

    expect(auth.told('auth:address_limited')).toEqual([
      { event: 'auth:address_limited', address: '192.0.2.1', failures: 20 },
    ]);
    expect(auth.told('auth:refused')).toHaveLength(21);
    expect(auth.check.stats()).toMatchObject({
      refused: { missing: 1, invalid: 21, limited: 31 },
      failingAddresses: 2,
    });
  });

  it('leaves room for some new tokens of whoever shares the address, and no more', async () => {
    using file = new TemporaryKeyFile([]);
    await using issuer = await Issuer.start();
    await using auth = await authenticatorWith({ keysFile: file.path, jwt: issuer.settings, maxFailedAttempts: 3 });
    await auth.check.reload();
    for (let i = 0; i < 4; i += 1) await auth.whois(`guess ${i}`);
    expect(await auth.whois(await issuer.token('', { claims: { sub: 'new' } }))).toBe('jwt:new');
    const forged = await issuer.makeKey('ES256', issuer.key.kid);
    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, i) => issuer.token('*:*', { key: forged, claims: { sub: `s${i}` } })),
    );
    const verify = vi.spyOn(globalThis.crypto.subtle, 'verify');
    onTestFinished(() => verify.mockRestore());
    const codes = await Promise.all(tokens.map((token) => auth.whois(token)));
    expect(new Set(codes)).toEqual(new Set(['rate_limited']));
    // A second may have begun anew in between.
    expect(verify.mock.calls.length).toBeGreaterThan(0);
    expect(verify.mock.calls.length).toBeLessThanOrEqual(40);
  });

  it('is none where the credential was good once, or may be soon', async () => {
    using file = new TemporaryKeyFile([entry('old', { expires: '2020-01-01' })]);
    await using issuer = await Issuer.start();
    await using auth = await authenticatorWith({ keysFile: file.path, jwt: issuer.settings, maxFailedAttempts: 3 });
    const bad = [
      await issuer.token('', { expiresIn: -60 }),
      await issuer.token('', { claims: { aud: 'other' } }),
      await issuer.token('', { key: await issuer.makeKey() }),
      'old',
    ];
    for (let round = 0; round < 5; round += 1) {
      for (const credential of bad) expect(await auth.whois(credential)).toBe('unauthorized');
    }
    expect(await auth.whois('guess')).toBe('unauthorized');
    // Told as often as failed attempts would be, so that no flood fills the log.
    expect(auth.told('auth:refused').map(({ reason }) => reason)).toEqual([
      'expired',
      'claims',
      'untrusted',
      'unknown',
    ]);
    expect(auth.check.stats().refused).toEqual({ missing: 0, invalid: 21, limited: 0 });
    for (let i = 0; i < 3; i += 1) await auth.whois('guess');
    for (const credential of bad) expect(await auth.whois(credential)).toBe('rate_limited');
  });

  it('says how long to wait, and how many attempts there were', async () => {
    using file = new TemporaryKeyFile([]);
    await using auth = await authenticatorWith({ keysFile: file.path, maxFailedAttempts: 3 });
    for (let i = 0; i < 3; i += 1) await auth.whois(`guess ${i}`);
    const error = thrownBy(() => auth.check.authenticate('guess', '192.0.2.1'));
    expect(error).toMatchObject({ code: 'rate_limited', executed: 'no' });
    expect(error.retryAfterMs).toBeGreaterThan(50_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(error.message).toMatch(/^3 attempts/);
  });

  it('whoever forgot the credential is told so as often as needed', async () => {
    using file = new TemporaryKeyFile([entry('secret')]);
    await using auth = await authenticatorWith({ keysFile: file.path, maxFailedAttempts: 3 });
    for (let i = 0; i < 10; i += 1) expect(await auth.whois(undefined)).toBe('unauthorized');
    expect(await auth.whois('guess')).toBe('unauthorized');
    expect(auth.check.stats().refused.missing).toBe(10);
  });
});

it('what cannot work is refused with every mistake', async () => {
  using file = new TemporaryKeyFile([{}]);
  const creation = createAuthenticator({
    keysFile: file.path,
    jwt: { issuer: 'i', audience: 'a', jwksUrl: 'http://issuer.example/' },
    on: () => undefined,
  });
  const error = await creation.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AuthenticatorError);
  expect((error as AuthenticatorError).problems.map(({ where }) => where)).toEqual([
    'API_KEYS_FILE entry 1 id',
    'API_KEYS_FILE entry 1 allow',
    'API_KEYS_FILE entry 1 sha256',
    'JWT_JWKS_URL',
  ]);
});
