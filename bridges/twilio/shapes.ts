import type { MessageInstance } from 'twilio/lib/rest/api/v2010/account/message.js';
import type { z } from '../../core/server-kit/schema.ts';
import { type message, STATUSES } from './schemas.ts';
import { DELIVERY_HINTS } from './vendor-codes.ts';

/** A message in our words. */
export type Message = z.input<typeof message>;

const WHATSAPP = 'whatsapp:';

/** A time of the SDK's, which leaves what it cannot read as it is. */
export function isoTime(date: unknown): string | null {
  return date instanceof Date && !Number.isNaN(date.getTime()) ? date.toISOString() : null;
}

/** Null for what Twilio leaves out or leaves empty. */
export function textOrNull(value: string | null | undefined): string | null {
  return value === undefined || value === null || value === '' ? null : value;
}

/** A count that Twilio writes as text. */
export function count(value: string | null | undefined): number {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}

function address(value: string | null | undefined): string | null {
  const known = textOrNull(value);
  return known?.startsWith(WHATSAPP) ? known.slice(WHATSAPP.length) : known;
}

function channelOf(to: string | null): Message['channel'] {
  if (to?.startsWith(WHATSAPP)) return 'whatsapp';
  return to?.includes(':') ? 'other' : 'sms';
}

/** A message of Twilio's in our words. */
export function toMessage(found: MessageInstance): Message {
  const status = STATUSES.find((known) => known === found.status) ?? 'unknown';
  const errorCode = Number.isSafeInteger(found.errorCode) ? found.errorCode : null;
  const price = textOrNull(found.price);
  return {
    sid: found.sid,
    channel: channelOf(textOrNull(found.to)),
    direction: found.direction === 'inbound' ? 'inbound' : 'outbound',
    status,
    from: address(found.from),
    to: address(found.to) ?? '',
    body: found.body ?? '',
    segments: count(found.numSegments),
    mediaCount: count(found.numMedia),
    messagingServiceSid: textOrNull(found.messagingServiceSid),
    createdAt: isoTime(found.dateCreated),
    sentAt: isoTime(found.dateSent),
    // Twilio writes what it took as a negative amount.
    price: price?.replace(/^-/, '') ?? null,
    currency: textOrNull(found.priceUnit)?.toUpperCase() ?? null,
    errorCode,
    errorHint: errorCode === null ? null : (DELIVERY_HINTS[errorCode] ?? `twilio.com/docs/api/errors/${errorCode}`),
  };
}
