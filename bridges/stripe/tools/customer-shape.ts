import type { Stripe } from 'stripe';
import { z } from '../../../core/server-kit/schema.ts';
import { amount, instant, referenceOf, toInstant } from './shapes.ts';

/** A customer as the tools tell it. */
export const customerShape = {
  id: z.string(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
  description: z.string().nullable(),
  reference: z.string().nullable(),
  balance: amount.describe('Negative: a credit for the next invoice, in the smallest unit of their currency'),
  delinquent: z.boolean().describe('The latest charge or invoice was not paid in time'),
  created: instant,
} as const;

/** Flattens a customer. */
export function toCustomer(customer: Stripe.Customer) {
  return {
    id: customer.id,
    name: customer.name ?? null,
    email: customer.email,
    phone: customer.phone ?? null,
    description: customer.description,
    reference: referenceOf(customer.metadata),
    balance: customer.balance,
    delinquent: customer.delinquent ?? false,
    created: toInstant(customer.created),
  };
}
