import type { Account, WireInvoiceItem } from './account.ts';
import { newPrice, newProduct } from './catalog.ts';
import { newCustomer } from './customers.ts';
import { addItem, finalize, pay } from './invoice-life.ts';
import { newInvoice, newInvoiceItem } from './invoice-shapes.ts';
import { newPaymentLink } from './payment-links.ts';
import { newPaymentIntent, newRefund } from './payment-shapes.ts';
import { applyRefund, settle } from './payments.ts';

const DAY_S = 86_400;

/** id, name, email, phone, note, how many days ago */
const CUSTOMERS = [
  ['cus_SbxAuroraLamps', 'Aurora Lamps GmbH', 'events@auroralamps.example', '+4930555010', 'Product launch', 90],
  ['cus_SbxHousingCoop', 'Cooperative Housing Forum', 'office@housingforum.example', '+4930555020', 'Forum', 75],
  ['cus_SbxMayaOkafor', 'Maya Okafor', 'maya.okafor@mail.example', '+4915155503', 'Wedding, 84 guests', 60],
  ['cus_SbxLetterpress', 'Letterpress Workshop', 'hello@letterpress.example', null, 'Two days, 12 seats', 45],
  ['cus_SbxTomasNovak', 'Tomáš Novák', 'tomas.novak@mail.example', '+420601555040', null, 30],
  ['cus_SbxRiverChoir', 'River Choir', null, '+4930555060', 'Pays in cash', 14],
] as const;

/** product, name, what it is, price, cents, nickname, how many days ago */
const CATALOGUE = [
  ['prod_SbxWorkshop', 'Workshop seat', 'One seat for both days', 'price_SbxWorkshopSeat', 18_000, 'Regular', 80],
  ['prod_SbxWorkshop', 'Workshop seat', 'One seat for both days', 'price_SbxWorkshopEarly', 14_500, 'Early bird', 80],
  ['prod_SbxDeposit', 'Venue deposit', 'Returned after the event', 'price_SbxDeposit', 50_000, null, 79],
  ['prod_SbxDinner', 'Seated dinner', 'Three courses, per guest', 'price_SbxDinner', 6_800, null, 70],
  ['prod_SbxSound', 'Sound and lights', 'Up to 200 guests, one evening', 'price_SbxSound', 95_000, null, 65],
  ['prod_SbxForum', 'Forum ticket', 'One day, with lunch', 'price_SbxForumTicket', 4_900, null, 40],
] as const;

type Line = readonly [description: string, unit: number, quantity: number];

interface Planned {
  readonly id: string;
  readonly customer: string;
  readonly daysAgo: number;
  readonly dueDays: number;
  readonly description: string;
  readonly until: 'draft' | 'open' | 'paid' | 'void';
  readonly lines: readonly Line[];
}

const INVOICES: readonly Planned[] = [
  {
    id: 'in_SbxAuroraPaid',
    customer: 'cus_SbxAuroraLamps',
    daysAgo: 60,
    dueDays: 14,
    description: 'Spring Product Launch: Aurora Lamps',
    until: 'paid',
    lines: [
      ['Hall, one evening', 220_000, 1],
      ['Sound and lights', 95_000, 1],
    ],
  },
  {
    id: 'in_SbxForumOverdue',
    customer: 'cus_SbxHousingCoop',
    daysAgo: 40,
    dueDays: 14,
    description: 'Cooperative Housing Forum',
    until: 'open',
    lines: [['Forum ticket', 4_900, 60]],
  },
  {
    id: 'in_SbxWeddingOpen',
    customer: 'cus_SbxMayaOkafor',
    daysAgo: 6,
    dueDays: 30,
    description: 'Wedding in the orchard',
    until: 'open',
    lines: [
      ['Seated dinner', 6_800, 84],
      ['Venue deposit', 50_000, 1],
    ],
  },
  {
    id: 'in_SbxChoirVoid',
    customer: 'cus_SbxTomasNovak',
    daysAgo: 5,
    dueDays: 14,
    description: 'Made out to the wrong person',
    until: 'void',
    lines: [['Rehearsal room', 12_000, 2]],
  },
  {
    id: 'in_SbxWorkshopDraft',
    customer: 'cus_SbxLetterpress',
    daysAgo: 1,
    dueDays: 14,
    description: 'Letterpress Weekend Workshop',
    until: 'draft',
    lines: [['Workshop seat', 18_000, 12]],
  },
];

