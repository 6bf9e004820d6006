import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/slack/sandbox.ts';
import { readSettings } from '../../../bridges/slack/settings.ts';
import type { Sandbox } from '../../../core/manifest.ts';
import { Fleet } from '../../support/fleet.ts';
import { openStdioServer } from '../../support/stdio-server.ts';

const GENERAL = 'C0GENERAL01';
const SERVER = fileURLToPath(new URL('../../../bridges/slack/server.ts', import.meta.url));

let folder: string;
let sandbox: Sandbox;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-slack-'));
  sandbox = await startSandbox({ dataDir: folder });
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
  const good = { SLACK_BOT_TOKEN: 'xoxb-111111111111-222222222222-abcdefghijkl' };

  test.each([
    [{}, /^SLACK_BOT_TOKEN is missing: .*OAuth & Permissions/],
    [{ SLACK_BOT_TOKEN: 'xoxp-1111-2222-abcdefgh' }, /^SLACK_BOT_TOKEN: is a user token/],
    [{ SLACK_BOT_TOKEN: 'xapp-1-A0-1-abcdefgh' }, /^SLACK_BOT_TOKEN: is an app-level token/],
    [{ SLACK_BOT_TOKEN: '"xoxb-1111-2222-abcdefgh"' }, /^SLACK_BOT_TOKEN: must be a bot token/],
    [{ ...good, SLACK_API_URL: 'http://slack.example/api/' }, /^SLACK_API_URL: must be an https address/],
    [{ ...good, SLACK_API_URL: 'https://user:pass@slack.example/' }, /^SLACK_API_URL: must be an address/],
    [{ ...good, SLACK_API_URL: 'slack' }, /^SLACK_API_URL: must be an https address/],
  ])('%j are refused with what is wrong, never with a value', (env, problem) => {
    const problems = problemsOf(env as Record<string, string>);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    for (const value of Object.values(env)) expect(problems.join()).not.toContain(value);
  });

  test("Slack's own address is the default, and a stand-in may be on this machine", () => {
    expect(readSettings(good)).toEqual({ token: good.SLACK_BOT_TOKEN, apiUrl: 'https://slack.com/api/' });
    expect(readSettings({ ...good, SLACK_API_URL: 'http://127.0.0.1:9/api' }).apiUrl).toBe('http://127.0.0.1:9/api/');
  });
});

test('a server without a token exits with 78 and names what is missing', () => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [SERVER], { env: {}, encoding: 'utf8' });
  expect(status).toBe(78);
  expect(stderr).toMatch(/^SLACK_BOT_TOKEN is missing: .*\n$/);
  expect(stdout).toBe('');
});

test('a bridge without a token is not configured, and says what it lacks', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'slack'] });
  const answer = await fleet.request('/slack/mcp/tools/list_users', {});
  expect(answer.status).toBe(503);
  expect(answer.json).toMatchObject({ code: 'not_configured', executed: 'no' });
  expect(answer.json.detail).toContain('SLACK_BOT_TOKEN');
});

test('the token may come as a file', async () => {
  const file = join(folder, 'token');
  await writeFile(file, `${sandbox.env.SLACK_BOT_TOKEN}\n`);
  await using server = await openStdioServer('slack', {
    SLACK_BOT_TOKEN_FILE: file,
    SLACK_API_URL: sandbox.env.SLACK_API_URL ?? '',
  });
  expect((await server.call('list_users', { limit: 1 })).data.users).toHaveLength(1);
});

test('a token that Slack does not take is told by the name of its variable', async () => {
  const token = 'xoxb-revoked-0000-never-shown';
  const env = { ...sandbox.env, SLACK_BOT_TOKEN: token };
  await using server = await openStdioServer('slack', env);
  for (const tool of ['list_users', 'list_channels']) {
    const { data, isError } = await server.call(tool);
    expect(isError).toBe(true);
    expect(data.error).toMatchObject({ code: 'invalid_auth', vendorCode: 'invalid_auth', retryable: false });
    expect(data.error.hint).toContain('SLACK_BOT_TOKEN');
    expect(JSON.stringify(data) + server.stderr()).not.toContain(token);
  }
});

test('a scope that is missing is named; a keyed message is not sent where it cannot be looked for', async () => {
  const env = { ...sandbox.env, SLACK_BOT_TOKEN: 'xoxb-sandbox-writeonly-0002' };
  await using server = await openStdioServer('slack', env);
  const history = await server.call('channel_history', { channel: GENERAL });
  expect(history.data.error).toMatchObject({
    code: 'missing_scope',
    needed: 'channels:history',
    provided: 'chat:write',
    hint: expect.stringContaining('channels:history'),
  });
  const keyed = await server.call('post_message', { channel: GENERAL, text: 'x' }, { idempotencyKey: 'f'.repeat(64) });
  expect(keyed.data.error).toMatchObject({ code: 'missing_scope', executed: 'no', needed: 'channels:history' });
  const unkeyed = await server.call('post_message', { channel: GENERAL, text: 'x' });
  expect(unkeyed.isError).toBe(false);
});
