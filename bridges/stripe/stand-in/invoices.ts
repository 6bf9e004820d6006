import type { Account, StoredInvoice, WireInvoiceItem } from './account.ts';
import { currencyOf } from './catalog.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid } from './fault.ts';
import { addItem, changed, finalize, pay, resum, told } from './invoice-life.ts';
import { lineOf, newInvoice, newInvoiceItem } from './invoice-shapes.ts';
import { pageOf } from './lists.ts';
import type { Params } from './params.ts';

const DAY_S = 86_400;

function draft(account: Account, id: string): StoredInvoice {
  const invoice = account.invoices.get(id);
  if (invoice.status !== 'draft') {
    throw invalid(`This invoice is no longer editable: its status is ${invoice.status}.`, 'invoice_not_editable');
  }
  return invoice;
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
