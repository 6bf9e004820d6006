/** What one of Twilio's error codes means here. */
export interface Meaning {
  /** Ours, stable. */
  readonly code: string;
  readonly retryable?: boolean;
  readonly hint: string;
}

const CREDENTIALS: Meaning = {
  code: 'credentials_refused',
  hint: 'Twilio does not take the API key: look at TWILIO_API_KEY_SID, TWILIO_API_KEY_SECRET and whether the key belongs to the account (and region) of TWILIO_ACCOUNT_SID',
};
const RECIPIENT: Meaning = {
  code: 'invalid_recipient',
  hint: 'Check the number with lookup_phone; it must be in E.164, e.g. +4915112345678',
};
const UNREACHABLE: Meaning = {
  code: 'recipient_unreachable',
  hint: 'This sender cannot reach this number: look it up with lookup_phone, try another sender or send_whatsapp',
};
const SENDER: Meaning = {
  code: 'invalid_sender',
  hint: 'Give a sender of this account: list_phone_numbers and list_messaging_services show them; defaults are TWILIO_FROM, TWILIO_WHATSAPP_FROM and TWILIO_MESSAGING_SERVICE_SID',
};
const REGION: Meaning = {
  code: 'region_not_permitted',
  hint: "The account itself does not send to this country: the operator enables it in Twilio's console, Messaging → Settings → Geo permissions (for codes: Verify → Settings)",
};
const BUSY: Meaning = {
  code: 'vendor_rate_limited',
  retryable: true,
  hint: 'Twilio did nothing; wait, then send fewer at once',
};
const TEXT: Meaning = { code: 'invalid_message', hint: 'Give a text of 1 to 1600 characters, or an approved template' };
const SCHEDULE: Meaning = {
  code: 'invalid_schedule',
  hint: 'Twilio schedules 15 minutes to 35 days ahead, with a messaging service only',
};
const TEMPLATE: Meaning = {
  code: 'invalid_template',
  hint: 'list_message_templates shows the templates, their variables and whether WhatsApp approved them',
};
const BLOCKED: Meaning = {
  code: 'verification_blocked',
  hint: "Twilio's fraud guard refuses this number or range; verify the person another way",
};

/** By Twilio's error code. https://www.twilio.com/docs/api/errors */
export const MEANINGS: Readonly<Record<number, Meaning>> = {
  14107: BUSY,
  20003: CREDENTIALS,
  20004: CREDENTIALS,
  20005: { code: 'vendor_account_suspended', hint: "The Twilio account is not active: look at Twilio's console" },
  20008: CREDENTIALS,
  20403: CREDENTIALS,
  20404: { code: 'not_found', hint: 'There is nothing of this name in this account; check the sid' },
  20429: BUSY,
  21211: RECIPIENT,
  21212: SENDER,
  21408: REGION,
  21603: SENDER,
  21606: SENDER,
  21608: {
    code: 'recipient_unverified',
    hint: 'A trial account sends only to numbers that were verified in its console; verify it there or upgrade the account',
  },
  21609: { code: 'vendor_refused', hint: 'Twilio does not take an address of the request' },
  21610: {
    code: 'recipient_opted_out',
    hint: 'The person answered STOP. Do not write again; only they can undo it, by texting START to the sender',
  },
  21611: {
    code: 'sender_queue_full',
    retryable: true,
    hint: "The sender's queue is full; wait, or use another sender",
  },
  21612: UNREACHABLE,
  21614: { code: 'invalid_recipient', hint: 'This is no mobile number: lookup_phone with line_type says what it is' },
  21617: TEXT,
  21619: TEXT,
  21620: { code: 'invalid_media', hint: 'Give addresses that Twilio can fetch: public https, image, at most 5 MB' },
  21654: TEMPLATE,
  21655: TEMPLATE,
  21656: TEMPLATE,
  21659: SENDER,
  21660: SENDER,
  21661: SENDER,
  21701: SENDER,
  21703: SENDER,
  21704: SENDER,
  21705: SENDER,
  21709: SENDER,
  21910: SENDER,
  30409: {
    code: 'not_cancellable',
    hint: 'Only a message that is still scheduled can be cancelled; get_message says what became of this one',
  },
  35111: SCHEDULE,
  35112: SCHEDULE,
  35113: SCHEDULE,
  35114: SCHEDULE,
  35115: SCHEDULE,
  35116: SCHEDULE,
  35117: SCHEDULE,
  35118: SCHEDULE,
  60200: { code: 'vendor_refused', hint: 'Twilio does not take a value; numbers are E.164, codes are digits' },
  60202: {
    code: 'too_many_checks',
    hint: 'Five wrong codes end a verification: wait until it expires (10 minutes), then start_verification anew',
  },
  60203: {
    code: 'too_many_codes',
    hint: 'Five codes were sent without a right answer: wait 10 minutes, then start_verification anew',
  },
  60205: { code: 'recipient_unreachable', hint: 'A landline takes no SMS; start_verification with channel call' },
  60212: { code: 'too_many_codes', hint: 'Too many verifications of this number at once; wait 10 minutes' },
  60223: {
    code: 'channel_disabled',
    hint: "This channel is switched off in the Verify service; use another, or enable it in Twilio's console",
  },
  60238: BLOCKED,
  60410: BLOCKED,
  60605: REGION,
  60600: { code: 'not_found', hint: 'Nothing is known of this number' },
  63007: SENDER,
  63018: BUSY,
  63038: {
    code: 'daily_limit_reached',
    hint: 'The account has reached its daily limit of messages; wait until tomorrow or have Twilio raise it',
  },
};

/** Where Twilio gives no code, or one that is not listed above. */
export const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: CREDENTIALS,
  403: {
    code: 'permission_denied',
    hint: 'The API key may not do this: a restricted key needs the permission (README), a main key may do all of it',
  },
  404: { code: 'not_found', hint: 'There is nothing of this name in this account; check the sid' },
  429: BUSY,
};

/** Why a message was not delivered, by the message's own `errorCode`, and what to do. */
export const DELIVERY_HINTS: Readonly<Record<number, string>> = {
  30001: "The carrier's queue overflowed; send later",
  30002: "The Twilio account was suspended meanwhile; look at Twilio's console",
  30003: 'The phone is off or out of reach; try later or call',
  30004: 'The recipient or carrier blocks messages of this sender; do not repeat',
  30005: 'The number is unknown or out of service; ask for another',
  30006: 'A landline, or a carrier that is out of reach; call instead',
  30007:
    'The carrier took it for spam; change the text (fewer links, say who you are), register the sender, do not repeat it as it is',
  30008: "The carrier gives no reason; try once more later, then look at Twilio's console",
  30034: 'United States: the sender is not registered for A2P 10DLC; register it before writing again',
  30410: 'The carrier did not answer in time; it may yet arrive',
  30450: 'Delivery was stopped by rules against SMS pumping',
  63003: 'No WhatsApp account has this number; use send_sms',
  63016: 'More than 24 hours since the person last wrote: WhatsApp takes only an approved template (templateSid)',
  63024: 'This number cannot receive WhatsApp messages; use send_sms',
  63049: 'WhatsApp held this marketing message back; do not repeat it',
};
