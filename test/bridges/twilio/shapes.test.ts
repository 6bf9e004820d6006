import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/twilio/sandbox.ts';
import { SEED } from '../../../bridges/twilio/stand-in/seed.ts';
import type { Sandbox } from '../../../core/manifest.ts';
import type { Received } from '../../../core/sandbox-kit/received-log.ts';
import { openStdioServer, type StdioServer } from '../../support/stdio-server.ts';
import { TwilioDocument } from './openapi.ts';

const { accountSid, guests, numbers, services, verifyService } = SEED;
const ACCOUNT = `/2010-04-01/Accounts/${accountSid}`;
const ACCOUNT_PATH = '/2010-04-01/Accounts/{AccountSid}';
const CREDENTIALS = Buffer.from(`${SEED.apiKeySid}:${SEED.apiKeySecret}`).toString('base64');

let sandbox: Sandbox;
const documents = new Map<string, TwilioDocument>();

beforeAll(async () => {
  sandbox = await startSandbox({ dataDir: '' });
});
afterAll(() => sandbox?.[Symbol.asyncDispose]());

function documentOf(name: string): TwilioDocument {
  const document = documents.get(name) ?? new TwilioDocument(name);
  documents.set(name, document);
  return document;
}

async function ask(address: string, form?: Readonly<Record<string, string>>) {
  const answer = await fetch(`${sandbox.url}${address}`, {
    headers: { authorization: `Basic ${CREDENTIALS}` },
    ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  return { status: answer.status, body: (await answer.json()) as any };
}

async function expectFit(
  document: string,
  path: string,
  method: 'get' | 'post',
  status: number,
  given: Promise<{ status: number; body: unknown }>,
) {
  const { status: answered, body } = await given;
  expect(answered).toBe(status);
  const fits = documentOf(document).answer(path, method, status);
  fits(body);
  expect(fits.errors ?? []).toEqual([]);
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  return body as any;
}

describe("the stand-in's answers are what Twilio's own documents describe, nothing missing and nothing made up", () => {
  const MESSAGES = `${ACCOUNT_PATH}/Messages.json`;
  const ONE = `${ACCOUNT_PATH}/Messages/{Sid}.json`;
  const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

  test.each([
    { To: guests.mara, From: numbers.main, Body: 'Hi' },
    { To: guests.mara, MessagingServiceSid: services.invitations, Body: 'Hi' },
    { To: `whatsapp:${guests.mara}`, From: `whatsapp:${numbers.main}`, Body: 'Hi' },
    { To: guests.mara, From: numbers.us, Body: 'Hi', MediaUrl: 'https://planner.example/menu.jpg' },
  ])('a message %j, made and as it goes on', async (form) => {
    const { sid } = await expectFit('api_v2010', MESSAGES, 'post', 201, ask(`${ACCOUNT}/Messages.json`, form));
    for (let n = 0; n < 3; n++) await expectFit('api_v2010', ONE, 'get', 200, ask(`${ACCOUNT}/Messages/${sid}.json`));
  });

  test('a scheduled message, and the same cancelled', async () => {
    const form = {
      To: guests.mara,
      MessagingServiceSid: services.reminders,
      Body: 'x',
      ScheduleType: 'fixed',
      SendAt: inAnHour(),
    };
    const { sid } = await expectFit('api_v2010', MESSAGES, 'post', 201, ask(`${ACCOUNT}/Messages.json`, form));
    const cancelled = ask(`${ACCOUNT}/Messages/${sid}.json`, { Status: 'canceled' });
    expect(await expectFit('api_v2010', ONE, 'post', 200, cancelled)).toMatchObject({ status: 'canceled' });
  });

  test.each([
    ['api_v2010', MESSAGES, `${ACCOUNT}/Messages.json?PageSize=2`],
    ['api_v2010', `${ACCOUNT_PATH}/IncomingPhoneNumbers.json`, `${ACCOUNT}/IncomingPhoneNumbers.json?PageSize=2`],
    ['api_v2010', `${ACCOUNT_PATH}/Balance.json`, `${ACCOUNT}/Balance.json`],
    ['messaging_v1', '/v1/Services', '/v1/Services?PageSize=1'],
    ['content_v1', '/v1/ContentAndApprovals', '/v1/ContentAndApprovals?PageSize=1'],
    ['lookups_v2', '/v2/PhoneNumbers/{PhoneNumber}', `/v2/PhoneNumbers/${guests.mara}`],
    ['lookups_v2', '/v2/PhoneNumbers/{PhoneNumber}', '/v2/PhoneNumbers/+49151'],
    [
      'lookups_v2',
      '/v2/PhoneNumbers/{PhoneNumber}',
      `/v2/PhoneNumbers/${numbers.us}?Fields=line_type_intelligence,caller_name`,
    ],
  ])('%s %s: %s', async (document, path, address) => {
    await expectFit(document, path, 'get', 200, ask(address));
  });

  test('a verification, started, fetched, listed and checked', async () => {
    const service = `/v2/Services/${verifyService}`;
    const path = '/v2/Services/{ServiceSid}';
    const form = { To: guests.tom, Channel: 'sms' };
    const { sid } = await expectFit(
      'verify_v2',
      `${path}/Verifications`,
      'post',
      201,
      ask(`${service}/Verifications`, form),
    );
    await expectFit('verify_v2', `${path}/Verifications/{Sid}`, 'get', 200, ask(`${service}/Verifications/${sid}`));
    await expectFit('verify_v2', '/v2/Attempts', 'get', 200, ask('/v2/Attempts'));
    const check = ask(`${service}/VerificationCheck`, { To: guests.tom, Code: SEED.code });
    expect(await expectFit('verify_v2', `${path}/VerificationCheck`, 'post', 201, check)).toMatchObject({
      valid: true,
    });
  });

  test('a caller without the API key is refused in the shape of Twilio', async () => {
    const answer = await fetch(`${sandbox.url}${ACCOUNT}/Balance.json`, {
      headers: { authorization: 'Basic QUM6eA==' },
    });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: 20003, status: 401, more_info: expect.any(String) });
  });
});

describe('what the tools send is what Twilio takes', () => {
  let server: StdioServer;
  beforeAll(async () => {
    server = await openStdioServer('twilio', { ...sandbox.env });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test.each([
    [
      'send_sms',
      'api_v2010',
      `${ACCOUNT_PATH}/Messages.json`,
      { body: 'x', sendAt: new Date(Date.now() + 3_600_000).toISOString() },
    ],
    [
      'send_whatsapp',
      'api_v2010',
      `${ACCOUNT_PATH}/Messages.json`,
      { body: 'x', mediaUrls: ['https://planner.example/a.jpg'] },
    ],
    ['start_verification', 'verify_v2', '/v2/Services/{ServiceSid}/Verifications', { locale: 'de' }],
    ['check_verification', 'verify_v2', '/v2/Services/{ServiceSid}/VerificationCheck', { code: '123456' }],
  ])('%s', async (tool, document, path, args) => {
    await fetch(`${sandbox.url}/_sandbox/received`, { method: 'DELETE' });
    await server.call(tool, { to: guests.mara, ...args });
    const { received } = (await (await fetch(`${sandbox.url}/_sandbox/received`)).json()) as { received: Received[] };
    const [seen] = received;
    const sent = [...new URLSearchParams(seen?.body).keys()];
    expect(sent).toContain('To');
    expect(documentOf(document).formNames(path, 'post')).toEqual(expect.arrayContaining(sent));
  });
});
