import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/twilio/bridge.ts';
import { MAGIC, SEED, TEMPLATES } from '../../../bridges/twilio/stand-in/seed.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const { guests, numbers, services } = SEED;

let twilio: Vendor;

beforeAll(async () => {
  twilio = await startVendor('twilio');
});
afterAll(() => twilio?.[Symbol.asyncDispose]());
beforeEach(() => twilio.sandbox.reset());

let keys = 0;
/** Each call as a first one: around the cache, and under a key of its own. */
const call = (tool: string, args: object = {}) =>
  twilio.call(tool, { ...args }, { 'cache-control': 'no-cache', 'idempotency-key': `tools-${++keys}` });
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
const posts = async () => (await twilio.sandbox.received()).filter(({ method }) => method === 'POST');

describe('what the bridge lists', () => {
  test('is every tool of the manifest, each with schemas, a description and annotations of its effect', async () => {
    const tools = await twilio.tools();
    expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(manifest.tools).sort());
    for (const { name, description, annotations, inputSchema } of tools) {
      const effect = manifest.tools[name]?.effect;
      expect(annotations).toMatchObject({ readOnlyHint: effect === 'read', idempotentHint: effect !== 'write' });
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(description.length).toBeGreaterThan(80);
    }
  });

  test("the manifest's example works on the sandbox", async () => {
    const { tool = '', arguments: args } = manifest.example ?? {};
    expect((await call(tool, { ...args })).data).toMatchObject({ valid: true, country: 'DE', allowed: true });
  });
});

describe('send_sms', () => {
  test('sends by the messaging service of the settings, and get_message tells how it goes on', async () => {
    const { data: sent } = await call('send_sms', { to: guests.mara, body: 'Doors open at 18:00 🎉' });
    expect(sent).toMatchObject({
      sid: expect.stringMatching(/^SM[0-9a-f]{32}$/),
      channel: 'sms',
      direction: 'outbound',
      status: 'accepted',
      from: null,
      to: guests.mara,
      body: 'Doors open at 18:00 🎉',
      messagingServiceSid: services.invitations,
      price: null,
    });
    const seen = [];
    for (let n = 0; n < 3; n++) seen.push((await call('get_message', { sid: sent.sid })).data);
    expect(seen.map(({ status }) => status)).toEqual(['queued', 'sent', 'delivered']);
    expect(seen.at(-1)).toMatchObject({
      from: numbers.invitations,
      price: '0.00750',
      currency: 'USD',
      errorCode: null,
    });
  });

  test('sends from a number that the caller names, with images', async () => {
    const args = {
      to: guests.tom,
      from: numbers.us,
      body: 'The menu',
      mediaUrls: ['https://planner.example/menu.jpg'],
    };
    const { data } = await call('send_sms', args);
    expect(data).toMatchObject({ from: numbers.us, mediaCount: 1, messagingServiceSid: null, status: 'queued' });
  });

  test('schedules, and cancel_scheduled_message takes it back, as often as it is asked', async () => {
    const { data } = await call('send_sms', { to: guests.mara, body: 'Tomorrow!', sendAt: inMinutes(60) });
    expect(data).toMatchObject({ status: 'scheduled', sentAt: null });
    for (let n = 0; n < 2; n++) {
      expect((await call('cancel_scheduled_message', { sid: data.sid })).data.status).toBe('canceled');
    }
    expect((await call('get_message', { sid: data.sid })).data.status).toBe('canceled');
  });

  test.each([
    [{ to: '015112345678', body: 'x' }, '/to'],
    [{ to: guests.mara, body: '' }, '/body'],
    [{ to: guests.mara, body: 'x'.repeat(1_601) }, '/body'],
    [{ to: guests.mara }, '/body'],
    [{ to: guests.mara, body: 'x', sendAt: '2027-06-12T09:00:00' }, '/sendAt'],
    [{ to: guests.mara, body: 'x', mediaUrls: ['http://planner.example/menu.jpg'] }, '/mediaUrls/0'],
    [{ to: guests.mara, body: 'x', statusCallback: 'https://evil.example' }, ''],
  ])('refuses %j before it reaches Twilio', async (args, pointer) => {
    const answer = await call('send_sms', args);
    if (answer.status !== 422 && answer.status !== 200) throw new Error(answer.text);
    const { errors } = answer.status === 422 ? answer.json : answer.data.error;
    expect(errors[0].pointer).toMatch(pointer === '/body' ? /^(\/body)?$/ : new RegExp(`^${pointer}`));
    expect(await twilio.sandbox.received()).toEqual([]);
  });

  test.each([
    [{ sendAt: inMinutes(5) }, 'invalid_schedule'],
    [{ sendAt: inMinutes(60 * 24 * 36) }, 'invalid_schedule'],
    [{ to: '+18765550100' }, 'country_not_allowed'],
    [{ to: '+447012345678' }, 'country_not_allowed'],
  ])('refuses %j itself', async (args, code) => {
    const { data } = await call('send_sms', { to: guests.mara, body: 'x', ...args });
    expect(data.error).toMatchObject({ code, retryable: false });
    expect(await twilio.sandbox.received()).toEqual([]);
  });

  test.each([
    [MAGIC.invalid, 'invalid_recipient', 21211],
    [MAGIC.unroutable, 'recipient_unreachable', 21612],
    [MAGIC.region, 'region_not_permitted', 21408],
    [guests.optedOut, 'recipient_opted_out', 21610],
    [MAGIC.landline, 'invalid_recipient', 21614],
  ])("tells Twilio's refusal of %s as %s", async (to, code, vendorCode) => {
    const { data, isError } = await call('send_sms', { to, body: 'x' });
    expect(isError).toBe(true);
    expect(data.error).toMatchObject({ code, vendorCode, vendorStatus: 400, retryable: false, executed: 'no' });
    expect(data.error.hint.length).toBeGreaterThan(20);
  });

  test('from a number that is not ours is refused by Twilio', async () => {
    const { data } = await call('send_sms', { to: guests.mara, body: 'x', from: '+4930999999' });
    expect(data.error).toMatchObject({ code: 'invalid_sender', vendorCode: 21659 });
  });

  test('that the carrier takes for spam says what to do', async () => {
    const { data } = await call('send_sms', { to: MAGIC.filtered, body: 'Win now!!!' });
    let last = data;
    for (let n = 0; n < 3; n++) last = (await call('get_message', { sid: data.sid })).data;
    expect(last).toMatchObject({
      status: 'undelivered',
      errorCode: 30_007,
      errorHint: expect.stringContaining('spam'),
    });
  });

  test('needs a key', async () => {
    const answer = await twilio.call('send_sms', { to: guests.mara, body: 'x' });
    expect(answer).toMatchObject({ status: 400, json: { code: 'idempotency_key_required', executed: 'no' } });
    expect(await twilio.sandbox.received()).toEqual([]);
  });
});

