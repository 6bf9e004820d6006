import type { Route, SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { MAGIC, SEED, TEMPLATES } from './seed.ts';
import type { StoredMessage, TwilioState } from './twilio-state.ts';
import { pageOf2010, refusal, rfc2822, vendorError } from './vendor-answer.ts';

const ACCOUNT = `/2010-04-01/Accounts/${SEED.accountSid}`;
const MESSAGES = `${ACCOUNT}/Messages`;
const MIN_AHEAD_MS = 15 * 60_000;
const MAX_AHEAD_MS = 35 * 24 * 3_600_000;
const MAX_CHARS = 1_600;
const CHARS_PER_SEGMENT = 160;

const TO_REFUSALS: Readonly<Record<string, readonly [number, string]>> = {
  [MAGIC.invalid]: [21211, "The 'To' number is not a valid phone number."],
  [MAGIC.unroutable]: [
    21612,
    "The 'To' phone number is not currently reachable using the 'From' phone number via SMS.",
  ],
  [MAGIC.region]: [21408, 'Permission to send an SMS has not been enabled for the region indicated by the To number.'],
  [MAGIC.blocked]: [21610, 'Attempt to send to unsubscribed recipient'],
  [SEED.guests.optedOut]: [21610, 'Attempt to send to unsubscribed recipient'],
  [MAGIC.landline]: [21614, "'To' number is not a valid mobile number"],
};

const SENDERS: ReadonlySet<string> = new Set(Object.values(SEED.numbers));
const SERVICES: ReadonlySet<string> = new Set(Object.values(SEED.services));

/** A message in Twilio's shape. */
function show(message: StoredMessage): Readonly<Record<string, unknown>> {
  const { sid, status, errorCode, inbound, sentMs } = message;
  const uri = `${MESSAGES}/${sid}`;
  const failed = status === 'undelivered' || status === 'failed';
  const isPriced = sentMs !== undefined && (status === 'delivered' || failed) && !inbound;
  return {
    account_sid: SEED.accountSid,
    api_version: '2010-04-01',
    body: message.body,
    date_created: rfc2822(message.createdMs),
    date_sent: sentMs === undefined ? null : rfc2822(sentMs),
    date_updated: rfc2822(message.updatedMs),
    direction: inbound ? 'inbound' : 'outbound-api',
    error_code: failed ? errorCode : null,
    error_message: null,
    from: message.from,
    messaging_service_sid: message.serviceSid,
    num_media: String(message.mediaCount),
    num_segments: message.from === null ? '0' : String(Math.max(1, Math.ceil(message.body.length / CHARS_PER_SEGMENT))),
    price: isPriced ? '-0.00750' : null,
    price_unit: isPriced ? 'USD' : null,
    sid,
    status,
    subresource_uris: { media: `${uri}/Media.json` },
    to: message.to,
    uri: `${uri}.json`,
  };
}

function plain(address: string): string {
  return address.replace(/^whatsapp:/, '');
}

/** The text of an order: its own, or the template's with its variables filled in. */
function textOf(form: URLSearchParams): string | SandboxAnswer {
  const contentSid = form.get('ContentSid');
  if (contentSid === null) return form.get('Body') ?? '';
  const template = TEMPLATES.find(({ sid }) => sid === contentSid);
  if (template === undefined) return refusal(400, 21655, 'The ContentSid is Invalid');
  const given: unknown = JSON.parse(form.get('ContentVariables') ?? '{}');
  const variables = { ...template.variables, ...(given as Readonly<Record<string, string>>) };
  return template.body.replace(
    /\{\{(\w+)\}\}/g,
    (hole, name: string) => (variables as Record<string, string>)[name] ?? hole,
  );
}

function refusedOrder(form: URLSearchParams, to: string, from: string | null, service: string | null) {
  const isWhatsapp = to.startsWith('whatsapp:');
  if (to === '') return refusal(400, 21604, "A 'To' phone number is required.");
  if (!/^\+[1-9]\d{6,14}$/.test(plain(to))) return refusal(400, 21211, "The 'To' number is not a valid phone number.");
  if (from === null && service === null) return refusal(400, 21603, "A 'From' phone number is required.");
  if (service !== null && !SERVICES.has(service)) return refusal(404, 21701, 'The Messaging Service does not exist.');
  if (from !== null && /^(?:whatsapp:)?\+/.test(from) && !SENDERS.has(plain(from))) {
    return isWhatsapp
      ? refusal(400, 63007, 'Twilio could not find a Channel with the specified From address')
      : refusal(400, 21659, "'From' is not a Twilio phone number or Short Code country mismatch");
  }
  const [code, message] = TO_REFUSALS[plain(to)] ?? [];
  if (code !== undefined && message !== undefined) return refusal(400, code, message);
  if ((form.get('Body') ?? '').length > MAX_CHARS) {
    return refusal(400, 21617, 'The concatenated message body exceeds the 1600 character limit.');
  }
  if (!form.get('Body') && !form.has('MediaUrl') && !form.has('ContentSid')) {
    return refusal(400, 21619, 'A text message body or media urls must be specified.');
  }
  return undefined;
}

function create(state: TwilioState, request: SandboxRequest): SandboxAnswer {
  const form = request.form();
  const to = form.get('To') ?? '';
  const from = form.get('From');
  const serviceSid = form.get('MessagingServiceSid');
  const refused = refusedOrder(form, to, from, serviceSid);
  if (refused !== undefined) return refused;
  const body = textOf(form);
  if (typeof body !== 'string') return body;
  const sendAt = form.get('SendAt');
  let sendAtMs: number | undefined;
  // As at Twilio, a schedule without a service is dropped and the message sent at once.
  if (sendAt !== null && serviceSid !== null) {
    if (form.get('ScheduleType') !== 'fixed') return refusal(400, 35111, 'ScheduleType must be fixed');
    sendAtMs = Date.parse(sendAt);
    const aheadMs = sendAtMs - Date.now();
    if (!(aheadMs >= MIN_AHEAD_MS && aheadMs <= MAX_AHEAD_MS)) {
      return refusal(400, 35114, 'SendAt timestamp is not supported');
    }
  }
  const freeText = to.startsWith('whatsapp:') && !form.has('ContentSid');
  const mediaCount = form.getAll('MediaUrl').length;
  return { status: 201, body: show(state.add({ to, from, body, mediaCount, serviceSid, sendAtMs, freeText })) };
}

function list(state: TwilioState, request: SandboxRequest): SandboxAnswer {
  const { query } = request;
  const to = query.get('To');
  const from = query.get('From');
  const after = Date.parse(query.get('DateSent>') ?? '');
  const before = Date.parse(query.get('DateSent<') ?? '');
  for (const message of state.messages) state.look(message);
  const found = state.messages.filter(
    (message) =>
      (to === null || message.to === to) &&
      (from === null || message.from === from) &&
      (Number.isNaN(after) || (message.sentMs ?? Number.NEGATIVE_INFINITY) >= after) &&
      (Number.isNaN(before) || (message.sentMs ?? Number.POSITIVE_INFINITY) <= before),
  );
  return pageOf2010('messages', found.reverse(), request, show);
}

/** Messages: `POST` and `GET …/Messages.json`, `GET` and `POST …/Messages/{Sid}.json`. */
export function messageRoutes(state: TwilioState): readonly Route[] {
  const one = (request: SandboxRequest, file: string | undefined): StoredMessage | SandboxAnswer =>
    state.messages.find(({ sid }) => `${sid}.json` === file) ?? vendorError(404, request);
  return [
    { method: 'POST', path: `${MESSAGES}.json`, answer: (request) => create(state, request) },
    { method: 'GET', path: `${MESSAGES}.json`, answer: (request) => list(state, request) },
    {
      method: 'GET',
      path: `${MESSAGES}/:file`,
      answer: (request, { file }) => {
        const message = one(request, file);
        if (!('sid' in message)) return message;
        state.look(message);
        return { status: 200, body: show(message) };
      },
    },
    {
      method: 'POST',
      path: `${MESSAGES}/:file`,
      answer: (request, { file }) => {
        const message = one(request, file);
        if (!('sid' in message)) return message;
        if (request.form().get('Status') !== 'canceled' || message.status !== 'scheduled') {
          return refusal(400, 30409, 'This message cannot be canceled');
        }
        message.status = 'canceled';
        message.updatedMs = Date.now();
        return { status: 200, body: show(message) };
      },
    },
  ];
}
