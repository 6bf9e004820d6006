import type { Stripe } from 'stripe';
import type { Account, StoredInvoice, WireInvoiceItem, WireLine } from './account.ts';
import { currencyOf } from './catalog.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid } from './fault.ts';
import { pageOf } from './lists.ts';
import type { Params } from './params.ts';
import { newPaymentIntent, settle } from './payments.ts';

const DAY_S = 86_400;
/** The others are told by the list of its lines alone. */
const MAX_LINES_WITHIN = 10;

/** A draft without items. */
export function newInvoice(
  id: string,
  created: number,
  customer: Stripe.Customer,
  given: Pick<StoredInvoice, 'currency' | 'collection_method' | 'due_date' | 'description' | 'footer' | 'metadata'>,
): StoredInvoice {
  return {
    ...given,
    id,
    object: 'invoice',
    account_country: 'DE',
    account_name: 'Lantern Street Events',
    account_tax_ids: null,
    amount_due: 0,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: 0,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: false,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: 'manual',
    created,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    discounts: [],
    effective_at: null,
    ending_balance: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    livemode: false,
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: null,
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: created,
    period_start: created,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: null,
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  } satisfies StoredInvoice;
}

/** An item; `amount` is of the whole line. */
export function newInvoiceItem(
  id: string,
  date: number,
  given: Pick<
    WireInvoiceItem,
    'amount' | 'currency' | 'customer' | 'description' | 'invoice' | 'metadata' | 'quantity' | 'pricing'
  >,
): WireInvoiceItem {
  return {
    ...given,
    id,
    object: 'invoiceitem',
    customer_account: null,
    date,
    discountable: true,
    discounts: [],
    livemode: false,
    net_amount: given.amount,
    parent: null,
    period: { end: date, start: date },
    proration: false,
    quantity_decimal: String(given.quantity),
    tax_rates: [],
    test_clock: null,
  } satisfies WireInvoiceItem;
}

function lineOf(item: WireInvoiceItem): WireLine {
  const { amount, currency, description, invoice, metadata, quantity, period, pricing } = item;
  return {
    id: `il_${item.id.slice(3)}`,
    object: 'line_item',
    amount,
    currency,
    description,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice,
    livemode: false,
    metadata: metadata ?? {},
    parent: {
      type: 'invoice_item_details',
      invoice_item_details: { invoice_item: item.id, proration: false, proration_details: null, subscription: null },
      subscription_item_details: null,
    },
    period,
    pretax_credit_amounts: [],
    pricing,
    quantity,
    quantity_decimal: String(quantity),
    subscription: null,
    subtotal: amount,
    taxes: [],
  } satisfies WireLine;
}

/** The invoice with its lines, as it is told. */
function told(account: Account, invoice: StoredInvoice): object {
  const all = account.invoiceItems.all().filter((item) => item.invoice === invoice.id);
  const data = all.slice(0, MAX_LINES_WITHIN).map(lineOf);
  const lines = { object: 'list', url: `/v1/invoices/${invoice.id}/lines`, has_more: all.length > data.length, data };
  return { ...invoice, lines };
}

function changed(account: Account, invoice: StoredInvoice, event: string): object {
  account.invoices.put(invoice);
  const whole = told(account, invoice);
  account.emit(event, whole);
  return whole;
}

/** Adds an item and makes the sums anew. */
export function addItem(account: Account, item: WireInvoiceItem): void {
  account.invoiceItems.put(item);
  const invoice = item.invoice === null ? undefined : account.invoices.find(item.invoice);
  if (invoice !== undefined) resum(account, invoice);
}

function resum(account: Account, invoice: StoredInvoice): void {
  const items = account.invoiceItems.all().filter((item) => item.invoice === invoice.id);
  const total = items.reduce((sum, { amount }) => sum + amount, 0);
  account.invoices.put({
    ...invoice,
    amount_due: total,
    amount_remaining: total,
    subtotal: total,
    subtotal_excluding_tax: total,
    total,
    total_excluding_tax: total,
  });
}

function draft(account: Account, id: string): StoredInvoice {
  const invoice = account.invoices.get(id);
  if (invoice.status !== 'draft') {
    throw invalid(`This invoice is no longer editable: its status is ${invoice.status}.`, 'invoice_not_editable');
  }
  return invoice;
}

/** Draft to open, or straight to paid where nothing is due. */
export function finalize(account: Account, invoice: StoredInvoice, at: number): StoredInvoice {
  const customer = account.customers.get(invoice.customer);
  const sequence = customer.next_invoice_sequence ?? 1;
  account.customers.put({ ...customer, next_invoice_sequence: sequence + 1 });
  const page = `https://invoice.stripe.com/i/acct_1SandboxPlanner00/test_${invoice.id.slice(3)}`;
  const nothingDue = invoice.total <= 0;
  return account.invoices.put({
    ...invoice,
    effective_at: at,
    hosted_invoice_url: page,
    invoice_pdf: `https://pay.stripe.com/invoice/acct_1SandboxPlanner00/test_${invoice.id.slice(3)}/pdf`,
    number: `${customer.invoice_prefix}-${String(sequence).padStart(4, '0')}`,
    status: nothingDue ? 'paid' : 'open',
    status_transitions: { ...invoice.status_transitions, finalized_at: at, paid_at: nothingDue ? at : null },
  });
}

