import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GoogleAccess } from '../../../bridges/google/credentials.ts';
import { type GoogleAnswer, GoogleApi } from '../../../bridges/google/google-api.ts';
import { googleErrorAnswer, googleStatusAnswer, SandboxTokens } from '../../../bridges/google/sandbox-token.ts';
import type { Effect } from '../../../core/call.ts';
import { SandboxServer } from '../../../core/sandbox-kit/sandbox-server.ts';
import { createLog } from '../../../core/server-kit/log.ts';
import { DEADLINE_META, IDEMPOTENCY_META, openContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';

/** A vendor of one address, which can be told to refuse with a reason. */
let google: SandboxServer;
let refusal: { readonly status: number; readonly reason: string } | undefined;

beforeAll(async () => {
  const tokens = new SandboxTokens();
  google = await SandboxServer.start({
    name: 'google',
    routes: [
      ...tokens.routes,
      {
        method: 'POST',
        path: '/thing',
        answer: () =>
          refusal === undefined
            ? { status: 200, body: { done: true } }
            : googleErrorAnswer(refusal.status, refusal.reason, 'Google says no.'),
      },
    ],
    authorize: tokens.authorize,
    errorAnswer: googleStatusAnswer,
    reset: () => {
      refusal = undefined;
    },
    state: () => ({}),
  });
});
afterAll(() => google[Symbol.asyncDispose]());
beforeEach(() => google.reset());

interface Thing {
  readonly do: (options: object) => Promise<GoogleAnswer<{ readonly done: boolean }>>;
}

function open(access: Partial<GoogleAccess> = {}): GoogleApi<Thing> {
  return new GoogleApi<Thing>({
    service: 'Google Things',
    access: {
      credentials: {
        kind: 'refresh_token',
        clientId: 'sandbox.apps.googleusercontent.com',
        clientSecret: 'sandbox-client-secret',
        refreshToken: '1//sandbox-refresh-token',
      },
      tokenUrl: `${google.url}/token`,
      ...access,
    },
    scopes: ['https://www.googleapis.com/auth/things'],
    open: async (auth) => ({
      do: async (options) => auth.request({ url: `${google.url}/thing`, method: 'POST', data: { n: 1 }, ...options }),
    }),
  });
}

interface Ask {
  readonly effect?: Effect;
  readonly deadlineMs?: number;
  readonly key?: string;
  readonly cancelled?: AbortSignal;
}

async function ask(api: GoogleApi<Thing>, { effect = 'read', deadlineMs, key, cancelled }: Ask = {}): Promise<unknown> {
  using open = openContext({
    effect,
    meta: {
      ...(deadlineMs === undefined ? {} : { [DEADLINE_META]: deadlineMs }),
      ...(key === undefined ? {} : { [IDEMPOTENCY_META]: key }),
    },
    cancelled: cancelled ?? new AbortController().signal,
    ending: new AbortController().signal,
    log: createLog({}, () => {}),
  });
  return await api.ask(effect, open.context, (thing, options) => thing.do(options));
}

async function refused(asked: Promise<unknown>): Promise<ToolError> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ToolError)) throw new Error(`no ToolError: ${error}`);
  return error;
}

const seen = (path: string) => google.received.entries.filter((entry) => entry.path === path);

