import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/stripe/sandbox.ts';
import { readSettings } from '../../../bridges/stripe/settings.ts';
import type { Sandbox } from '../../../core/manifest.ts';
import { Fleet } from '../../support/fleet.ts';
import { openStdioServer } from '../../support/stdio-server.ts';

const SERVER = fileURLToPath(new URL('../../../bridges/stripe/server.ts', import.meta.url));
const LIVE = { STRIPE_SECRET_KEY: 'rk_live_neverShownAnywhere' };

let folder: string;
let sandbox: Sandbox;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-stripe-'));
  sandbox = await startSandbox({});
});
afterAll(async () => {
  await sandbox?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('the settings', () => {
  const problemsOf = (env: Record<string, string>): readonly string[] => {
    try {
      readSettings(env);
      return [];
    } catch (error) {
      return (error as { problems: readonly string[] }).problems;
    }
  };
  const good = { STRIPE_SECRET_KEY: 'sk_test_abcdefgh12345678' };

  test.each([
    [{}, /^STRIPE_SECRET_KEY is missing: .*dashboard\.stripe\.com/],
    [{ STRIPE_SECRET_KEY: 'pk_test_abcdefgh12345678' }, /^STRIPE_SECRET_KEY: is a publishable key/],
    [{ STRIPE_SECRET_KEY: '"sk_test_abcdefgh12345678"' }, /^STRIPE_SECRET_KEY: must look like sk_test_/],
    [{ STRIPE_SECRET_KEY: 'whsec_abcdefgh12345678' }, /^STRIPE_SECRET_KEY: must look like sk_test_/],
    [LIVE, /^STRIPE_SECRET_KEY is a live key.*STRIPE_ALLOW_LIVE=true/],
    [{ ...LIVE, STRIPE_ALLOW_LIVE: 'false' }, /^STRIPE_SECRET_KEY is a live key/],
    [
      { ...LIVE, STRIPE_ALLOW_LIVE: 'true', STRIPE_API_URL: 'https://stripe-proxy.example' },
      /^STRIPE_API_URL .* a live key is sent to Stripe alone/,
    ],
    [{ ...good, STRIPE_API_URL: 'http://stripe.example' }, /^STRIPE_API_URL: must be an https address/],
    [{ ...good, STRIPE_REQUEST_TIMEOUT_MS: '5' }, /^STRIPE_REQUEST_TIMEOUT_MS: must be a whole number/],
  ])('%j are refused with what is wrong, never with the key', (env, problem) => {
    const problems = problemsOf(env as Record<string, string>);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    const key = (env as { STRIPE_SECRET_KEY?: string }).STRIPE_SECRET_KEY;
    if (key !== undefined) expect(problems.join()).not.toContain(key);
  });

  test('Stripe itself is the default, and a live key is taken where that is said', () => {
    const { url, live } = readSettings({ ...LIVE, STRIPE_ALLOW_LIVE: 'true' });
    expect([url.href, live]).toEqual(['https://api.stripe.com/', true]);
    expect(readSettings({ ...good, STRIPE_API_URL: 'http://127.0.0.1:9' })).toMatchObject({ live: false });
  });
});

test('a server without a key, or with a live one by mistake, exits with 78 and says so', () => {
  for (const [env, said] of [
    [{}, /^STRIPE_SECRET_KEY is missing: .*\n$/],
    [LIVE, /^STRIPE_SECRET_KEY is a live key.*\n$/],
  ] as const) {
    const { status, stderr, stdout } = spawnSync(process.execPath, [SERVER], { env, encoding: 'utf8' });
    expect(status).toBe(78);
    expect(stderr).toMatch(said);
    expect(stdout).toBe('');
  }
});

test('a server with a live key that is meant says at start that money is real', () => {
  const env = { ...LIVE, STRIPE_ALLOW_LIVE: 'true' };
  const { status, stderr } = spawnSync(process.execPath, [SERVER], { env, input: '', encoding: 'utf8' });
  expect(status).toBe(0);
  expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', server: 'stripe', msg: 'live key: calls move real money' });
});

test('a bridge without a key is not configured, and says what it lacks', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'stripe'] });
  const answer = await fleet.request('/stripe/mcp/tools/get_balance', {});
  expect(answer.status).toBe(503);
  expect(answer.json).toMatchObject({ code: 'not_configured', executed: 'no' });
  expect(answer.json.detail).toContain('STRIPE_SECRET_KEY');
});

test('the key may come as a file', async () => {
  const file = join(folder, 'key');
  await writeFile(file, `${sandbox.env.STRIPE_SECRET_KEY}\n`);
  const env = { STRIPE_SECRET_KEY_FILE: file, STRIPE_API_URL: sandbox.env.STRIPE_API_URL ?? '' };
  await using server = await openStdioServer('stripe', env);
  expect((await server.call('get_balance')).data.mode).toBe('test');
});

test('a key that Stripe does not take is told by the name of its variable', async () => {
  const key = 'rk_test_revokedNeverShown';
  await using server = await openStdioServer('stripe', { ...sandbox.env, STRIPE_SECRET_KEY: key });
  for (const [tool, args] of [
    ['get_balance', {}],
    ['create_customer', { name: 'X' }],
  ] as const) {
    const { data, isError } = await server.call(tool, args);
    expect(isError).toBe(true);
    expect(data.error).toMatchObject({ code: 'credentials_refused', retryable: false });
    expect(data.error.hint).toContain('STRIPE_SECRET_KEY');
    expect(JSON.stringify(data) + server.stderr()).not.toContain(key);
  }
});