/** Open to paid, by a card. */
export function pay(account: Account, invoice: StoredInvoice, at: number): StoredInvoice {
  const { total: amount, currency, customer, description } = invoice;
  const intent = newPaymentIntent(account.id('pi'), at, { amount, currency, customer, description, metadata: {} });
  settle(account, { ...intent, payment_method: 'pm_card_visa' }, at, false);
  return account.invoices.put({
    ...invoice,
    amount_paid: amount,
    amount_remaining: 0,
    attempt_count: 1,
    attempted: true,
    status: 'paid',
    status_transitions: { ...invoice.status_transitions, paid_at: at },
  });
}

function createInvoice(account: Account, params: Params): object {
  const customer = account.customers.get(params.required('customer'), 'customer');
  const method = params.oneOf('collection_method', ['charge_automatically', 'send_invoice']) ?? 'charge_automatically';
  const days = params.integer('days_until_due');
  const due = params.integer('due_date');
  const currency = params.has('currency') ? currencyOf(params) : (customer.currency ?? 'eur');
  params.flag('auto_advance');
  params.oneOf('pending_invoice_items_behavior', ['exclude', 'include']);
  const texts = { description: params.text('description') ?? null, footer: params.text('footer') ?? null };
  const metadata = params.metadata();
  params.nothingElse();
  const sent = method === 'send_invoice';
  if (sent && days === undefined && due === undefined) {
    throw invalid(
      'When sending an invoice you must specify either `days_until_due` or `due_date`.',
      undefined,
      'days_until_due',
    );
  }
  if (sent && customer.email === null) {
    throw invalid(
      'Missing email. In order to create invoices that are sent to the customer, the customer must have a valid email.',
      'customer_missing_email',
      'customer',
    );
  }
  const now = account.now();
  const due_date = sent ? (due ?? now + (days ?? 0) * DAY_S) : null;
  const given = { ...texts, metadata, currency, collection_method: method, due_date };
  return changed(account, newInvoice(account.id('in'), now, customer, given), 'invoice.created');
}

function pricingOf(
  account: Account,
  params: Params,
): Pick<WireInvoiceItem, 'amount' | 'currency' | 'quantity' | 'pricing' | 'description'> {
  const quantity = params.integer('quantity') ?? 1;
  const given = params.group('pricing')?.text('price');
  const description = params.text('description') ?? null;
  if (given !== undefined) {
    const price = account.prices.get(given, 'pricing[price]');
    if (!price.active) throw invalid('The price specified is inactive.', 'price_inactive', 'pricing[price]');
    const product = account.products.get(price.product);
    return {
      amount: (price.unit_amount ?? 0) * quantity,
      currency: price.currency,
      quantity,
      description: description ?? product.name,
      pricing: {
        type: 'price_details',
        price_details: { price: price.id, product: product.id },
        unit_amount_decimal: price.unit_amount_decimal,
      },
    };
  }
  const unit = params.text('unit_amount_decimal');
  const amount = params.integer('amount') ?? Number(unit) * quantity;
  if (!Number.isSafeInteger(amount)) throw invalid('Missing required param: amount.', 'parameter_missing', 'amount');
  return {
    amount,
    currency: currencyOf(params),
    quantity,
    description,
    pricing: { type: 'price_details', unit_amount_decimal: unit ?? String(amount / quantity) },
  };
}

function createItem(account: Account, params: Params): object {
  const customer = params.required('customer');
  account.customers.get(customer, 'customer');
  const into = params.text('invoice');
  const invoice = into === undefined ? undefined : draft(account, account.invoices.get(into, 'invoice').id);
  const line = pricingOf(account, params);
  const metadata = params.metadata();
  params.nothingElse();
  if (invoice !== undefined && invoice.currency !== line.currency) {
    throw invalid(
      `The currency of the item (${line.currency}) is not that of the invoice (${invoice.currency}).`,
      undefined,
      'currency',
    );
  }
  const given = { ...line, customer, invoice: invoice?.id ?? null, metadata };
  const item = newInvoiceItem(account.id('ii'), account.now(), given);
  addItem(account, item);
  account.emit('invoiceitem.created', item);
  return item;
}

function wrongStatus(what: string, { status }: StoredInvoice): never {
  throw invalid(`You cannot ${what} this invoice because its status is ${status}.`, 'invoice_not_editable');
}

/** Changes of an open invoice that Stripe has an address for. */
const closings: readonly Endpoint[] = (
  [
    ['void', 'void', 'voided_at', 'invoice.voided'],
    ['mark_uncollectible', 'uncollectible', 'marked_uncollectible_at', 'invoice.marked_uncollectible'],
  ] as const
).map(([action, status, when, event]) => ({
  method: 'POST',
  path: `/v1/invoices/:id/${action}`,
  run: (account, params, { id = '' }) => {
    params.nothingElse();
    const invoice = account.invoices.get(id);
    if (invoice.status !== 'open') wrongStatus(action, invoice);
    const status_transitions = { ...invoice.status_transitions, [when]: account.now() };
    return changed(account, { ...invoice, status, status_transitions }, event);
  },
}));