describe('signing in', () => {
  test('many calls share one token of the process', async () => {
    const api = open();
    await Promise.all([ask(api), ask(api), ask(api)]);
    await ask(api);
    expect(seen('/thing')).toHaveLength(4);
    expect(seen('/token')).toHaveLength(1);
  });

  test('a service account signs for its scopes and its subject', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const credentials = {
      kind: 'service_account',
      email: 'bridge@x.example',
      privateKey,
      subject: 'mara@x.example',
    } as const;
    expect(await ask(open({ credentials }))).toEqual({ done: true });
    const assertion = new URLSearchParams(seen('/token')[0]?.body).get('assertion') ?? '';
    expect(JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      iss: 'bridge@x.example',
      sub: 'mara@x.example',
      scope: 'https://www.googleapis.com/auth/things',
    });
  });

  test('a token that Google no longer takes is renewed, and the write sent again, since it was not carried out', async () => {
    const api = open();
    await ask(api);
    google.faults.order({ kind: 'status', status: 401, path: '/thing' });
    expect(await ask(api, { effect: 'write' })).toEqual({ done: true });
    expect(seen('/thing').map(({ tookEffect }) => tookEffect)).toEqual([true, false, true]);
    expect(seen('/token')).toHaveLength(2);
  });

  test('a second refusal is told with the variable to look at', async () => {
    google.faults.order({ kind: 'status', status: 401, path: '/thing', times: 9 });
    const error = await refused(ask(open(), { effect: 'write' }));
    expect(error).toMatchObject({ code: 'credentials_refused', retryable: false, details: { executed: 'no' } });
    expect(error.hint).toContain('GOOGLE_REFRESH_TOKEN');
    expect(seen('/thing')).toHaveLength(2);
  });

  test.each([
    [{ refreshToken: 'canary' }, 'GOOGLE_REFRESH_TOKEN', 'invalid_grant'],
    [{ clientSecret: 'canary' }, 'GOOGLE_CLIENT_SECRET', 'invalid_client'],
  ])('wrong credentials are told by the name of their variable: %j', async (wrong, variable, vendorCode) => {
    const credentials = {
      kind: 'refresh_token' as const,
      clientId: 'sandbox.apps.googleusercontent.com',
      clientSecret: 'sandbox-client-secret',
      refreshToken: '1//sandbox-refresh-token',
      ...wrong,
    };
    const error = await refused(ask(open({ credentials })));
    expect(error).toMatchObject({ code: 'credentials_refused', retryable: false, details: { vendorCode } });
    expect(error.hint).toContain(variable);
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('canary');
    expect(seen('/thing')).toHaveLength(0);
  });

  test.each([{ kind: 'status', status: 503 }, { kind: 'drop_before' }] as const)(
    'without a token nothing is sent, and the endpoint is not asked over and over: %j',
    async (fault) => {
      google.faults.order({ ...fault, path: '/token', times: 9 });
      const error = await refused(ask(open(), { effect: 'write' }));
      expect(error).toMatchObject({ retryable: true, details: { executed: 'no' } });
      expect(error.code).toMatch(/^vendor_un(available|reachable)$/);
      expect(seen('/token')).toHaveLength(1);
      expect(seen('/thing')).toHaveLength(0);
    },
  );
});

describe('a read', () => {
  test.each(['drop_before', 'drop_after', 'malformed', 'status'] as const)(
    'is sent once more after %s',
    async (kind) => {
      google.faults.order({ kind, path: '/thing' });
      expect(await ask(open())).toEqual({ done: true });
      expect(seen('/thing')).toHaveLength(2);
    },
  );

  test('is sent no third time', async () => {
    google.faults.order({ kind: 'status', status: 503, path: '/thing', times: 9 });
    expect(await refused(ask(open()))).toMatchObject({ code: 'vendor_unavailable', retryable: true });
    expect(seen('/thing')).toHaveLength(2);
  });

  test('is not sent again where its deadline leaves no time for that', async () => {
    const api = open();
    await ask(api);
    google.faults.order({ kind: 'status', status: 429, retryAfterSeconds: 4, path: '/thing', times: 9 });
    expect(await refused(ask(api, { deadlineMs: 7_000 }))).toMatchObject({ code: 'vendor_rate_limited' });
    expect(seen('/thing')).toHaveLength(2);
  });

  test('that Google has no right for is refused at once', async () => {
    google.faults.order({ kind: 'status', status: 404, path: '/thing' });
    expect(await refused(ask(open()))).toMatchObject({ code: 'not_found', details: { vendorCode: 'notFound' } });
    expect(seen('/thing')).toHaveLength(1);
  });
});

