import type { Route } from '../../../core/sandbox-kit/sandbox-request.ts';
import { SEED, sidOf, TEMPLATES } from './seed.ts';
import type { TwilioState } from './twilio-state.ts';
import { iso, pageOf2010, pageOfMeta, rfc2822 } from './vendor-answer.ts';

const ACCOUNT = `/2010-04-01/Accounts/${SEED.accountSid}`;
const SINCE_MS = Date.UTC(2025, 2, 3, 9);

const NUMBERS = [
  { name: 'Front desk', phoneNumber: SEED.numbers.main, mms: false },
  { name: 'Invitations', phoneNumber: SEED.numbers.invitations, mms: false },
  { name: 'US guests', phoneNumber: SEED.numbers.us, mms: true },
].map((number) => ({ ...number, sid: sidOf('PN', number.phoneNumber) }));

const SERVICES = [
  { sid: SEED.services.invitations, name: 'Invitations', useCase: 'notifications' },
  { sid: SEED.services.reminders, name: 'Reminders', useCase: 'notifications' },
];

function showNumber({ sid, name, phoneNumber, mms }: (typeof NUMBERS)[number]) {
  return {
    account_sid: SEED.accountSid,
    address_sid: null,
    address_requirements: 'none',
    api_version: '2010-04-01',
    beta: false,
    capabilities: { voice: true, sms: true, mms, fax: false },
    date_created: rfc2822(SINCE_MS),
    date_updated: rfc2822(SINCE_MS),
    emergency_status: 'Inactive',
    emergency_address_sid: null,
    emergency_address_status: 'unregistered',
    friendly_name: name,
    identity_sid: null,
    origin: 'twilio',
    phone_number: phoneNumber,
    sid,
    sms_application_sid: null,
    sms_fallback_method: 'POST',
    sms_fallback_url: null,
    sms_method: 'POST',
    sms_url: null,
    status: 'in-use',
    status_callback: null,
    status_callback_method: 'POST',
    trunk_sid: null,
    uri: `${ACCOUNT}/IncomingPhoneNumbers/${sid}.json`,
    voice_application_sid: null,
    voice_caller_id_lookup: false,
    voice_fallback_method: 'POST',
    voice_fallback_url: null,
    voice_method: 'POST',
    voice_receive_mode: 'voice',
    voice_url: null,
    bundle_sid: null,
  };
}

function showService({ sid, name, useCase }: (typeof SERVICES)[number]) {
  const url = `https://messaging.twilio.com/v1/Services/${sid}`;
  return {
    account_sid: SEED.accountSid,
    area_code_geomatch: true,
    date_created: iso(SINCE_MS),
    date_updated: iso(SINCE_MS),
    fallback_method: 'POST',
    fallback_to_long_code: true,
    fallback_url: null,
    friendly_name: name,
    inbound_method: 'POST',
    inbound_request_url: null,
    links: { phone_numbers: `${url}/PhoneNumbers`, alpha_senders: `${url}/AlphaSenders`, messages: `${url}/Messages` },
    mms_converter: true,
    scan_message_content: 'inherit',
    sid,
    smart_encoding: true,
    status_callback: null,
    sticky_sender: true,
    synchronous_validation: false,
    url,
    us_app_to_person_registered: false,
    use_inbound_webhook_on_number: true,
    usecase: useCase,
    validity_period: 14_400,
  };
}

function showTemplate({ sid, name, body, variables, category, status, reason }: (typeof TEMPLATES)[number]) {
  return {
    account_sid: SEED.accountSid,
    approval_requests: {
      allow_category_change: false,
      category,
      content_type: 'twilio/text',
      name,
      rejection_reason: reason,
      status,
    },
    date_created: iso(SINCE_MS),
    date_updated: iso(SINCE_MS),
    friendly_name: name,
    language: 'en',
    sid,
    types: { 'twilio/text': { body } },
    variables,
  };
}

/** What the account has: its balance, numbers, messaging services and templates. */
export function listRoutes(state: TwilioState): readonly Route[] {
  return [
    {
      method: 'GET',
      path: `${ACCOUNT}/Balance.json`,
      answer: () => ({
        status: 200,
        body: { account_sid: SEED.accountSid, balance: state.balance, currency: 'USD' },
      }),
    },
    {
      method: 'GET',
      path: `${ACCOUNT}/IncomingPhoneNumbers.json`,
      answer: (request) => {
        const digits = request.query.get('PhoneNumber') ?? '';
        const found = NUMBERS.filter(({ phoneNumber }) => phoneNumber.includes(digits));
        return pageOf2010('incoming_phone_numbers', found, request, showNumber);
      },
    },
    {
      method: 'GET',
      path: '/v1/Services',
      answer: (request) => pageOfMeta('messaging.twilio.com', 'services', SERVICES, request, showService),
    },
    {
      method: 'GET',
      path: '/v1/ContentAndApprovals',
      answer: (request) => pageOfMeta('content.twilio.com', 'contents', TEMPLATES, request, showTemplate),
    },
  ];
}