function plan(account: Account, now: number, planned: Planned): void {
  const { id, daysAgo, dueDays, description, until, lines } = planned;
  const created = now - daysAgo * DAY_S;
  const customer = account.customers.get(planned.customer);
  const common = { currency: 'eur', collection_method: 'send_invoice', footer: null, metadata: {} } as const;
  account.invoices.put(
    newInvoice(id, created, customer, { ...common, description, due_date: created + dueDays * DAY_S }),
  );
  for (const [n, [what, unit, quantity]] of lines.entries()) {
    const given: Parameters<typeof newInvoiceItem>[2] = {
      amount: unit * quantity,
      currency: 'eur',
      customer: customer.id,
      description: what,
      invoice: id,
      metadata: {},
      quantity,
      pricing: { type: 'price_details', unit_amount_decimal: String(unit) },
    };
    addItem(account, newInvoiceItem(`ii_${id.slice(3)}${n}`, created, given) satisfies WireInvoiceItem);
  }
  if (until === 'draft') return;
  const open = finalize(account, account.invoices.get(id), created + 3_600);
  if (until === 'paid') pay(account, open, created + 3 * DAY_S);
  if (until === 'void') {
    const status_transitions = { ...open.status_transitions, voided_at: created + 7_200 };
    account.invoices.put({ ...open, status: 'void', status_transitions });
  }
}

/** id, customer, cents, what for, how many days ago, whether the card is declined */
const PAYMENTS = [
  ['pi_SbxDepositPaid', 'cus_SbxMayaOkafor', 50_000, 'Venue deposit, wedding in the orchard', 20, false],
  ['pi_SbxSeatsPaid', 'cus_SbxTomasNovak', 36_000, 'Two workshop seats', 10, false],
  ['pi_SbxSeatPartly', 'cus_SbxLetterpress', 18_000, 'Workshop seat, partly refunded', 9, false],
  ['pi_SbxDeclined', 'cus_SbxRiverChoir', 24_000, 'Rehearsal room', 2, true],
] as const;

/** An event planner's account, some months old; ids are always the same. */
export function seed(account: Account): void {
  const now = account.now();
  for (const [id, name, email, phone, description, days] of CUSTOMERS) {
    account.customers.put(newCustomer(id, now - days * DAY_S, { name, email, phone, description, currency: 'eur' }));
  }
  for (const [product, name, description, price, cents, nickname, days] of CATALOGUE) {
    const created = now - days * DAY_S;
    const known = account.products.find(product);
    if (known === undefined) {
      account.products.put({ ...newProduct(product, created, { name, description }), default_price: price });
    }
    account.prices.put(newPrice(price, created, { product, currency: 'eur', unit_amount: cents, nickname }));
  }
  const forum = newPaymentLink('plink_SbxForumTickets', {
    currency: 'eur',
    restrictions: { completed_sessions: { count: 43, limit: 120 } },
  });
  account.paymentLinks.put(forum);
  for (const planned of INVOICES) plan(account, now, planned);
  for (const [id, customer, amount, description, days, declined] of PAYMENTS) {
    const created = now - days * DAY_S;
    const payment = { amount, currency: 'eur', customer, description, metadata: {} };
    settle(account, { ...newPaymentIntent(id, created, payment), payment_method: 'pm_card_visa' }, created, declined);
  }
  const partly = account.charges.get(account.paymentIntents.get('pi_SbxSeatPartly').latest_charge ?? '');
  const given = { amount: 6_000, reason: 'requested_by_customer', metadata: {} } as const;
  applyRefund(account, newRefund('re_SbxPartly', now - 8 * DAY_S, partly, given), partly);
}
