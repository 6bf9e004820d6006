import type { BridgeManifest } from '../../core/manifest.ts';
import { HELP } from './help.ts';

const READ = { effect: 'read', deadlineMs: 10_000 } as const;
/**
 * A person would be written to twice, so a key is asked for. It is not handed to Twilio, which has no place for it, and a
 * second attempt would send again: `write`, never repeated, and looked up afterwards.
 */
const SEND = { effect: 'write', deadlineMs: 30_000, idempotencyKey: 'required', reconcile: true } as const;

/** Twilio: text messages, WhatsApp and one-time codes. */
const twilio: BridgeManifest = {
  name: 'twilio',
  title: 'Twilio',
  description: 'Sends SMS, WhatsApp messages and one-time codes, within the countries the operator allows.',
  server: { module: new URL('./server.ts', import.meta.url) },
  environment: [
    { name: 'TWILIO_ACCOUNT_SID', required: true, secret: false, help: HELP.accountSid },
    { name: 'TWILIO_API_KEY_SID', required: true, secret: false, help: HELP.apiKeySid },
    { name: 'TWILIO_API_KEY_SECRET', required: true, secret: true, help: HELP.apiKeySecret },
    {
      name: 'TWILIO_ALLOWED_COUNTRIES',
      required: false,
      secret: false,
      help: 'countries that may be written to, as ISO codes or calling prefixes (DE,AT,+4179); unset: nothing that costs money is sent',
    },
    {
      name: 'TWILIO_FROM',
      required: false,
      secret: false,
      help: 'sender of SMS where a call names none: one of your numbers in E.164, a short code or an alphanumeric sender',
    },
    {
      name: 'TWILIO_WHATSAPP_FROM',
      required: false,
      secret: false,
      help: 'sender of WhatsApp messages where a call names none, E.164: console.twilio.com → Messaging → Senders',
    },
    {
      name: 'TWILIO_MESSAGING_SERVICE_SID',
      required: false,
      secret: false,
      help: 'messaging service (MG…) that chooses the sender, needed to schedule: console.twilio.com → Messaging → Services',
    },
    {
      name: 'TWILIO_VERIFY_SERVICE_SID',
      required: false,
      secret: false,
      help: 'Verify service (VA…) for one-time codes: console.twilio.com → Verify → Services',
    },
    { name: 'TWILIO_MAX_MESSAGE_CHARS', required: false, secret: false, help: 'longest text, 1600' },
    {
      name: 'TWILIO_RECONCILE_SETTLE_MS',
      required: false,
      secret: false,
      help: 'how long a message may take to appear in the list of Twilio before it counts as never sent, 15000',
    },
    { name: 'TWILIO_EDGE', required: false, secret: false, help: 'edge of Twilio to enter by, e.g. dublin' },
    { name: 'TWILIO_REGION', required: false, secret: false, help: 'region of the account and its key, e.g. ie1' },
    {
      name: 'TWILIO_API_URL',
      required: false,
      secret: false,
      help: 'a stand-in instead of the hosts of Twilio, for tests',
    },
  ],
  tools: {
    send_sms: SEND,
    send_whatsapp: SEND,
    get_message: READ,
    list_messages: READ,
    cancel_scheduled_message: { effect: 'idempotent', deadlineMs: 15_000, idempotencyKey: 'optional' },
    lookup_phone: { ...READ, cacheTtlMs: 300_000 },
    start_verification: { effect: 'write', deadlineMs: 20_000, idempotencyKey: 'optional', reconcile: true },
    check_verification: { effect: 'write', deadlineMs: 15_000, idempotencyKey: 'optional' },
    list_phone_numbers: { ...READ, cacheTtlMs: 60_000 },
    list_messaging_services: { ...READ, cacheTtlMs: 60_000 },
    list_message_templates: { ...READ, cacheTtlMs: 60_000 },
    get_balance: READ,
  },
  example: { tool: 'lookup_phone', arguments: { number: '+4915112345678' } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default twilio;
