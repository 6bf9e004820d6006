import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { googleAccess, googleEnvironment, googleSignIn, googleVariables } from '../../../bridges/google/credentials.ts';
import { EnvironmentError, readEnvironment } from '../../../core/server-kit/environment.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const KEY = { type: 'service_account', client_email: 'bridge@project.iam.example', private_key: privateKey };
const TRIO = { GOOGLE_CLIENT_ID: 'id', GOOGLE_CLIENT_SECRET: 'canary-secret', GOOGLE_REFRESH_TOKEN: 'canary-token' };

const read = (env: Readonly<Record<string, string>>) => googleAccess(readEnvironment(googleVariables, env));

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.problems;
    throw error;
  }
  return [];
}

test('a service account signs in with its key, in the name of a subject where one is given', () => {
  const env = { GOOGLE_SERVICE_ACCOUNT_JSON: JSON.stringify(KEY), GOOGLE_SUBJECT: 'mara@fenwick-events.example' };
  expect(read(env)).toEqual({
    credentials: {
      kind: 'service_account',
      email: KEY.client_email,
      privateKey,
      subject: 'mara@fenwick-events.example',
    },
    tokenUrl: 'https://oauth2.googleapis.com/token',
  });
});

test('the key may come as a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fleet-google-'));
  try {
    await writeFile(join(folder, 'key.json'), JSON.stringify(KEY));
    const access = read({ GOOGLE_SERVICE_ACCOUNT_JSON_FILE: join(folder, 'key.json') });
    expect(access.credentials).toMatchObject({ kind: 'service_account', subject: undefined });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a refresh token signs in with its client', () => {
  expect(read(TRIO).credentials).toEqual({
    kind: 'refresh_token',
    clientId: 'id',
    clientSecret: 'canary-secret',
    refreshToken: 'canary-token',
  });
});

test.each([
  [
    'nothing',
    {},
    [/^GOOGLE_SERVICE_ACCOUNT_JSON is missing: .*console.*or set GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET/],
  ],
  [
    'a part of the refresh token',
    { GOOGLE_CLIENT_SECRET: 'canary' },
    [/^GOOGLE_CLIENT_ID is missing: .*console/, /^GOOGLE_REFRESH_TOKEN is missing: /],
  ],
  [
    'both ways',
    { ...TRIO, GOOGLE_SERVICE_ACCOUNT_JSON: JSON.stringify(KEY) },
    [/^GOOGLE_SERVICE_ACCOUNT_JSON is set together with GOOGLE_CLIENT_ID, /],
  ],
  [
    'a subject for a refresh token',
    { ...TRIO, GOOGLE_SUBJECT: 'a@b.example' },
    [/^GOOGLE_SUBJECT goes with GOOGLE_SER/],
  ],
  [
    'a path for the key',
    { GOOGLE_SERVICE_ACCOUNT_JSON: '/canary/key.json' },
    [/^GOOGLE_SERVICE_ACCOUNT_JSON: must be/],
  ],
  ['JSON that is no key', { GOOGLE_SERVICE_ACCOUNT_JSON: 'null' }, [/must be the key of a service account/]],
  [
    "a user's credentials for the key",
    { GOOGLE_SERVICE_ACCOUNT_JSON: JSON.stringify({ ...KEY, type: 'authorized_user' }) },
    [/must be the key of a service account/],
  ],
  [
    'a broken key',
    { GOOGLE_SERVICE_ACCOUNT_JSON: JSON.stringify({ ...KEY, private_key: 'canary' }) },
    [/its private_key is no private key/],
  ],
  [
    'a token endpoint in the clear',
    { ...TRIO, GOOGLE_TOKEN_URL: 'http://canary.example/token' },
    [/^GOOGLE_TOKEN_URL: /],
  ],
])('%s is told by the names of the variables and nothing else', (_, env, expected) => {
  const problems = problemsOf(env);
  expect(problems).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  expect(problems.join('\n')).not.toContain('canary');
});

test('the manifests name every variable that is read, and the ways to sign in are made of them', () => {
  const names = googleEnvironment.map(({ name }) => name);
  expect(names.toSorted()).toEqual(Object.keys(googleVariables).toSorted());
  expect(names).toEqual(expect.arrayContaining(googleSignIn.flat()));
});
