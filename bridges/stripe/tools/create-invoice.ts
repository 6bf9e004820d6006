import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool, type Reconciliation } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { KEY_METADATA, keyMetadata, type StripeClient, stepKey } from '../client.ts';
import { carryOut, lookFor, type Trace } from '../look.ts';
import { invoiceShape, toInvoice } from './invoice-shape.ts';
import {
  amount,
  amountInput,
  currencyInput,
  given,
  MAX_AMOUNT,
  REFERENCE_METADATA,
  reference,
  stripeId,
  text,
} from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

const MAX_ITEMS = 20;

const item = z.object({
  price: stripeId('price', 'a price').optional().describe('An existing price; or give description and unitAmount'),
  description: text(500, 'What the customer reads; needed without a price').optional(),
  unitAmount: amountInput.optional(),
  quantity: z.number().int().min(1).max(10_000).default(1),
});

const input = z.object({
  customer: stripeId('cus', 'a customer'),
  currency: currencyInput,
  items: z.array(item).min(1).max(MAX_ITEMS),
  daysUntilDue: z.number().int().min(0).max(365).default(14).describe('Days to pay, counted from today'),
  description: text(1_000, 'A note at the head of the invoice, e.g. the event it is for').optional(),
  footer: text(1_000, 'A note at the foot').optional(),
  reference: reference.optional(),
});

const output = z.object({
  ...invoiceShape,
  items: z.array(
    z.object({
      description: z.string().nullable(),
      quantity: z.number().int().nullable(),
      amount: amount.describe('Of the whole line, in the smallest unit'),
    }),
  ),
});

type Input = z.output<typeof input>;
type Item = z.output<typeof item>;

const INVOICE_STEP = 'invoice';
const itemStep = (n: number): string => `item:${n}`;

function invoiceCreated(customer: string): Trace<Stripe.Invoice> {
  return {
    event: 'invoice.created',
    step: INVOICE_STEP,
    list: (stripe, page, options) =>
      stripe.invoices.list({ ...page, customer }, options) as Promise<
        Stripe.ApiList<Stripe.Invoice & { readonly id: string }>
      >,
  };
}

function itemCreated(invoice: string, n: number): Trace<Stripe.InvoiceItem> {
  return {
    event: 'invoiceitem.created',
    step: itemStep(n),
    list: (stripe, page, options) => stripe.invoiceItems.list({ ...page, invoice }, options),
  };
}

/** Each line is either an existing price or words and an amount; no more than the total that Stripe takes. */
function checkItems(items: readonly Item[]): void {
  const errors: { readonly pointer: string; readonly message: string }[] = [];
  let sum = 0;
  for (const [n, { price, description, unitAmount, quantity }] of items.entries()) {
    const bare = price === undefined ? description === undefined || unitAmount === undefined : unitAmount !== undefined;
    if (bare) errors.push({ pointer: `/items/${n}`, message: 'needs either price, or description and unitAmount' });
    sum += (unitAmount ?? 0) * quantity;
  }
  if (sum > MAX_AMOUNT) errors.push({ pointer: '/items', message: `the sum is above ${MAX_AMOUNT}` });
  if (errors.length === 0) return;
  throw new ToolError('invalid_arguments', errors.map(({ pointer, message }) => `${pointer}: ${message}`).join('; '), {
    hint: 'Compare the arguments with the inputSchema of the tool',
    details: { errors },
  });
}

/** Looks at the prices before anything is made, so that a wrong one leaves no half-filled draft behind. */
async function checkPrices(client: StripeClient, context: ToolContext, { items, currency }: Input): Promise<void> {
  const ids = [...new Set(items.flatMap(({ price }) => (price === undefined ? [] : [price])))];
  const prices = await Promise.all(
    ids.map((id) => client.read(context, (stripe, options) => stripe.prices.retrieve(id, {}, options))),
  );
  for (const { id, active, type, currency: code } of prices) {
    const wrong =
      code !== currency.toLowerCase()
        ? `is in ${code.toUpperCase()}, not ${currency.toUpperCase()}`
        : !active
          ? 'is no longer active'
          : type !== 'one_time'
            ? 'is for a subscription'
            : undefined;
    if (wrong !== undefined) {
      throw new ToolError('unusable_price', `the price ${id} ${wrong}`, {
        hint: 'Choose another with list_prices, or give description and unitAmount',
        details: { executed: 'no' },
      });
    }
  }
}

function invoiceParams(
  { customer, currency, daysUntilDue, description, footer, reference: own }: Input,
  context: ToolContext,
): Stripe.InvoiceCreateParams {
  return {
    customer,
    currency: currency.toLowerCase(),
    collection_method: 'send_invoice',
    days_until_due: daysUntilDue,
    // It stays a draft until somebody finalises it, and takes up nothing that waits for another invoice.
    auto_advance: false,
    pending_invoice_items_behavior: 'exclude',
    metadata: { ...keyMetadata(context, INVOICE_STEP), ...given({ [REFERENCE_METADATA]: own }) },
    ...given({ description, footer }),
  };
}

function itemParams(
  stripe: Stripe,
  { customer, currency }: Input,
  { price, description, unitAmount, quantity }: Item,
  invoice: string,
  metadata: Readonly<Record<string, string>>,
): Stripe.InvoiceItemCreateParams {
  const whole = { customer, invoice, quantity, metadata, ...given({ description }) };
  if (price !== undefined) return { ...whole, pricing: { price } };
  return {
    ...whole,
    currency: currency.toLowerCase(),
    unit_amount_decimal: stripe.Decimal.from(unitAmount ?? 0),
  };
}