/** `/v1/invoices`, `/v1/invoiceitems` */
export const invoiceEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/v1/invoices',
    run: (account, params) => {
      const customer = params.text('customer');
      const status = params.oneOf('status', ['draft', 'open', 'paid', 'uncollectible', 'void']);
      const created = params.created();
      const fits = (row: StoredInvoice) =>
        (customer === undefined || row.customer === customer) &&
        (status === undefined || row.status === status) &&
        created(row.created);
      const page = pageOf(params, '/v1/invoices', account.invoices.all().filter(fits)) as {
        readonly data: StoredInvoice[];
      };
      return { ...page, data: page.data.map((invoice) => told(account, invoice)) };
    },
  },
  { method: 'POST', path: '/v1/invoices', run: createInvoice },
  {
    method: 'GET',
    path: '/v1/invoices/:id',
    run: (account, _params, { id = '' }) => told(account, account.invoices.get(id)),
  },
  {
    method: 'POST',
    path: '/v1/invoices/:id',
    run: (account, params, { id = '' }) => {
      const before = draft(account, id);
      const invoice = {
        ...before,
        description: params.text('description') ?? before.description,
        footer: params.text('footer') ?? before.footer,
        metadata: params.metadata(before.metadata),
      };
      params.nothingElse();
      return changed(account, invoice, 'invoice.updated');
    },
  },
  {
    method: 'DELETE',
    path: '/v1/invoices/:id',
    run: (account, _params, { id = '' }) => {
      const invoice = draft(account, id);
      account.emit('invoice.deleted', told(account, invoice));
      account.invoices.delete(id);
      for (const item of account.invoiceItems.all()) if (item.invoice === id) account.invoiceItems.delete(item.id);
      return { id, object: 'invoice', deleted: true };
    },
  },
  {
    method: 'GET',
    path: '/v1/invoices/:id/lines',
    run: (account, params, { id = '' }) => {
      account.invoices.get(id);
      const lines = account.invoiceItems
        .all()
        .filter((item) => item.invoice === id)
        .map(lineOf);
      return pageOf(params, `/v1/invoices/${id}/lines`, lines.toReversed());
    },
  },
  {
    method: 'POST',
    path: '/v1/invoices/:id/finalize',
    run: (account, params, { id = '' }) => {
      params.flag('auto_advance');
      params.nothingElse();
      return changed(account, finalize(account, draft(account, id), account.now()), 'invoice.finalized');
    },
  },
  {
    method: 'POST',
    path: '/v1/invoices/:id/send',
    run: (account, params, { id = '' }) => {
      params.nothingElse();
      const before = account.invoices.get(id);
      if (before.status !== 'draft' && before.status !== 'open') wrongStatus('send', before);
      const { collection_method: method, customer_email: to } = before;
      if (method !== 'send_invoice' || to === null) {
        throw invalid('You can only manually send an invoice if its collection method is "send_invoice".');
      }
      const invoice = before.status === 'open' ? before : finalize(account, before, account.now());
      if (before.status === 'draft') changed(account, invoice, 'invoice.finalized');
      account.mails.push({ to, invoice: id });
      return changed(account, invoice, 'invoice.sent');
    },
  },
  {
    method: 'POST',
    path: '/v1/invoices/:id/pay',
    run: (account, params, { id = '' }) => {
      params.nothingElse();
      const before = account.invoices.get(id);
      const open = before.status === 'draft' ? finalize(account, before, account.now()) : before;
      if (open.status !== 'open') wrongStatus('pay', open);
      return changed(account, pay(account, open, account.now()), 'invoice.paid');
    },
  },
  ...closings,
  {
    method: 'GET',
    path: '/v1/invoiceitems',
    run: (account, params) => {
      const customer = params.text('customer');
      const invoice = params.text('invoice');
      const created = params.created();
      const fits = (row: WireInvoiceItem) =>
        (customer === undefined || row.customer === customer) &&
        (invoice === undefined || row.invoice === invoice) &&
        created(row.date);
      return pageOf(params, '/v1/invoiceitems', account.invoiceItems.all().filter(fits));
    },
  },
  { method: 'POST', path: '/v1/invoiceitems', run: createItem },
  { method: 'GET', path: '/v1/invoiceitems/:id', run: (account, _params, { id = '' }) => account.invoiceItems.get(id) },
  {
    method: 'DELETE',
    path: '/v1/invoiceitems/:id',
    run: (account, _params, { id = '' }) => {
      const item = account.invoiceItems.get(id);
      const invoice = item.invoice === null ? undefined : draft(account, item.invoice);
      account.invoiceItems.delete(id);
      if (invoice !== undefined) resum(account, invoice);
      return { id, object: 'invoiceitem', deleted: true };
    },
  },
];
