import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../bridges/calendar/settings.ts';
import { Fleet } from '../../support/fleet.ts';

const SERVER = fileURLToPath(new URL('../../../bridges/calendar/server.ts', import.meta.url));
const SIGNED_IN = { GOOGLE_CLIENT_ID: 'id', GOOGLE_CLIENT_SECRET: 'hush', GOOGLE_REFRESH_TOKEN: '1//hush' };

describe('the settings', () => {
  test("Google's own address is the default, and a stand-in may be on this machine", () => {
    expect(readSettings(SIGNED_IN).apiUrl).toBe('https://www.googleapis.com');
    const url = 'http://127.0.0.1:9';
    expect(readSettings({ ...SIGNED_IN, GOOGLE_CALENDAR_API_URL: url }).apiUrl).toBe(url);
  });

  test('an address that is not safe is refused without being repeated', () => {
    const env = { ...SIGNED_IN, GOOGLE_CALENDAR_API_URL: 'http://calendar.example' };
    expect(() => readSettings(env)).toThrow(/^GOOGLE_CALENDAR_API_URL: must be an https address/);
    expect(() => readSettings(env)).not.toThrow(/calendar\.example/);
  });
});

test('a server without credentials exits with 78 and names what is missing and where to get it', () => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [SERVER], {
    env: { PATH: process.env.PATH, GOOGLE_CLIENT_SECRET: 'do-not-show-me' },
    encoding: 'utf8',
  });
  expect(status).toBe(78);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/GOOGLE_CLIENT_ID is missing: .*console/);
  expect(stderr).toMatch(/GOOGLE_REFRESH_TOKEN is missing/);
  expect(stderr).not.toContain('do-not-show-me');
});

test('served without credentials every call is 503 not_configured and names the variables', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'calendar'] });
  const answer = await fleet.request('/calendar/mcp/tools/list_events', {});
  expect([answer.status, answer.json.code]).toEqual([503, 'not_configured']);
  expect(answer.json.detail).toContain('GOOGLE_SERVICE_ACCOUNT_JSON');
  expect(answer.json.detail).toContain('GOOGLE_REFRESH_TOKEN');
});
