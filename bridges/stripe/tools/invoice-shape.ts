import type { Stripe } from 'stripe';
import { z } from '../../../core/server-kit/schema.ts';
import { amount, currency, idOf, instant, referenceOf, toInstant, toInstantOrNull } from './shapes.ts';

/** Where an invoice is in its life: draft → open → paid, or void, or given up as uncollectible. */
export const invoiceStatus = z.enum(['draft', 'open', 'paid', 'uncollectible', 'void']);

/** An invoice as the tools tell it. */
export const invoiceShape = {
  id: z.string(),
  number: z.string().nullable().describe('Null for a draft'),
  status: invoiceStatus,
  customer: z.string().nullable(),
  customerName: z.string().nullable(),
  customerEmail: z.string().nullable(),
  description: z.string().nullable(),
  reference: z.string().nullable(),
  currency,
  total: amount,
  amountPaid: amount,
  amountRemaining: amount,
  dueDate: instant.nullable(),
  hostedUrl: z.string().nullable().describe('The page where it can be read and paid; null for a draft'),
  pdfUrl: z.string().nullable(),
  created: instant,
  finalizedAt: instant.nullable(),
  paidAt: instant.nullable(),
} as const;

/** Flattens an invoice. */
export function toInvoice(invoice: Stripe.Invoice) {
  const { status_transitions: when } = invoice;
  return {
    id: invoice.id,
    number: invoice.number,
    status: invoiceStatus.catch('draft').parse(invoice.status),
    customer: idOf(invoice.customer),
    customerName: invoice.customer_name,
    customerEmail: invoice.customer_email,
    description: invoice.description,
    reference: referenceOf(invoice.metadata),
    currency: invoice.currency.toUpperCase(),
    total: invoice.total,
    amountPaid: invoice.amount_paid,
    amountRemaining: invoice.amount_remaining,
    dueDate: toInstantOrNull(invoice.due_date),
    hostedUrl: invoice.hosted_invoice_url ?? null,
    pdfUrl: invoice.invoice_pdf ?? null,
    created: toInstant(invoice.created),
    finalizedAt: toInstantOrNull(when.finalized_at),
    paidAt: toInstantOrNull(when.paid_at),
  };
}
