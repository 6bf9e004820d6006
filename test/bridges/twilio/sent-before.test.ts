import type { MessageInstance } from 'twilio/lib/rest/api/v2010/account/message.js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TwilioClient } from '../../../bridges/twilio/client.ts';
import { KnownSends } from '../../../bridges/twilio/known-sends.ts';
import type { MessageOrder } from '../../../bridges/twilio/message-order.ts';
import { fitOf, sentBefore } from '../../../bridges/twilio/sent-before.ts';
import { createLog } from '../../../core/server-kit/log.ts';

const HOUR_MS = 3_600_000;
const SERVICE = `MG${'1'.repeat(32)}`;
const NOW = Date.UTC(2027, 5, 12, 9);
const ORDER: MessageOrder = {
  to: '+4915112345678',
  body: 'Doors open at “18:00” – see you!',
  messagingServiceSid: SERVICE,
};

function message(changes: Partial<MessageInstance> = {}): MessageInstance {
  const found: Partial<MessageInstance> = {
    sid: `SM${'a'.repeat(32)}`,
    to: ORDER.to,
    from: '',
    body: ORDER.body ?? '',
    status: 'queued',
    direction: 'outbound-api',
    messagingServiceSid: SERVICE,
    dateCreated: new Date(NOW - 60_000),
    ...changes,
  };
  return found as MessageInstance;
}

describe('a message of the list', () => {
  const inAnHour = new Date(NOW + HOUR_MS);
  test.each<[string, Partial<MessageInstance>, Partial<MessageOrder>, string]>([
    ['with the same text', {}, {}, 'same'],
    ['whose sender the service has chosen since', { from: '+493012345601' }, {}, 'same'],
    ['with marks that smart encoding replaced', { body: 'Doors open at "18:00" - see you!' }, {}, 'same'],
    ['of a trial account', { body: `Sent from your Twilio trial account - ${ORDER.body}` }, {}, 'same'],
    ['with something added to the text', { body: `${ORDER.body} Reply STOP to end` }, {}, 'possible'],
    ['whose text was redacted', { body: '' }, {}, 'possible'],
    ['with another text', { body: 'Doors open at 19:00' }, {}, 'other'],
    ['of another service', { messagingServiceSid: `MG${'2'.repeat(32)}` }, {}, 'other'],
    ['from another number', { from: '+493012345601' }, { from: '+493012345600' }, 'other'],
    ['that somebody wrote to us', { direction: 'inbound' }, {}, 'other'],
    ['older than any key', { dateCreated: new Date(NOW - 25 * HOUR_MS) }, {}, 'other'],
    ['without a time', { dateCreated: undefined as unknown as Date }, {}, 'possible'],
    ['that is scheduled, where it was to be sent at once', { status: 'scheduled' }, {}, 'other'],
    ['that is scheduled, as it was to be', { status: 'scheduled' }, { sendAt: inAnHour }, 'same'],
    ['that was cancelled since', { status: 'canceled' }, { sendAt: inAnHour }, 'same'],
    ['that goes already, where it was to be scheduled', {}, { sendAt: inAnHour }, 'possible'],
    ['whose time has come', { status: 'sent' }, { sendAt: new Date(NOW - 1_000) }, 'same'],
  ])('%s', (_name, changes, order, fit) => {
    expect(fitOf({ ...ORDER, ...order }, message(changes), NOW)).toBe(fit);
  });

  test('of a template, whose text nobody knows', () => {
    const { body: _body, ...template } = ORDER;
    expect(fitOf({ ...template, contentSid: `HX${'0'.repeat(32)}` }, message(), NOW)).toBe('possible');
  });
});

describe('not executed', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const SETTLE_MS = 15_000;

  /** Asks Twilio's list, which answers with one of `looks` after the other. */
  function ask(looks: (readonly MessageInstance[])[], remainingMs = 30_000, abort = new AbortController()) {
    const looked = vi.fn(async () => ({ instances: looks.shift() ?? [], nextPageUrl: undefined }));
    const client = { ask: looked } as unknown as TwilioClient;
    const context = {
      signal: abort.signal,
      deadlineMs: remainingMs,
      remainingMs: () => remainingMs,
      idempotencyKey: 'k',
      principal: undefined,
      log: createLog({}),
    };
    const answer = sentBefore({ client, known: new KnownSends(), settleMs: SETTLE_MS }, ORDER, context);
    return { answer, looked, abort };
  }

  test('is said after a second look alone', async () => {
    const { answer, looked } = ask([[], []]);
    await vi.advanceTimersByTimeAsync(SETTLE_MS - 1);
    expect(looked).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    await expect(answer).resolves.toEqual({ found: 'not_executed' });
    expect(looked).toHaveBeenCalledTimes(2);
  });

  test('is not said of a message that appears meanwhile', async () => {
    const { answer } = ask([[], [message()]]);
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    await expect(answer).resolves.toMatchObject({ found: 'executed', result: { sid: message().sid } });
  });

  test('is not said where there is no time for a second look', async () => {
    const { answer, looked } = ask([[], []], SETTLE_MS);
    await expect(answer).resolves.toMatchObject({ found: 'unknown', looked: expect.stringContaining('17000 ms') });
    expect(looked).toHaveBeenCalledTimes(1);
  });

  test('is not said when the call ends before', async () => {
    const { answer, abort } = ask([[], []]);
    await vi.advanceTimersByTimeAsync(1);
    abort.abort(new Error('over'));
    await expect(answer).rejects.toThrow('over');
  });

  test('is not said where there are more messages than are looked through', async () => {
    const page = { instances: [], nextPageUrl: 'https://api.twilio.com/x?PageToken=t&Page=1' };
    const looked = vi.fn(async () => page);
    const context = {
      signal: new AbortController().signal,
      deadlineMs: undefined,
      remainingMs: () => Number.POSITIVE_INFINITY,
      idempotencyKey: 'k',
      principal: undefined,
      log: createLog({}),
    };
    const sight = { client: { ask: looked } as unknown as TwilioClient, known: new KnownSends(), settleMs: 0 };
    const answer = await sentBefore(sight, ORDER, context);
    expect(answer).toMatchObject({ found: 'unknown', looked: expect.stringContaining('1000') });
    expect(looked).toHaveBeenCalledTimes(5);
  });
});

test('what is known of sends is bounded, oldest forgotten first', () => {
  const known = new KnownSends();
  for (let n = 0; n <= 5_000; n++) known.remember(`key-${n}`, `SM${n}`);
  expect(known.sidOf('key-0')).toBeUndefined();
  expect(known.isOfAnother('SM0', 'key-1')).toBe(false);
  expect(known.sidOf('key-1')).toBe('SM1');
  expect(known.isOfAnother('SM1', 'key-2')).toBe(true);
  expect(known.isOfAnother('SM1', 'key-1')).toBe(false);
});