describe('a write', () => {
  test.each(['drop_before', 'drop_after', 'malformed', 'status'] as const)(
    'is sent once, and its outcome is unknown after %s',
    async (kind) => {
      google.faults.order({ kind, path: '/thing' });
      const error = await refused(ask(open(), { effect: 'write', key: 'k' }));
      expect(error).toMatchObject({ code: 'outcome_unknown', retryable: false, details: { executed: 'maybe' } });
      expect(error.hint).toContain('Prefer: reconcile');
      expect(seen('/thing')).toHaveLength(1);
    },
  );

  test('that is cancelled on its way has an unknown outcome, and one that had not begun has none', async () => {
    const api = open();
    await ask(api);
    google.faults.order({ kind: 'slow', delayMs: 30_000, path: '/thing' });
    const cancel = new AbortController();
    const asked = refused(ask(api, { effect: 'write', cancelled: cancel.signal }));
    await expect.poll(() => seen('/thing').length).toBe(2);
    cancel.abort();
    expect(await asked).toMatchObject({ code: 'outcome_unknown', details: { executed: 'maybe' } });
    expect(await refused(ask(api, { effect: 'write', cancelled: cancel.signal }))).toMatchObject({ code: 'cancelled' });
    expect(seen('/thing')).toHaveLength(2);
  });

  test('that would end the same twice says to try again, and is still sent once', async () => {
    google.faults.order({ kind: 'drop_after', path: '/thing' });
    const error = await refused(ask(open(), { effect: 'idempotent' }));
    expect(error).toMatchObject({ code: 'vendor_unreachable', retryable: true });
    expect(seen('/thing')).toHaveLength(1);
  });

  test('to a vendor that is not there was certainly not carried out', async () => {
    const api = new GoogleApi({
      service: 'Google Things',
      access: {
        credentials: {
          kind: 'refresh_token',
          clientId: 'sandbox.apps.googleusercontent.com',
          clientSecret: 'sandbox-client-secret',
          refreshToken: '1//sandbox-refresh-token',
        },
        tokenUrl: `${google.url}/token`,
      },
      scopes: [],
      open: async (auth): Promise<Thing> => ({
        do: async (options) => auth.request({ url: 'http://127.0.0.1:1/thing', method: 'POST', ...options }),
      }),
    });
    const error = await refused(ask(api, { effect: 'write' }));
    expect(error).toMatchObject({ code: 'vendor_unreachable', retryable: true, details: { executed: 'no' } });
  });
});

describe('where Google limits', () => {
  test('the time it asks for is told, and nothing is sent before it is over', async () => {
    const api = open();
    google.faults.order({ kind: 'status', status: 429, retryAfterSeconds: 30, path: '/thing', times: 9 });
    const error = await refused(ask(api, { effect: 'write' }));
    expect(error).toMatchObject({
      code: 'vendor_rate_limited',
      retryable: true,
      details: { executed: 'no', vendorStatus: 429, vendorCode: 'rateLimitExceeded', retryAfterMs: 30_000 },
    });
    const later = await refused(ask(api));
    expect(later).toMatchObject({ code: 'vendor_rate_limited', retryable: true });
    expect(later.details?.retryAfterMs).toBeGreaterThan(20_000);
    expect(seen('/thing')).toHaveLength(1);
  });

  test('a read waits as told where its deadline allows, and is sent once more', async () => {
    google.faults.order({ kind: 'status', status: 429, retryAfterSeconds: 1, path: '/thing' });
    expect(await ask(open(), { deadlineMs: 20_000 })).toEqual({ done: true });
    expect(seen('/thing')).toHaveLength(2);
  });

  test('a read that is told no time is not sent again', async () => {
    google.faults.order({ kind: 'status', status: 429, path: '/thing', times: 9 });
    expect(await refused(ask(open()))).toMatchObject({ code: 'vendor_rate_limited', retryable: true });
    expect(seen('/thing')).toHaveLength(1);
  });
});

describe('what a refusal means', () => {
  test.each([
    [403, 'userRateLimitExceeded', 'vendor_rate_limited', true],
    [403, 'rateLimitExceeded', 'vendor_rate_limited', true],
    [403, 'insufficientPermissions', 'scope_missing', false],
    [403, 'insufficientFilePermissions', 'permission_denied', false],
    [403, 'accessNotConfigured', 'api_disabled', false],
    [403, 'storageQuotaExceeded', 'storage_full', false],
    [404, 'notFound', 'not_found', false],
    [409, 'duplicate', 'conflict', false],
    [410, 'deleted', 'gone', false],
    [412, 'conditionNotMet', 'changed_meanwhile', false],
    [400, 'badRequest', 'vendor_refused', false],
    [418, 'teapot', 'vendor_refused', false],
  ])('%d %s is %s', async (status, reason, code, retryable) => {
    refusal = { status, reason };
    expect(await refused(ask(open(), { effect: 'write' }))).toMatchObject({
      code,
      retryable,
      message: 'Google says no.',
      details: { executed: 'no', vendorStatus: status, vendorCode: reason },
    });
    expect(seen('/thing')).toHaveLength(1);
  });
});