/**
 * Says what is there already. Nothing is undone: where a repeat with the same key could complete it, its outcome is
 * unknown until it is asked about, and then the key may run again.
 */
function halfDone(error: unknown, context: ToolContext, invoice: string, done: number, all: number): unknown {
  if (!(error instanceof ToolError)) return error;
  const { code, message, retryable, details } = error;
  const completable = context.idempotencyKey !== undefined && (retryable || code === 'outcome_unknown');
  const hint = completable
    ? 'Repeat with the same Idempotency-Key and Prefer: reconcile; once it says not_executed, send it again with the same key, which completes this draft'
    : `The draft ${invoice} stays unsent: delete it in the dashboard, and send the corrected invoice under a new key`;
  const told = `${message} (the draft ${invoice} has ${done} of ${all} items)`;
  return new ToolError(completable ? 'outcome_unknown' : code, told, {
    hint,
    details: { ...details, executed: 'maybe', reason: code, invoice, itemsDone: done, itemsWanted: all },
    cause: error,
  });
}

/** The answer, read back when all steps are done. */
async function readBack(client: StripeClient, context: ToolContext, id: string): Promise<z.input<typeof output>> {
  // The invoice itself shows ten lines at most.
  const [invoice, lines] = await Promise.all([
    client.read(context, (stripe, options) => stripe.invoices.retrieve(id, {}, options)),
    client.read(context, (stripe, options) => stripe.invoices.listLineItems(id, { limit: 100 }, options)),
  ]);
  const items = lines.data.map(({ description, quantity, amount: of }) => ({ description, quantity, amount: of }));
  return { ...toInvoice(invoice), items };
}

/** `create_invoice` */
export function createInvoiceTool(toolbox: Toolbox): DefinedTool {
  const { client } = toolbox;
  return defineTool({
    name: 'create_invoice',
    title: 'Create an invoice with its items',
    description:
      'Creates a draft invoice for one customer with up to 20 items, each an existing price or words with an amount. It stays a draft: nobody is mailed and nothing is charged until ' +
      'send_invoice (mails it) or finalize_invoice (only fixes it). Needs an Idempotency-Key: it takes several requests to Stripe, each with a key of its own, so that a repeat ' +
      'completes what is missing and makes nothing twice. Amounts carry no tax.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input,
    output,
    run: async (args, context) => {
      checkItems(args.items);
      await checkPrices(client, context, args);
      const params = invoiceParams(args, context);
      const { id } = await carryOut(toolbox, context, invoiceCreated(args.customer), (stripe, options) =>
        stripe.invoices.create(params, options),
      );
      // One after the other: Stripe locks an invoice while an item is added, and shows items in this order.
      for (const [n, wanted] of args.items.entries()) {
        const metadata = keyMetadata(context, itemStep(n));
        try {
          await carryOut(toolbox, context, itemCreated(id, n), (stripe, options) =>
            stripe.invoiceItems.create(itemParams(stripe, args, wanted, id, metadata), options),
          );
        } catch (error) {
          throw halfDone(error, context, id, n, args.items.length);
        }
      }
      try {
        return await readBack(client, context, id);
      } catch (error) {
        throw unread(error, id);
      }
    },
    reconcile: (args, context) => reconcile(toolbox, args, context),
  });
}

/** All is done and cannot be told: the same as an answer that was lost, so that it can be asked about. */
function unread(error: unknown, invoice: string): unknown {
  if (!(error instanceof ToolError)) return error;
  return new ToolError(
    'outcome_unknown',
    `the draft ${invoice} was made but could not be read back: ${error.message}`,
    {
      hint: 'Repeat with the same Idempotency-Key and Prefer: reconcile, or look with list_invoices',
      details: { executed: 'yes', invoice },
      cause: error,
    },
  );
}

/**
 * Executed is what is there as a whole. A draft that lacks items is `not_executed` once no step can be under way any more:
 * the same key may then run, and completes that very draft, since Stripe answers the steps that are done from its record.
 */
async function reconcile(
  toolbox: Toolbox,
  { customer, items }: Input,
  context: ToolContext,
): Promise<Reconciliation<z.input<typeof output>>> {
  const { client, firstLooks, inFlightMs } = toolbox;
  const found = await lookFor(toolbox, context, invoiceCreated(customer));
  if (!found.there) {
    return found.certain ? { found: 'not_executed' } : { found: 'unknown', looked: found.looked };
  }
  const { id } = found.object;
  const sinceMs = firstLooks.sinceMs(stepKey(context, INVOICE_STEP) ?? '');
  const there = await client.read(context, (stripe, options) =>
    stripe.invoiceItems.list({ invoice: id, limit: 100 }, options),
  );
  const keys = new Set(there.data.map(({ metadata }) => metadata?.[KEY_METADATA]));
  const done = items.filter((_, n) => keys.has(stepKey(context, itemStep(n)))).length;
  if (done === items.length) return { found: 'executed', result: await readBack(client, context, id) };
  if (sinceMs >= inFlightMs) return { found: 'not_executed' };
  const waitS = Math.ceil((inFlightMs - sinceMs) / 1_000);
  const looked = `the draft ${id} has ${done} of ${items.length} items; one may still be under way, ask again in ${waitS} s`;
  return { found: 'unknown', looked };
}
