import { instant, z } from '../../core/server-kit/schema.ts';

/** A telephone number. */
export const phoneNumber = z.string().regex(/^\+[1-9]\d{6,14}$/);

export const recipient = phoneNumber.describe('Recipient in E.164, e.g. +4915112345678; lookup_phone tells it');

/** A number, a short code, or a name that phones show instead of one. */
export const smsSender = z
  .string()
  .min(1)
  .max(16)
  .regex(/^\+?[A-Za-z0-9 ]+$/)
  .describe('A number of list_phone_numbers, a short code or an alphanumeric sender; default set by the operator');

export const messageSid = z
  .string()
  .regex(/^(?:SM|MM)[0-9a-fA-F]{32}$/)
  .describe('Sid of a message (SM… or MM…), as the sending tools and list_messages tell it');

export const messagingServiceSid = z
  .string()
  .regex(/^MG[0-9a-fA-F]{32}$/)
  .describe('Sid of a messaging service (MG…); list_messaging_services shows them');

export const verifyServiceSid = z
  .string()
  .regex(/^VA[0-9a-fA-F]{32}$/)
  .optional()
  .describe('Sid of a Verify service (VA…); default TWILIO_VERIFY_SERVICE_SID');

export const text = z.string().min(1).max(1_600);

export const mediaUrls = z
  .array(z.url({ protocol: /^https$/ }).max(2_000))
  .min(1)
  .max(10)
  .optional()
  .describe('Public https addresses of images that Twilio fetches and sends with the text');

export const sendAt = instant
  .optional()
  .describe(
    'Send later, 15 minutes to 35 days ahead, e.g. 2027-06-12T09:00:00+02:00; needs a messaging service. cancel_scheduled_message takes it back',
  );

export const limit = z.number().int().min(1).max(100).default(20);

export const cursor = z.string().min(1).max(1_000).optional().describe('nextCursor of the page before');

export const nextCursor = z.string().nullable().describe('Give it as cursor for the next page; null on the last one');

/** A time as it is answered. */
export const timeOut = z.string().nullable().describe('ISO 8601, UTC');

const STATUSES = [
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'sent',
  'delivered',
  'undelivered',
  'failed',
  'canceled',
  'receiving',
  'received',
  'read',
  'partially_delivered',
  'unknown',
] as const;

/** A message as every tool answers it. */
export const message = z.object({
  sid: z.string(),
  channel: z.enum(['sms', 'whatsapp', 'other']),
  direction: z.enum(['inbound', 'outbound']),
  status: z
    .enum(STATUSES)
    .describe(
      'delivered and read are success, undelivered and failed are not; accepted, queued, sent are on their way',
    ),
  from: z.string().nullable().describe('null until the messaging service has chosen a sender'),
  to: z.string(),
  body: z.string(),
  segments: z.number().int().describe('Parts it is billed as; 0 until a sender is chosen'),
  mediaCount: z.number().int(),
  messagingServiceSid: z.string().nullable(),
  createdAt: timeOut,
  sentAt: timeOut,
  price: z.string().nullable().describe('What was charged, decimal (parts of a cent); null until Twilio knows'),
  currency: z.string().nullable().describe('ISO 4217'),
  errorCode: z.number().int().nullable().describe("Twilio's reason where it was not delivered"),
  errorHint: z.string().nullable().describe('What this reason asks for'),
});

export { STATUSES };
