/**
 * `@modelcontextprotocol/server-slack`, the old reference server, in the place of the bridge `slack`. An operator writes
 * `"command": "npx", "args": ["-y", "@modelcontextprotocol/server-slack@2025.4.25"]` with `SLACK_BOT_TOKEN` and
 * `SLACK_TEAM_ID`; here a preload stands between it and Slack. It hides errors: what Slack refuses comes as a good answer
 * whose text says `"ok":false`, so callers have to look, and no policy of the fleet can. It writes whole arguments to stderr.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSandbox } from '../../bridges/slack/sandbox.ts';
import type { Sandbox } from '../../core/manifest.ts';
import { installed, REDIRECT } from './installed.ts';
import { effectsOf, endsClean, receivedBy, type Swapped, swap } from './swapped.ts';

const GENERAL = 'C0GENERAL01';

let folder: string;
let sandbox: Sandbox;
let slack: Swapped;

beforeAll(async () => {
  const entry = join(installed('@modelcontextprotocol/server-slack'), 'dist/index.js');
  folder = await mkdtemp(join(tmpdir(), 'fleet-slack-reference-'));
  sandbox = await startSandbox({ dataDir: folder });
  slack = await swap(
    'slack',
    {
      command: process.execPath,
      args: ['--import', REDIRECT, entry],
      env: {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how the operator writes it.
        SLACK_BOT_TOKEN: '${SLACK_BOT_TOKEN}',
        SLACK_TEAM_ID: 'T0PLANNER01',
        REDIRECT_HOSTS: JSON.stringify({ 'slack.com': sandbox.url }),
      },
      tools: {
        slack_list_channels: { effect: 'read' },
        slack_get_channel_history: { effect: 'read' },
        slack_get_thread_replies: { effect: 'read' },
        slack_get_users: { effect: 'read' },
        slack_get_user_profile: { effect: 'read' },
        slack_add_reaction: { effect: 'idempotent' },
        slack_post_message: { effect: 'write', idempotencyKey: 'required' },
        slack_reply_to_thread: { effect: 'write', idempotencyKey: 'required' },
      },
    },
    { SLACK_BOT_TOKEN: sandbox.env.SLACK_BOT_TOKEN ?? '' },
  );
}, 240_000);

afterAll(async () => {
  await slack?.[Symbol.asyncDispose]();
  await sandbox?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

it('lists its eight tools with the effects of the config', async () => {
  expect(await effectsOf(slack)).toEqual({
    slack_list_channels: 'read',
    slack_post_message: 'write',
    slack_reply_to_thread: 'write',
    slack_add_reaction: 'idempotent',
    slack_get_channel_history: 'read',
    slack_get_thread_replies: 'read',
    slack_get_users: 'read',
    slack_get_user_profile: 'read',
  });
});

it('reads channels and what was said in one', async () => {
  const channels = await slack.call('slack_list_channels', { limit: 2 });
  expect(JSON.parse(channels.said)).toMatchObject({ ok: true, channels: [{ id: GENERAL }, {}] });
  const history = await slack.call('slack_get_channel_history', { channel_id: GENERAL, limit: 10 });
  expect([history.isError, history.said.includes('Welcome to the spring season')]).toEqual([false, true]);
});

it('posts once for one key, and not at all without one', async () => {
  const message = { channel_id: GENERAL, text: 'Doors open at 18:00' };
  const without = await slack.call('slack_post_message', message);
  expect([without.status, without.json.code]).toEqual([400, 'idempotency_key_required']);
  const first = await slack.call('slack_post_message', message, { 'idempotency-key': 'doors-1' });
  expect(JSON.parse(first.said)).toMatchObject({ ok: true, message: { text: message.text } });
  const again = await slack.call('slack_post_message', message, { 'idempotency-key': 'doors-1' });
  expect([again.status, again.said]).toEqual([200, first.said]);
  expect(await receivedBy(sandbox, '/api/chat.postMessage')).toHaveLength(1);
});

it("hides Slack's refusal in a good answer, which is kept for its key", async () => {
  const nowhere = { channel_id: 'C0NOWHERE99', text: 'x' };
  const refused = await slack.call('slack_post_message', nowhere, { 'idempotency-key': 'nowhere-1' });
  expect([refused.status, refused.isError]).toEqual([200, false]);
  expect(JSON.parse(refused.said)).toEqual({ ok: false, error: 'channel_not_found' });
  const sent = (await receivedBy(sandbox, '/api/chat.postMessage')).length;
  const again = await slack.call('slack_post_message', nowhere, { 'idempotency-key': 'nowhere-1' });
  expect([again.status, again.said]).toEqual([200, refused.said]);
  expect(await receivedBy(sandbox, '/api/chat.postMessage')).toHaveLength(sent);
});

it('ends with the fleet', async () => {
  await endsClean(slack);
});
