import { MAGIC, SEED, sidOf } from './seed.ts';

/** A message as the stand-in keeps it; what is shown is made of it at the time of asking. */
export interface StoredMessage {
  readonly sid: string;
  readonly to: string;
  from: string | null;
  readonly body: string;
  readonly mediaCount: number;
  readonly serviceSid: string | null;
  readonly inbound: boolean;
  readonly createdMs: number;
  updatedMs: number;
  /** Undefined: at once. */
  readonly sendAtMs: number | undefined;
  sentMs: number | undefined;
  status: string;
  errorCode: number | null;
}

/** What a message begins with. */
export interface NewMessage {
  readonly to: string;
  readonly from: string | null;
  readonly body: string;
  readonly mediaCount?: number;
  readonly serviceSid?: string | null;
  readonly sendAtMs?: number | undefined;
  readonly createdMs?: number;
  readonly inbound?: boolean;
  readonly status?: string;
  /** A free text on WhatsApp, not a template. */
  readonly freeText?: boolean;
}

/** A verification of a number. */
export interface StoredVerification {
  readonly sid: string;
  readonly to: string;
  readonly channel: string;
  readonly createdMs: number;
  updatedMs: number;
  status: 'pending' | 'approved' | 'expired' | 'max_attempts_reached';
  checks: number;
  readonly attempts: { readonly sid: string; readonly channel: string; readonly atMs: number }[];
}

const HOUR_MS = 3_600_000;
const SESSION_MS = 24 * HOUR_MS;
const VERIFICATION_MS = 600_000;
/** How a message goes on, a step each time somebody looks. */
const NEXT: Readonly<Record<string, string>> = { accepted: 'queued', queued: 'sent', sent: 'delivered' };
const PRICE = 0.0075;
const OPENING_BALANCE = 214.5;

/** The account: what is sent is in its list, goes on by itself, and costs. */
export class TwilioState {
  /** Oldest first. */
  messages: StoredMessage[] = [];
  verifications: StoredVerification[] = [];
  /** Never begun anew: a sid is given once, also over a reset. */
  #made = 0;
  #seeding = false;

  constructor() {
    this.reset();
  }

  /** Back to the seed; its times count from now. */
  reset(): void {
    this.messages = [];
    this.verifications = [];
    const { guests, numbers, services } = SEED;
    const now = Date.now();
    const past = (hours: number) => now - hours * HOUR_MS;
    this.#seeding = true;
    this.add({
      to: guests.mara,
      from: numbers.main,
      body: 'Save the date: summer party at the boathouse, 12 June, 18:00.',
      createdMs: past(240),
      status: 'delivered',
    });
    this.add({
      to: guests.tom,
      from: numbers.main,
      body: 'Your tasting at Wirtshaus am See is confirmed for Tuesday, 15:00.',
      createdMs: past(72),
      status: 'delivered',
    });
    const failed = this.add({
      to: guests.lea,
      from: numbers.main,
      body: 'The caterer needs your menu choice by Friday.',
      createdMs: past(50),
      status: 'undelivered',
    });
    failed.errorCode = 30_003;
    this.add({
      to: numbers.main,
      from: guests.tom,
      body: 'Thanks, we will be four.',
      createdMs: past(71),
      inbound: true,
      status: 'received',
    });
    this.add({
      to: `whatsapp:${numbers.main}`,
      from: `whatsapp:${guests.mara}`,
      body: 'Is there parking at the boathouse?',
      createdMs: past(2),
      inbound: true,
      status: 'received',
    });
    this.add({
      to: guests.mara,
      from: null,
      body: 'Tomorrow: set-up at the boathouse from 9:00.',
      serviceSid: services.reminders,
      createdMs: past(1),
      sendAtMs: now + 20 * HOUR_MS,
    });
    this.#seeding = false;
  }

  /** The account's money after what was sent and verified. */
  get balance(): string {
    const sent = this.messages.filter(({ inbound, sentMs }) => !inbound && sentMs !== undefined).length;
    const codes = this.verifications.reduce((sum, { attempts }) => sum + attempts.length, 0);
    return (OPENING_BALANCE - PRICE * sent - 0.05 * codes).toFixed(4);
  }

  add(given: NewMessage): StoredMessage {
    const { to, from, body, mediaCount = 0, serviceSid = null, sendAtMs, inbound = false } = given;
    const createdMs = given.createdMs ?? Date.now();
    const name = this.#seeding ? `seed-${this.messages.length + 1}` : `message-${++this.#made}`;
    const status = given.status ?? (sendAtMs !== undefined ? 'scheduled' : serviceSid === null ? 'queued' : 'accepted');
    const hasEnded = given.status !== undefined;
    const message: StoredMessage = {
      sid: sidOf(mediaCount > 0 ? 'MM' : 'SM', name),
      to,
      from,
      body,
      mediaCount,
      serviceSid,
      inbound,
      createdMs,
      updatedMs: createdMs,
      sendAtMs,
      sentMs: hasEnded ? createdMs + 1_000 : undefined,
      status,
      errorCode: null,
    };
    if (given.freeText === true && !this.#wroteLately(to)) message.errorCode = 63_016;
    if (to === MAGIC.filtered) message.errorCode = 30_007;
    this.messages.push(message);
    return message;
  }

  /** A message as it now is; looking at it lets it go on a step. */
  look(message: StoredMessage): void {
    const now = Date.now();
    if (message.status === 'scheduled') {
      if ((message.sendAtMs ?? 0) > now) return;
      message.status = 'accepted';
    }
    const next = NEXT[message.status];
    if (next === undefined) return;
    message.updatedMs = now;
    message.from ??= message.to.startsWith('whatsapp:') ? `whatsapp:${SEED.numbers.main}` : SEED.numbers.invitations;
    message.status = next === 'delivered' && message.errorCode !== null ? 'undelivered' : next;
    if (next === 'sent') message.sentMs = now;
  }

  /** The pending verification of a number, by its number or sid; one that is over is not found, as at Twilio. */
  pending(toOrSid: string): StoredVerification | undefined {
    const now = Date.now();
    for (const verification of this.verifications) {
      if (verification.status === 'pending' && verification.createdMs + VERIFICATION_MS < now) {
        verification.status = 'expired';
      }
    }
    return this.verifications.find(
      ({ to, sid, status }) => status === 'pending' && (to === toOrSid || sid === toOrSid),
    );
  }

  /** Sends a code: the same once more while one is pending. */
  sendCode(to: string, channel: string): StoredVerification {
    const now = Date.now();
    let verification = this.pending(to);
    if (verification === undefined) {
      const sid = sidOf('VE', `verification-${++this.#made}`);
      verification = { sid, to, channel, createdMs: now, updatedMs: now, status: 'pending', checks: 0, attempts: [] };
      this.verifications.push(verification);
    }
    const sid = sidOf('VL', `${verification.sid}-${verification.attempts.length + 1}`);
    verification.attempts.push({ sid, channel, atMs: now });
    verification.updatedMs = now;
    return verification;
  }

  toJSON(): unknown {
    return { balance: this.balance, messages: this.messages, verifications: this.verifications };
  }

  /** WhatsApp lets one answer freely for 24 hours. */
  #wroteLately(person: string): boolean {
    const since = Date.now() - SESSION_MS;
    return this.messages.some(({ inbound, from, createdMs }) => inbound && from === person && createdMs > since);
  }
}