describe('send_whatsapp', () => {
  test('answers somebody who wrote, from the WhatsApp number', async () => {
    const { data } = await call('send_whatsapp', { to: guests.mara, body: 'Yes, 40 places.' });
    expect(data).toMatchObject({ channel: 'whatsapp', to: guests.mara, from: numbers.main, messagingServiceSid: null });
    const [sent] = await posts();
    expect(new URLSearchParams(sent?.body).get('To')).toBe(`whatsapp:${guests.mara}`);
  });

  test('sends a template with its variables filled in', async () => {
    const { data: list } = await call('list_message_templates');
    const template = list.templates.find(({ name }: { name: string }) => name === 'rsvp_request');
    const templateVariables = [
      { name: '1', value: 'Tom' },
      { name: '2', value: 'the summer party' },
    ];
    const { data } = await call('send_whatsapp', { to: guests.tom, templateSid: template.sid, templateVariables });
    expect(data.body).toBe('Hi Tom, will you come to the summer party? Please answer YES or NO.');
  });

  test('of free text to somebody who has not written is not delivered, and says why', async () => {
    const { data } = await call('send_whatsapp', { to: guests.tom, body: 'Hello?' });
    let last = data;
    for (let n = 0; n < 2; n++) last = (await call('get_message', { sid: data.sid })).data;
    expect(last).toMatchObject({ status: 'undelivered', errorCode: 63_016 });
    expect(last.errorHint).toContain('templateSid');
  });

  test.each([{}, { body: 'x', templateSid: TEMPLATES[0].sid }])(
    'takes exactly one of body and template: %j',
    async (args) => {
      const { data } = await call('send_whatsapp', { to: guests.mara, ...args });
      expect(data.error.code).toBe('invalid_arguments');
      expect(await twilio.sandbox.received()).toEqual([]);
    },
  );

  test("tells Twilio's refusal of a template", async () => {
    const { data } = await call('send_whatsapp', { to: guests.mara, templateSid: `HX${'0'.repeat(32)}` });
    expect(data.error).toMatchObject({ code: 'invalid_template', vendorCode: 21655 });
  });
});

