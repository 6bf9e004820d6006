import type { Account, StoredInvoice, WireInvoiceItem } from './account.ts';
import { lineOf } from './invoice-shapes.ts';
import { newPaymentIntent } from './payment-shapes.ts';
import { settle } from './payments.ts';

/** The others are told by the list of its lines alone. */
const MAX_LINES_WITHIN = 10;

/** The invoice with its lines, as it is told. */
export function told(account: Account, invoice: StoredInvoice): object {
  const all = account.invoiceItems.all().filter((item) => item.invoice === invoice.id);
  const data = all.slice(0, MAX_LINES_WITHIN).map(lineOf);
  const lines = { object: 'list', url: `/v1/invoices/${invoice.id}/lines`, has_more: all.length > data.length, data };
  return { ...invoice, lines };
}

/** Keeps a change and writes down what happened. */
export function changed(account: Account, invoice: StoredInvoice, event: string): object {
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

/** Makes the sums anew. */
export function resum(account: Account, invoice: StoredInvoice): void {
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
