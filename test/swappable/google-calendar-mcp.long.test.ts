/**
 * `@cocal/google-calendar-mcp` in the place of the bridge `calendar`. An operator makes an OAuth client of the kind
 * "desktop app", runs `GOOGLE_OAUTH_CREDENTIALS=/path/client.json GOOGLE_CALENDAR_MCP_TOKEN_PATH=/path/tokens.json npx
 * @cocal/google-calendar-mcp@2.6.3 auth` once on a machine with a browser, and writes the same config without the
 * preload: `"command": "npx", "args": ["-y", "@cocal/google-calendar-mcp@2.6.3"]`. The server rewrites its token file,
 * so `pool.max` is 1. `ENABLED_TOOLS` does not take `manage-accounts` away, which changes that file and waits for a
 * browser: keep it from callers by what their keys allow. Guests of an event that is changed or deleted get mail unless
 * the call says `sendUpdates: "none"`.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSandbox } from '../../bridges/calendar/sandbox.ts';
import type { Sandbox } from '../../core/manifest.ts';
import { until } from '../support/until.ts';
import { installed, REDIRECT } from './installed.ts';
import { effectsOf, endsClean, receivedBy, type Swapped, swap } from './swapped.ts';

const EVENTS = '/calendar/v3/calendars/primary/events';
const EFFECTS = {
  'list-calendars': 'read',
  'list-events': 'read',
  'search-events': 'read',
  'get-event': 'read',
  'list-colors': 'read',
  'get-freebusy': 'read',
  'get-current-time': 'read',
  'create-event': 'write',
  'update-event': 'write',
  'delete-event': 'write',
  'respond-to-event': 'idempotent',
} as const;

let folder: string;
let sandbox: Sandbox;
let calendar: Swapped;

/** As the vendor's console and the server's own `auth` command leave them; the access token has run out. */
async function writeCredentials({ env }: Sandbox): Promise<Readonly<Record<string, string>>> {
  const [clientFile, tokenFile] = [join(folder, 'client.json'), join(folder, 'tokens.json')];
  const client = {
    client_id: env.GOOGLE_CLIENT_ID,
    client_secret: env.GOOGLE_CLIENT_SECRET,
    redirect_uris: ['http://localhost'],
  };
  const tokens = { access_token: 'ya29.old', refresh_token: env.GOOGLE_REFRESH_TOKEN, expiry_date: 1 };
  await writeFile(clientFile, JSON.stringify({ installed: client }), { mode: 0o600 });
  await writeFile(tokenFile, JSON.stringify({ normal: tokens }), { mode: 0o600 });
  return { GOOGLE_OAUTH_CREDENTIALS: clientFile, GOOGLE_CALENDAR_MCP_TOKEN_PATH: tokenFile };
}

beforeAll(async () => {
  const entry = join(installed('@cocal/google-calendar-mcp'), 'build/index.js');
  folder = await mkdtemp(join(tmpdir(), 'fleet-cocal-'));
  sandbox = await startSandbox();
  const { url } = sandbox;
  calendar = await swap('calendar', {
    command: process.execPath,
    args: ['--import', REDIRECT, entry],
    env: {
      ...(await writeCredentials(sandbox)),
      ENABLED_TOOLS: Object.keys(EFFECTS).join(),
      REDIRECT_HOSTS: JSON.stringify({
        'www.googleapis.com': url,
        'calendar.googleapis.com': url,
        'oauth2.googleapis.com': url,
      }),
    },
    pool: { min: 1, max: 1, startDeadlineMs: 30_000 },
    tools: {
      ...Object.fromEntries(Object.entries(EFFECTS).map(([name, effect]) => [name, { effect }])),
      'create-event': { effect: 'write', idempotencyKey: 'required' },
    },
  });
}, 240_000);

afterAll(async () => {
  await calendar?.[Symbol.asyncDispose]();
  await sandbox?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

it('lists the tools that are let through, with the effects of the config', async () => {
  expect(await effectsOf(calendar)).toEqual({ ...EFFECTS, 'manage-accounts': 'write' });
});

it('refreshes its token by itself, and reads calendars and events', async () => {
  const calendars = await calendar.call('list-calendars');
  expect([calendars.status, calendars.isError, calendars.said.includes('Weddings')]).toEqual([200, false, true]);
  expect(await receivedBy(sandbox, '/token')).not.toEqual([]);
  await until('the new token is in the file', async () =>
    (await readFile(join(folder, 'tokens.json'), 'utf8')).includes('ya29.sandbox'),
  );
  const events = await calendar.call('list-events', {
    calendarId: 'primary',
    timeMin: new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 19),
    timeMax: new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 19),
  });
  expect([events.isError, events.said.includes('Planning round')]).toEqual([false, true]);
});

it('creates an event once for one key, and not at all without one', async () => {
  const event = {
    calendarId: 'primary',
    summary: 'Tasting at the Glasshouse',
    start: '2031-05-06T10:00:00',
    end: '2031-05-06T11:00:00',
    sendUpdates: 'none',
  };
  const creations = async () => (await receivedBy(sandbox, EVENTS)).filter(({ method }) => method === 'POST');
  const without = await calendar.call('create-event', event);
  expect([without.status, without.json.code]).toEqual([400, 'idempotency_key_required']);
  const first = await calendar.call('create-event', event, { 'idempotency-key': 'tasting-1' });
  expect([first.status, first.isError, first.said.includes('Tasting')]).toEqual([200, false, true]);
  const again = await calendar.call('create-event', event, { 'idempotency-key': 'tasting-1' });
  expect([again.status, again.said]).toEqual([200, first.said]);
  expect(await creations()).toHaveLength(1);
});

it.each([
  ['as it is asked to', { sendUpdates: 'none' }, 'none'],
  ['all of them where nothing is said', {}, 'all'],
])('mails the guests of a deleted event: %s', async (_, said, sent) => {
  const eventId = `guests${sent}00`.replaceAll(/[^a-v0-9]/g, '0');
  const event = { calendarId: 'primary', eventId, summary: 'Rehearsal', allowDuplicates: true };
  const hours = { start: '2031-05-07T10:00:00', end: '2031-05-07T11:00:00', sendUpdates: 'none' };
  const created = await calendar.call('create-event', { ...event, ...hours }, { 'idempotency-key': eventId });
  expect([created.status, created.isError]).toEqual([200, false]);
  const deleted = await calendar.call('delete-event', { calendarId: 'primary', eventId, ...said });
  expect([deleted.status, deleted.isError]).toEqual([200, false]);
  expect((await receivedBy(sandbox, `${EVENTS}/${eventId}`)).at(-1)).toMatchObject({
    method: 'DELETE',
    query: { sendUpdates: sent },
  });
});

it('hands on that Google knows no such event', async () => {
  const missing = await calendar.call('get-event', { calendarId: 'primary', eventId: 'nosuchevent00' });
  expect([missing.status, missing.isError]).toEqual([200, true]);
  expect(missing.said).toContain("Event with ID 'nosuchevent00' not found");
});

it('ends with the fleet', async () => {
  await endsClean(calendar);
});