describe('messages', () => {
  test('list_messages goes from page to page, newest first, without a gap or a repeat', async () => {
    for (const body of ['one', 'two', 'three', 'four']) await call('send_sms', { to: guests.lea, body });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const args = { to: guests.lea, limit: 2, ...(cursor === null ? {} : { cursor }) };
      const { data } = await call('list_messages', args);
      expect(data.messages.length).toBeLessThanOrEqual(2);
      seen.push(...data.messages.map(({ body }: { body: string }) => body));
      cursor = data.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(['four', 'three', 'two', 'one', 'The caterer needs your menu choice by Friday.']);
  });

  test('list_messages finds what people wrote, by channel and time', async () => {
    const { data: inbound } = await call('list_messages', { from: guests.tom });
    expect(inbound.messages).toMatchObject([
      { direction: 'inbound', status: 'received', body: 'Thanks, we will be four.' },
    ]);
    const { data: whatsapp } = await call('list_messages', { from: guests.mara, channel: 'whatsapp' });
    expect(whatsapp.messages).toMatchObject([{ channel: 'whatsapp', from: guests.mara, to: numbers.main }]);
    const { data: old } = await call('list_messages', { sentBefore: inMinutes(-60 * 24 * 5) });
    expect(old.messages).toHaveLength(1);
    const { data: recent } = await call('list_messages', { sentAfter: inMinutes(-60 * 24 * 5), to: guests.mara });
    expect(recent.messages).toEqual([]);
  });

  test('a cursor of another list is refused', async () => {
    const { data } = await call('list_messages', { limit: 1 });
    for (const args of [{ cursor: data.nextCursor, to: guests.tom }, { cursor: 'x' }]) {
      expect((await call('list_messages', args)).data.error.code).toBe('invalid_cursor');
    }
    expect((await call('list_messages', { cursor: data.nextCursor, limit: 3 })).data.messages).toHaveLength(3);
  });

  test('what was never there or is sent already cannot be got or cancelled', async () => {
    const nobody = { sid: `SM${'0'.repeat(32)}` };
    for (const tool of ['get_message', 'cancel_scheduled_message']) {
      expect((await call(tool, nobody)).data.error).toMatchObject({ code: 'not_found', vendorCode: 20404 });
      expect((await call(tool, { sid: '../Balance' })).status).toBe(422);
    }
    const { data } = await call('send_sms', { to: guests.tom, body: 'now' });
    expect((await call('cancel_scheduled_message', { sid: data.sid })).data.error).toMatchObject({
      code: 'not_cancellable',
      vendorCode: 30409,
    });
  });
});

describe('lookup_phone', () => {
  test('takes a number as it is written at home', async () => {
    const { data } = await call('lookup_phone', { number: '0151 1234-5678', country: 'DE' });
    expect(data).toMatchObject({ valid: true, phoneNumber: guests.mara, country: 'DE', lineType: null, problems: [] });
  });

  test('pays for details only where they are asked for', async () => {
    const { data } = await call('lookup_phone', { number: guests.mara, details: ['line_type'] });
    expect(data).toMatchObject({ lineType: 'mobile', carrier: 'Sandbox Mobile', callerName: null });
    const [seen] = await twilio.sandbox.received();
    expect(seen?.query).toEqual({ Fields: 'line_type_intelligence' });
  });

  test('says what is wrong with a number, and whether it may be written to', async () => {
    expect((await call('lookup_phone', { number: '+49151' })).data).toMatchObject({
      valid: false,
      problems: ['TOO_SHORT'],
    });
    const jamaica = (await call('lookup_phone', { number: '+18765550100' })).data;
    expect(jamaica).toMatchObject({ valid: true, country: 'JM', callingCode: '1', allowed: false });
  });

  test.each([
    [{ number: '0151 12345678' }, 'invalid_arguments'],
    [{ number: '0151 12345678', country: 'DE', details: ['line_type'] }, 'invalid_arguments'],
    [{ number: '+18765550100', details: ['line_type'] }, 'country_not_allowed'],
  ])('refuses %j', async (args, code) => {
    expect((await call('lookup_phone', args)).data.error.code).toBe(code);
    expect(await twilio.sandbox.received()).toEqual([]);
  });

  test('never leaves its path', async () => {
    expect((await call('lookup_phone', { number: '+49/../../Services' })).status).toBe(422);
  });
});

