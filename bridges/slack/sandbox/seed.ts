import type { ChannelRecord, MessageRecord, UserRecord } from './records.ts';

export const TEAM = 'T0PLANNER01';
export const BOT_USER = 'U0PLANBOT01';
export const BOT_ID = 'B0PLANBOT01';
export const APP = 'A0PLANBOT01';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function user(id: string, name: string, realName: string, title: string, more: Partial<UserRecord> = {}): UserRecord {
  const email = `${name}@fenwick-events.example`;
  const common = { tz: 'Europe/Berlin', isBot: false, isGuest: false, deleted: false };
  return { id, name, realName, title, email, ...common, ...more };
}

/** The people of a small agency that plans events, two guests of a caterer, and the bot. */
export function seedUsers(): UserRecord[] {
  return [
    user('U0ANNIKA001', 'annika.berg', 'Annika Berg', 'Head of events'),
    user('U0TOMASZ002', 'tomasz.wolny', 'Tomasz Wolny', 'Venue manager', { tz: 'Europe/Warsaw' }),
    user('U0PRIYA0003', 'priya.raman', 'Priya Raman', 'Guest relations', { tz: 'Europe/London' }),
    user('U0LEONHA004', 'leon.hart', 'Leon Hart', 'Finance'),
    user('U0MAREN0005', 'maren.olsen', 'Maren Olsen', 'Stage and sound', { tz: 'Europe/Oslo' }),
    user('U0CATERI006', 'sofia.duarte', 'Sofia Duarte', 'Quinta Catering', {
      email: 'sofia@quinta-catering.example',
      isGuest: true,
      tz: 'Europe/Lisbon',
    }),
    user('U0CATERI007', 'rui.faria', 'Rui Faria', 'Quinta Catering', {
      email: 'rui@quinta-catering.example',
      isGuest: true,
      tz: 'Europe/Lisbon',
    }),
    user('U0FORMER008', 'jonas.kehl', 'Jonas Kehl', 'Intern', { deleted: true }),
    user(BOT_USER, 'planbot', 'Planbot', '', { email: undefined, isBot: true, tz: 'Etc/UTC' }),
  ];
}

/** Said some time before the stand-in started: how long before, by whom, what; replies follow the message they hang on. */
type Line = readonly [agoSeconds: number, user: string, text: string, replies?: readonly Line[]];

const GENERAL: readonly Line[] = [
  [9 * DAY, 'U0ANNIKA001', 'Welcome to the spring season! Twelve events, one channel each for the big ones. :tada:'],
  [6 * DAY, 'U0LEONHA004', 'Budgets for Q2 are signed off. Quotes above 2.000 &euro; still come to me first.'],
  [
    2 * DAY,
    'U0PRIYA0003',
    'Reminder: dietary requirements go into the guest list, not into chat &amp; not into mails.',
  ],
  [3 * HOUR, BOT_USER, '3 events this week: <https://plan.fenwick-events.example/week|see the week>'],
];

const LAUNCH: readonly Line[] = [
  [5 * DAY, 'U0ANNIKA001', 'Aurora Lamps product launch: doors 18:00, speeches 19:00, 140 guests confirmed.'],
  [
    4 * DAY,
    'U0TOMASZ002',
    'The Glasshouse confirms the stage for Thursday. Load-in from 09:00.',
    [
      [4 * DAY - 20 * MINUTE, 'U0MAREN0005', 'We need power for 2 x 16A at the stage, is that there?'],
      [4 * DAY - 50 * MINUTE, 'U0TOMASZ002', 'Yes, both sides.'],
      [3 * DAY, BOT_USER, 'Noted in the plan: 2 x 16A at the stage.'],
    ],
  ],
  [1 * DAY, 'U0PRIYA0003', '4 late cancellations, 3 from the waiting list moved up.'],
  [5 * HOUR, BOT_USER, 'Seating plan v3 is ready: <https://plan.fenwick-events.example/aurora/seating>'],
];

const CATERING: readonly Line[] = [
  [3 * DAY, 'U0CATERI006', 'Menu for the Aurora launch: 96 standard, 31 vegetarian, 13 vegan.'],
  [2 * DAY, 'U0PRIYA0003', 'Two guests with a nut allergy, tables 4 and 11.'],
  [7 * HOUR, 'U0CATERI007', 'Delivery on Thursday 15:30 at the back entrance.'],
];

const BUDGET: readonly Line[] = [[8 * DAY, 'U0LEONHA004', 'Aurora launch stands at 18.240 &euro; of 20.000 &euro;.']];
const DIRECT: readonly Line[] = [[1 * DAY, 'U0ANNIKA001', 'Please remind me on Wednesday to call the florist.']];

function toMessages(lines: readonly Line[], nowSeconds: number): MessageRecord[] {
  const messages: MessageRecord[] = [];
  const add = ([ago, by, text, replies = []]: Line, threadTs?: string): void => {
    const ts = `${nowSeconds - ago}.${String(100_000 + messages.length * 137).padStart(6, '0')}`;
    const hangsOn = threadTs ?? (replies.length === 0 ? undefined : ts);
    messages.push({
      ts,
      user: by,
      botId: by === BOT_USER ? BOT_ID : undefined,
      text: text.replaceAll('&euro;', '€'),
      threadTs: hangsOn,
      broadcast: false,
      metadata: undefined,
      editedTs: undefined,
      reactions: text.includes(':tada:') ? [{ name: 'tada', users: ['U0PRIYA0003', 'U0MAREN0005'] }] : [],
    });
    for (const reply of replies) add(reply, ts);
  };
  for (const line of lines) add(line);
  return messages.sort((a, b) => Number(a.ts) - Number(b.ts));
}

const STAFF = ['U0ANNIKA001', 'U0TOMASZ002', 'U0PRIYA0003', 'U0LEONHA004', 'U0MAREN0005'];
const WITH_BOT = [...STAFF, BOT_USER];

/** The workspace's channels as they were at `nowSeconds`. */
export function seedChannels(nowSeconds: number): ChannelRecord[] {
  const channel = (
    id: string,
    name: string,
    lines: readonly Line[],
    more: Partial<Omit<ChannelRecord, 'messages'>> = {},
  ): ChannelRecord => ({
    id,
    name,
    kind: 'public',
    members: WITH_BOT,
    isArchived: false,
    topic: '',
    purpose: '',
    created: nowSeconds - 200 * DAY,
    ...more,
    messages: toMessages(lines, nowSeconds),
  });
  return [
    channel('C0GENERAL01', 'general', GENERAL, { purpose: 'For everybody at Fenwick Events' }),
    channel('C0AURORA002', 'event-aurora-launch', LAUNCH, { topic: 'Thursday, The Glasshouse, 140 guests' }),
    channel('C0CATERI003', 'catering', CATERING, { members: [...WITH_BOT, 'U0CATERI006', 'U0CATERI007'] }),
    channel('C0VENUES004', 'venues', [], { purpose: 'Offers, contracts, load-in' }),
    channel('C0RANDOM005', 'random', [], { members: STAFF, purpose: 'Everything else' }),
    channel('C0OLDFAIR06', 'event-winter-fair', [], { isArchived: true }),
    channel('C0BUDGET007', 'budget', BUDGET, { kind: 'private', members: ['U0ANNIKA001', 'U0LEONHA004', BOT_USER] }),
    channel('C0BOARD0008', 'board', [], { kind: 'private', members: ['U0ANNIKA001', 'U0LEONHA004'] }),
    channel('D0ANNIKA001', '', DIRECT, { kind: 'im', members: ['U0ANNIKA001', BOT_USER] }),
  ];
}
