import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { carryOut, reconcileOne, type Trace } from '../look.ts';
import { invoiceShape, invoiceStatus, toInvoice } from './invoice-shape.ts';
import { cursorAfter, given, nextCursor, pageInput, startingAfter, stripeId } from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

const invoice = stripeId('in', 'an invoice');

/** `list_invoices` */
export function listInvoicesTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_invoices',
    title: 'List invoices',
    description:
      'Lists invoices, newest first, of one customer or of all, in one status or in any, with amounts, due date and the page to pay on. status open with a dueDate in the past ' +
      'is overdue. Single items are not told.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      customer: stripeId('cus', 'a customer').optional().describe('Only invoices of this customer'),
      status: invoiceStatus.optional().describe('Only invoices in this status'),
      ...pageInput,
    }),
    output: z.object({ invoices: z.array(z.object(invoiceShape)), nextCursor }),
    run: async ({ customer, status, limit, cursor }, context) => {
      const page = { limit, ...given({ customer, status }), ...startingAfter('list_invoices', cursor) };
      const found = await client.read(context, (stripe, options) => stripe.invoices.list(page, options));
      return { invoices: found.data.map(toInvoice), ...cursorAfter('list_invoices', found) };
    },
  });
}

/** An invoice does not say by which request it was finalised or mailed; the events do. */
const FINALIZED: Trace<Stripe.Invoice> = { event: 'invoice.finalized' };
const SENT: Trace<Stripe.Invoice> = { event: 'invoice.sent' };

/** `finalize_invoice` */
export function finalizeInvoiceTool(toolbox: Toolbox): DefinedTool {
  const { client } = toolbox;
  return defineTool({
    name: 'finalize_invoice',
    title: 'Finalise an invoice',
    description:
      'Turns a draft into an open invoice with a number, a due date, a PDF and a page to pay on, and mails nobody: pass hostedUrl on yourself, or use send_invoice, which ' +
      'finalises and mails in one. It cannot be undone; afterwards items and amounts are fixed. Needs an Idempotency-Key.',
    effect: 'write',
    destructive: true,
    openWorld: true,
    input: z.object({ invoice }),
    output: z.object(invoiceShape),
    run: async ({ invoice: id }, context) => {
      const finalized = await carryOut(toolbox, context, FINALIZED, (stripe, options) =>
        stripe.invoices.finalizeInvoice(id, { auto_advance: false }, options),
      );
      return toInvoice(finalized);
    },
    reconcile: async ({ invoice: id }, context) => {
      // An invoice is finalised once in its life, so what it is now says it, whoever did it.
      const now = await client.read(context, (stripe, options) => stripe.invoices.retrieve(id, {}, options));
      if (now.status_transitions.finalized_at !== null) return { found: 'executed', result: toInvoice(now) };
      return reconcileOne(toolbox, context, FINALIZED, toInvoice);
    },
  });
}

/** `send_invoice` */
export function sendInvoiceTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'send_invoice',
    title: 'Mail an invoice',
    description:
      "Mails an invoice to its customer's email, with the page to pay on; a draft is finalised by that, which cannot be undone. An open invoice is mailed again, as a reminder. " +
      'With a test key Stripe mails nobody. Needs an Idempotency-Key, so that nobody gets two mails for one wish.',
    effect: 'write',
    destructive: true,
    openWorld: true,
    input: z.object({ invoice }),
    output: z.object(invoiceShape),
    run: async ({ invoice: id }, context) => {
      const sent = await carryOut(toolbox, context, SENT, (stripe, options) =>
        stripe.invoices.sendInvoice(id, {}, options),
      );
      return toInvoice(sent);
    },
    reconcile: (_args, context) => reconcileOne(toolbox, context, SENT, toInvoice),
  });
}
