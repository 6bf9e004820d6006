import type { Route, SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { MAGIC, SEED } from './seed.ts';
import type { StoredVerification, TwilioState } from './twilio-state.ts';
import { iso, pageOfMeta, refusal, vendorError } from './vendor-answer.ts';

const SERVICE = `/v2/Services/${SEED.verifyService}`;
const MAX_CODES = 5;
const MAX_CHECKS = 5;
const CHANNELS = new Set(['sms', 'whatsapp', 'call']);

function common({ sid, to, channel, createdMs, updatedMs }: StoredVerification) {
  return {
    sid,
    service_sid: SEED.verifyService,
    account_sid: SEED.accountSid,
    to,
    channel,
    date_created: iso(createdMs),
    date_updated: iso(updatedMs),
    amount: null,
    payee: null,
  };
}

function show(verification: StoredVerification) {
  return {
    ...common(verification),
    status: verification.status,
    valid: verification.status === 'approved',
    lookup: {},
    send_code_attempts: verification.attempts.map(({ sid, channel, atMs }) => ({
      attempt_sid: sid,
      channel,
      time: new Date(atMs).toISOString(),
    })),
    sna: null,
    url: `https://verify.twilio.com${SERVICE}/Verifications/${verification.sid}`,
  };
}

function start(state: TwilioState, request: SandboxRequest): SandboxAnswer {
  const form = request.form();
  const to = form.get('To') ?? '';
  const channel = form.get('Channel') ?? '';
  if (!/^\+[1-9]\d{6,14}$/.test(to) || to === MAGIC.invalid) return refusal(400, 60200, 'Invalid parameter `To`');
  if (!CHANNELS.has(channel)) return refusal(400, 60200, 'Invalid parameter `Channel`');
  if (to === MAGIC.landline && channel === 'sms')
    return refusal(403, 60205, 'SMS is not supported by landline phone number');
  if (to === MAGIC.region) return refusal(403, 60605, 'Verification delivery attempt blocked');
  if ((state.pending(to)?.attempts.length ?? 0) >= MAX_CODES) return refusal(429, 60203, 'Max send attempts reached');
  return { status: 201, body: show(state.sendCode(to, channel)) };
}

function check(state: TwilioState, request: SandboxRequest): SandboxAnswer {
  const form = request.form();
  const verification = state.pending(form.get('To') ?? form.get('VerificationSid') ?? '');
  if (verification === undefined) return vendorError(404, request);
  if (verification.checks >= MAX_CHECKS) return refusal(429, 60202, 'Max check attempts reached');
  verification.checks += 1;
  verification.updatedMs = Date.now();
  const approved = form.get('Code') === SEED.code;
  if (approved) verification.status = 'approved';
  return {
    status: 201,
    body: {
      ...common(verification),
      status: verification.status,
      valid: approved,
      sna_attempts_error_codes: [],
    },
  };
}

function attempts(state: TwilioState, request: SandboxRequest): SandboxAnswer {
  const { query } = request;
  const after = Date.parse(query.get('DateCreatedAfter') ?? '');
  const found = state.verifications
    .flatMap((verification) => verification.attempts.map((attempt) => ({ ...attempt, verification })))
    .filter(
      ({ channel, atMs, verification }) =>
        (query.get('ChannelData.To') ?? verification.to) === verification.to &&
        (query.get('Channel') ?? channel) === channel &&
        (query.get('VerifyServiceSid') ?? SEED.verifyService) === SEED.verifyService &&
        (Number.isNaN(after) || atMs >= after),
    )
    .reverse();
  return pageOfMeta('verify.twilio.com', 'attempts', found, request, ({ sid, channel, atMs, verification }) => ({
    sid,
    account_sid: SEED.accountSid,
    service_sid: SEED.verifyService,
    verification_sid: verification.sid,
    date_created: iso(atMs),
    date_updated: iso(atMs),
    conversion_status: verification.status === 'approved' ? 'converted' : 'unconverted',
    channel,
    price: { value: '0.05', currency: 'usd' },
    channel_data: { to: verification.to, country: 'DE', error_code: null },
    url: `https://verify.twilio.com/v2/Attempts/${sid}`,
  }));
}

/** Verify v2: start, fetch, check, and the list of codes sent. */
export function verifyRoutes(state: TwilioState): readonly Route[] {
  return [
    { method: 'POST', path: `${SERVICE}/Verifications`, answer: (request) => start(state, request) },
    {
      method: 'GET',
      path: `${SERVICE}/Verifications/:sid`,
      answer: (request, { sid = '' }) => {
        const verification = state.pending(sid);
        return verification === undefined ? vendorError(404, request) : { status: 200, body: show(verification) };
      },
    },
    { method: 'POST', path: `${SERVICE}/VerificationCheck`, answer: (request) => check(state, request) },
    { method: 'GET', path: '/v2/Attempts', answer: (request) => attempts(state, request) },
  ];
}
