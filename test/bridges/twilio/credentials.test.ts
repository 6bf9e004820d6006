import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/twilio/sandbox.ts';
import { readSettings } from '../../../bridges/twilio/settings.ts';
import { SEED } from '../../../bridges/twilio/stand-in/seed.ts';
import { Fleet } from '../../support/fleet.ts';
import { openStdioServer } from '../../support/stdio-server.ts';

const SERVER = fileURLToPath(new URL('../../../bridges/twilio/server.ts', import.meta.url));
const GOOD = {
  TWILIO_ACCOUNT_SID: SEED.accountSid,
  TWILIO_API_KEY_SID: SEED.apiKeySid,
  TWILIO_API_KEY_SECRET: SEED.apiKeySecret,
};

describe('the settings', () => {
  const problemsOf = (env: Record<string, string>): readonly string[] => {
    try {
      readSettings(env);
      return [];
    } catch (error) {
      return (error as { problems: readonly string[] }).problems;
    }
  };

  test.each([
    [{ TWILIO_ACCOUNT_SID: SEED.apiKeySid }, /^TWILIO_ACCOUNT_SID: must be an Account SID/],
    [{ TWILIO_API_KEY_SID: SEED.accountSid }, /^TWILIO_API_KEY_SID: must be the SID of an API key/],
    [{ TWILIO_API_KEY_SECRET: '"with spaces around" ' }, /^TWILIO_API_KEY_SECRET: must be the secret/],
    [{ TWILIO_FROM: '0301234567890' }, /^TWILIO_FROM: must be a number in E\.164/],
    [{ TWILIO_WHATSAPP_FROM: 'whatsapp:+493012345600' }, /^TWILIO_WHATSAPP_FROM: .*without whatsapp/],
    [{ TWILIO_MESSAGING_SERVICE_SID: 'MG1' }, /^TWILIO_MESSAGING_SERVICE_SID: must be a messaging service/],
    [{ TWILIO_VERIFY_SERVICE_SID: 'VAx' }, /^TWILIO_VERIFY_SERVICE_SID: must be a Verify service/],
    [{ TWILIO_ALLOWED_COUNTRIES: 'DE,Austria' }, /^TWILIO_ALLOWED_COUNTRIES: must be ISO country codes/],
    [{ TWILIO_MAX_MESSAGE_CHARS: '1601' }, /^TWILIO_MAX_MESSAGE_CHARS: must be a whole number/],
    [{ TWILIO_API_URL: 'http://twilio.example' }, /^TWILIO_API_URL: must be an https address/],
    [{ TWILIO_API_URL: 'https://twilio.example/v1' }, /^TWILIO_API_URL: must be a scheme, a host and a port only/],
  ])('%j are refused with what is wrong, never with a value', (env, problem) => {
    const problems = problemsOf({ ...GOOD, ...(env as Record<string, string>) });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    for (const value of Object.values(env)) expect(problems.join()).not.toContain(value);
  });

  test('are complete with the three credentials; nothing may be sent then', () => {
    expect(readSettings(GOOD)).toMatchObject({
      apiUrl: undefined,
      allowedCountries: undefined,
      maxMessageChars: 1_600,
    });
  });
});

test('a server without credentials exits with 78 and names what is missing and where to get it', () => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [SERVER], { env: {}, encoding: 'utf8' });
  expect(status).toBe(78);
  expect(stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/^TWILIO_ACCOUNT_SID is missing: .*console\.twilio\.com/),
    expect.stringMatching(/^TWILIO_API_KEY_SID is missing: .*API keys & tokens/),
    expect.stringMatching(/^TWILIO_API_KEY_SECRET is missing: .*not the Auth Token/),
  ]);
  expect(stdout).toBe('');
});

test('a bridge without credentials is not configured, and says what it lacks', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'twilio'] });
  const answer = await fleet.request('/twilio/mcp/tools/get_balance', {});
  expect(answer.status).toBe(503);
  expect(answer.json).toMatchObject({ code: 'not_configured', executed: 'no' });
  expect(answer.json.detail).toContain('TWILIO_API_KEY_SECRET');
});

test('the secret may come as a file; a wrong one is told by its variable and not repeated', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fleet-twilio-'));
  try {
    await using sandbox = await startSandbox({ dataDir: folder });
    const { TWILIO_API_KEY_SECRET: secret = '', ...others } = sandbox.env;
    const file = join(folder, 'secret');
    const from = { ...others, TWILIO_API_KEY_SECRET_FILE: file };
    await writeFile(file, `${secret}\n`);
    {
      await using server = await openStdioServer('twilio', from);
      expect((await server.call('get_balance')).isError).toBe(false);
    }
    await writeFile(file, 'wrong-secret-0000');
    await using server = await openStdioServer('twilio', from);
    const { data } = await server.call('get_balance');
    expect(data.error).toMatchObject({ code: 'credentials_refused', vendorCode: 20003 });
    expect(data.error.hint).toContain('TWILIO_API_KEY_SECRET');
    expect(JSON.stringify(data) + server.stderr()).not.toContain('wrong-secret');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('without a list of countries, a sender or a Verify service nothing is sent, and the variable is named', async () => {
  await using sandbox = await startSandbox({ dataDir: '' });
  const { TWILIO_ALLOWED_COUNTRIES: allowed = '', TWILIO_API_URL: url = '' } = sandbox.env;
  const args = { to: SEED.guests.mara, body: 'x' };
  {
    await using server = await openStdioServer('twilio', { ...GOOD, TWILIO_API_URL: url });
    for (const [tool, given] of [
      ['send_sms', { ...args, from: SEED.numbers.main }],
      ['send_whatsapp', { ...args, from: SEED.numbers.main }],
      ['start_verification', { to: args.to, serviceSid: SEED.verifyService }],
      ['lookup_phone', { number: args.to, details: ['line_type'] }],
    ] as const) {
      const { error } = (await server.call(tool, given)).data;
      expect(error).toMatchObject({ code: 'sending_not_enabled', retryable: false });
      expect(error.message).toContain('TWILIO_ALLOWED_COUNTRIES');
    }
  }
  await using server = await openStdioServer('twilio', {
    ...GOOD,
    TWILIO_API_URL: url,
    TWILIO_ALLOWED_COUNTRIES: allowed,
    TWILIO_MAX_MESSAGE_CHARS: '5',
  });
  const hintOf = async (tool: string, given: object) => (await server.call(tool, { ...given })).data.error.hint;
  expect(await hintOf('send_sms', args)).toContain('TWILIO_FROM');
  expect(await hintOf('send_whatsapp', args)).toContain('TWILIO_WHATSAPP_FROM');
  expect(await hintOf('send_sms', { ...args, from: SEED.numbers.main, sendAt: '2027-01-01T00:00:00Z' })).toContain(
    'TWILIO_MESSAGING_SERVICE_SID',
  );
  expect(await hintOf('send_sms', { ...args, body: 'too long' })).toContain('TWILIO_MAX_MESSAGE_CHARS');
  expect(await hintOf('start_verification', { to: args.to })).toContain('TWILIO_VERIFY_SERVICE_SID');
  const received = (await (await fetch(`${sandbox.url}/_sandbox/received`)).json()) as { received: unknown[] };
  expect(received.received).toEqual([]);
});