describe('verifications', () => {
  test('a code is sent, the same again while it is pending, checked, and used up', async () => {
    const { data: first } = await call('start_verification', { to: guests.mara });
    expect(first).toMatchObject({ status: 'pending', channel: 'sms', codesSent: 1 });
    const { data: second } = await call('start_verification', { to: guests.mara, channel: 'call', locale: 'de' });
    expect(second).toMatchObject({ verificationSid: first.verificationSid, codesSent: 2 });
    const wrong = await call('check_verification', { to: guests.mara, code: '000000' });
    expect(wrong).toMatchObject({ isError: false, data: { approved: false, status: 'pending' } });
    const right = await call('check_verification', { to: guests.mara, code: SEED.code });
    expect(right.data).toMatchObject({ approved: true, status: 'approved', verificationSid: first.verificationSid });
    const used = await call('check_verification', { to: guests.mara, code: SEED.code });
    expect(used.data.error).toMatchObject({ code: 'verification_not_found', vendorCode: 20404 });
    expect(used.data.error.hint).toContain('start_verification');
  });

  test('end after five codes or five wrong answers, which is no rate limit', async () => {
    for (let n = 0; n < 5; n++) await call('start_verification', { to: guests.tom });
    const sixth = await call('start_verification', { to: guests.tom });
    expect(sixth.data.error).toMatchObject({
      code: 'too_many_codes',
      retryable: false,
      vendorCode: 60203,
      vendorStatus: 429,
    });
    for (let n = 0; n < 5; n++) await call('check_verification', { to: guests.tom, code: '111111' });
    const check = await call('check_verification', { to: guests.tom, code: SEED.code });
    expect(check.data.error).toMatchObject({ code: 'too_many_checks', retryable: false });
  });

  test('are refused where the money may not go, and where Twilio refuses', async () => {
    expect((await call('start_verification', { to: '+18765550100' })).data.error.code).toBe('country_not_allowed');
    expect((await call('start_verification', { to: MAGIC.landline })).data.error).toMatchObject({
      code: 'recipient_unreachable',
      vendorCode: 60205,
    });
    expect((await call('start_verification', { to: 'mara@example.org' })).status).toBe(422);
    expect((await call('check_verification', { to: guests.mara, code: '12ab' })).status).toBe(422);
  });
});

describe('what the account has', () => {
  test('list_phone_numbers', async () => {
    const { data } = await call('list_phone_numbers', { contains: '1202' });
    expect(data.phoneNumbers).toMatchObject([{ phoneNumber: numbers.us, name: 'US guests', sms: true, mms: true }]);
    expect((await call('list_phone_numbers', { limit: 2 })).data.nextCursor).not.toBeNull();
    expect((await call('list_phone_numbers', { contains: 'x' })).status).toBe(422);
  });

  test('list_messaging_services and list_message_templates, page by page', async () => {
    for (const [tool, member, count] of [
      ['list_messaging_services', 'services', 2],
      ['list_message_templates', 'templates', 3],
    ] as const) {
      const sids = new Set<string>();
      let cursor: string | undefined;
      do {
        const { data } = await call(tool, { limit: 1, ...(cursor === undefined ? {} : { cursor }) });
        sids.add(data[member][0].sid);
        cursor = data.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(sids.size).toBe(count);
      expect((await call(tool, { limit: 0 })).status).toBe(422);
    }
    const { data } = await call('list_message_templates');
    expect(data.templates[2]).toMatchObject({ approval: 'rejected', rejectionReason: 'INVALID_FORMAT' });
    expect(data.templates[0].variables[0]).toEqual({ name: '1', example: 'Mara' });
  });

  test('get_balance counts what was spent', async () => {
    const { data: before } = await call('get_balance');
    expect(before).toEqual({ balance: expect.stringMatching(/^\d+\.\d{4}$/), currency: 'USD' });
    await call('start_verification', { to: guests.mara });
    expect(Number((await call('get_balance')).data.balance)).toBeCloseTo(Number(before.balance) - 0.05, 4);
    expect((await call('get_balance', { x: 1 })).status).toBe(422);
  });

  test.each([
    'list_phone_numbers',
    'list_messaging_services',
    'list_message_templates',
    'get_balance',
    'list_messages',
  ])('%s says that the key lacks the right, and which variable to look at where the key is refused', async (tool) => {
    await twilio.sandbox.fault({ kind: 'status', status: 403 });
    expect((await call(tool)).data.error).toMatchObject({ code: 'permission_denied', retryable: false });
    await twilio.sandbox.fault({ kind: 'status', status: 401 });
    const { error } = (await call(tool)).data;
    expect(error).toMatchObject({ code: 'credentials_refused', vendorCode: 20003, retryable: false });
    expect(error.hint).toContain('TWILIO_API_KEY_SECRET');
  });
});
