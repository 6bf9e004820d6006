import { hash } from 'node:crypto';

/** A sid as Twilio makes them, the same for the same name. */
export function sidOf(prefix: string, name: string): string {
  return `${prefix}${hash('md5', `${prefix}:${name}`)}`;
}

/** What the stand-in's account is and has; nothing of it is a secret. */
export const SEED = {
  accountSid: sidOf('AC', 'planner'),
  apiKeySid: sidOf('SK', 'planner'),
  apiKeySecret: 'sandbox-api-key-secret-0000000000',
  numbers: { main: '+493012345600', invitations: '+493012345601', us: '+12025550100' },
  services: { invitations: sidOf('MG', 'invitations'), reminders: sidOf('MG', 'reminders') },
  verifyService: sidOf('VA', 'planner'),
  /** Every one-time code. */
  code: '123456',
  guests: { mara: '+4915112345678', tom: '+436641234567', lea: '+41791234567', optedOut: '+4915187654321' },
} as const;

/** Numbers that misbehave, after Twilio's own for test credentials: https://www.twilio.com/docs/iam/test-credentials */
export const MAGIC = {
  invalid: '+15005550001',
  unroutable: '+15005550002',
  region: '+15005550003',
  blocked: '+15005550004',
  filtered: '+15005550007',
  landline: '+15005550009',
} as const;

/** The templates of the account, as the Content API shows them. */
export const TEMPLATES = [
  {
    sid: sidOf('HX', 'event_reminder'),
    name: 'event_reminder',
    body: 'Hi {{1}}, {{2}} starts tomorrow at {{3}}. See you there!',
    variables: { '1': 'Mara', '2': 'the summer party', '3': '18:00' },
    category: 'UTILITY',
    status: 'approved',
    reason: '',
  },
  {
    sid: sidOf('HX', 'rsvp_request'),
    name: 'rsvp_request',
    body: 'Hi {{1}}, will you come to {{2}}? Please answer YES or NO.',
    variables: { '1': 'Mara', '2': 'the wedding of Ida and Jon' },
    category: 'UTILITY',
    status: 'approved',
    reason: '',
  },
  {
    sid: sidOf('HX', 'early_bird'),
    name: 'early_bird',
    body: 'Only today: {{1}} % off tickets for {{2}}!',
    variables: { '1': '20', '2': 'the winter gala' },
    category: 'MARKETING',
    status: 'rejected',
    reason: 'INVALID_FORMAT',
  },
] as const;
