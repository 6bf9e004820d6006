/**
 * `slack-mcp-server` (Go) in the place of the bridge `slack`. The npm package is a Node program that starts a binary of
 * another package; the config names the binary, which saves a process and 39 MB. Its host is fixed: a proxy and a CA,
 * both settings of its own, lead it to the stand-in; no other host can be reached through that proxy. An operator
 * leaves `SLACK_MCP_PROXY` and `SLACK_MCP_SERVER_CA` out, sets `SLACK_BOT_TOKEN`, and gives the caches a folder that
 * stays, because each start reads all people and channels of the workspace before the first list of tools.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSandbox } from '../../bridges/slack/sandbox.ts';
import type { Sandbox } from '../../core/manifest.ts';
import { installed } from './installed.ts';
import { effectsOf, endsClean, receivedBy, type Swapped, swap } from './swapped.ts';
import { startTlsFront, type TlsFront } from './tls-front.ts';

const GENERAL = 'C0GENERAL01';
/** Allowed to be posted to, and not there. */
const NOWHERE = 'C0NOWHERE99';

/** One package for each platform; this one is locked here. */
const BINARY = 'slack-mcp-server-linux-amd64';
const RUNS_HERE = process.platform === 'linux' && process.arch === 'x64';

let folder: string;
let sandbox: Sandbox;
let front: TlsFront;
let slack: Swapped;

beforeAll(async () => {
  if (!RUNS_HERE) return;
  const binary = join(installed(BINARY), 'bin', BINARY);
  folder = await mkdtemp(join(tmpdir(), 'fleet-slack-go-'));
  sandbox = await startSandbox({ dataDir: folder });
  front = await startTlsFront(['slack.com', 'fenwick-events.slack.com'], sandbox.url ?? '');
  slack = await swap(
    'slack',
    {
      command: binary,
      args: ['--transport', 'stdio'],
      env: {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how the operator writes it.
        SLACK_MCP_XOXB_TOKEN: '${SLACK_BOT_TOKEN}',
        SLACK_MCP_ADD_MESSAGE_TOOL: `${GENERAL},${NOWHERE}`,
        SLACK_MCP_REACTION_TOOL: 'true',
        SLACK_MCP_USERS_CACHE: join(folder, 'users.json'),
        SLACK_MCP_CHANNELS_CACHE: join(folder, 'channels.json'),
        SLACK_MCP_PROXY: front.proxyUrl,
        SLACK_MCP_SERVER_CA: front.caFile,
      },
      pool: { startDeadlineMs: 60_000, concurrency: 4 },
      tools: {
        channels_list: { effect: 'read' },
        channels_me: { effect: 'read' },
        conversations_history: { effect: 'read' },
        conversations_replies: { effect: 'read' },
        users_search: { effect: 'read' },
        usergroups_list: { effect: 'read' },
        reactions_add: { effect: 'idempotent' },
        reactions_remove: { effect: 'idempotent' },
        conversations_join: { effect: 'idempotent' },
        conversations_leave: { effect: 'idempotent' },
        conversations_mark: { effect: 'idempotent' },
        conversations_add_message: { effect: 'write', idempotencyKey: 'required' },
        '*': { effect: 'write' },
      },
    },
    { SLACK_BOT_TOKEN: sandbox.env.SLACK_BOT_TOKEN ?? '' },
  );
}, 240_000);

afterAll(async () => {
  await slack?.[Symbol.asyncDispose]();
  await front?.[Symbol.asyncDispose]();
  await sandbox?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const sends = () => receivedBy(sandbox, '/api/chat.postMessage');

it.runIf(RUNS_HERE)('lists its tools, and each has the effect of the config', async () => {
  expect(await effectsOf(slack)).toEqual({
    channels_list: 'read',
    channels_me: 'read',
    conversations_history: 'read',
    conversations_replies: 'read',
    users_search: 'read',
    usergroups_list: 'read',
    conversations_join: 'idempotent',
    conversations_leave: 'idempotent',
    conversations_mark: 'idempotent',
    reactions_add: 'idempotent',
    reactions_remove: 'idempotent',
    conversations_add_message: 'write',
    usergroups_me: 'write',
    usergroups_create: 'write',
    usergroups_update: 'write',
    usergroups_users_update: 'write',
  });
});

it.runIf(RUNS_HERE)('reads channels and what was said in one', async () => {
  const channels = await slack.call('channels_list', { channel_types: 'public_channel' });
  expect([channels.status, channels.isError, channels.said.includes('#general')]).toEqual([200, false, true]);
  const history = await slack.call('conversations_history', { channel_id: GENERAL, limit: '5' });
  expect([history.isError, history.said.includes('Welcome to the spring season')]).toEqual([false, true]);
});

it.runIf(RUNS_HERE)('posts once for one key, and not at all without one', async () => {
  const message = { channel_id: GENERAL, payload: 'Doors open at 18:00', content_type: 'text/plain' };
  const before = (await sends()).length;
  const without = await slack.call('conversations_add_message', message);
  expect([without.status, without.json.code]).toEqual([400, 'idempotency_key_required']);
  const first = await slack.call('conversations_add_message', message, { 'idempotency-key': 'doors-1' });
  expect([first.status, first.isError, first.said.includes(GENERAL)]).toEqual([200, false, true]);
  const again = await slack.call('conversations_add_message', message, { 'idempotency-key': 'doors-1' });
  expect([again.status, again.said]).toEqual([200, first.said]);
  expect((await sends()).length - before).toBe(1);
});

it.runIf(RUNS_HERE)("hands Slack's refusal on as an error of the tool", async () => {
  const nowhere = { channel_id: NOWHERE, payload: 'x', content_type: 'text/plain' };
  const refused = await slack.call('conversations_add_message', nowhere, { 'idempotency-key': 'nowhere-1' });
  expect([refused.status, refused.isError, refused.said]).toEqual([200, true, 'channel_not_found']);
});

it.runIf(RUNS_HERE)('posts to no channel that the config does not name', async () => {
  const before = (await sends()).length;
  const elsewhere = { channel_id: 'C0AURORA002', payload: 'x', content_type: 'text/plain' };
  const refused = await slack.call('conversations_add_message', elsewhere, { 'idempotency-key': 'elsewhere-1' });
  expect([refused.status, refused.isError]).toEqual([200, true]);
  expect(await sends()).toHaveLength(before);
});

it.runIf(RUNS_HERE)('asked for no host but the ones of Slack', () => {
  expect(front.refused).toEqual([]);
});

it.runIf(RUNS_HERE)('ends with the fleet', async () => {
  await endsClean(slack);
});
