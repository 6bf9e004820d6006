import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { keyMetadata } from '../client.ts';
import { carryOut, reconcileOne, type Trace } from '../look.ts';
import {
  amount,
  amountInput,
  currency,
  given,
  idOf,
  instant,
  REFERENCE_METADATA,
  reference,
  referenceOf,
  stripeId,
  toInstant,
  toInstantOrNull,
} from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

const paymentIntent = stripeId('pi', 'a payment');

/** `get_payment_intent` */
export function getPaymentIntentTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'get_payment_intent',
    title: 'Get a payment',
    description:
      'Gives one payment by id (pi_…): its status, what was received and what of it was refunded, and why the last try failed. Use it before create_refund. Card numbers and ' +
      'client secrets are never told.',
    effect: 'read',
    openWorld: true,
    input: z.object({ paymentIntent }),
    output: z.object({
      id: z.string(),
      status: z
        .string()
        .describe('succeeded, processing, requires_payment_method, requires_action, requires_capture, canceled, …'),
      currency,
      amount,
      amountReceived: amount,
      amountRefunded: amount,
      customer: z.string().nullable(),
      description: z.string().nullable(),
      reference: z.string().nullable(),
      lastErrorCode: z.string().nullable().describe('Why the last try failed, e.g. card_declined'),
      lastErrorMessage: z.string().nullable(),
      receiptUrl: z.string().nullable(),
      created: instant,
      canceledAt: instant.nullable(),
    }),
    run: async ({ paymentIntent: id }, context) => {
      const found = await client.read(context, (stripe, options) =>
        stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] }, options),
      );
      const charge = typeof found.latest_charge === 'string' ? null : found.latest_charge;
      return {
        id: found.id,
        status: found.status,
        currency: found.currency.toUpperCase(),
        amount: found.amount,
        amountReceived: found.amount_received,
        amountRefunded: charge?.amount_refunded ?? 0,
        customer: idOf(found.customer),
        description: found.description,
        reference: referenceOf(found.metadata),
        lastErrorCode: found.last_payment_error?.code ?? null,
        lastErrorMessage: found.last_payment_error?.message ?? null,
        receiptUrl: charge?.receipt_url ?? null,
        created: toInstant(found.created),
        canceledAt: toInstantOrNull(found.canceled_at),
      };
    },
  });
}

const refundShape = {
  id: z.string(),
  status: z.string().nullable().describe('succeeded, pending, requires_action, failed, canceled'),
  currency,
  amount,
  paymentIntent: z.string().nullable(),
  charge: z.string().nullable(),
  reason: z.string().nullable(),
  failureReason: z.string().nullable(),
  reference: z.string().nullable(),
  created: instant,
} as const;

function toRefund(refund: Stripe.Refund) {
  return {
    id: refund.id,
    status: refund.status,
    currency: refund.currency.toUpperCase(),
    amount: refund.amount,
    paymentIntent: idOf(refund.payment_intent),
    charge: idOf(refund.charge),
    reason: refund.reason,
    failureReason: refund.failure_reason ?? null,
    reference: referenceOf(refund.metadata),
    created: toInstant(refund.created),
  };
}

function created(paymentIntent: string): Trace<Stripe.Refund> {
  return {
    event: 'refund.created',
    list: (stripe, page, options) => stripe.refunds.list({ ...page, payment_intent: paymentIntent }, options),
  };
}

/** `create_refund` */
export function createRefundTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'create_refund',
    title: 'Refund a payment',
    description:
      'Gives money of a succeeded payment back to the payer, all that is left of it or the given amount of it. It cannot be undone. Look with get_payment_intent first: the amount is ' +
      "in the payment's currency. Needs an Idempotency-Key, with which a repeat never refunds twice.",
    effect: 'write',
    destructive: true,
    openWorld: true,
    input: z.object({
      paymentIntent,
      amount: amountInput.optional().describe('In the smallest unit; without it all that is left'),
      reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
      reference: reference.optional(),
    }),
    output: z.object(refundShape),
    run: async ({ paymentIntent: id, amount: part, reason, reference: own }, context) => {
      const params = {
        payment_intent: id,
        ...given({ amount: part, reason }),
        metadata: { ...keyMetadata(context), ...given({ [REFERENCE_METADATA]: own }) },
      };
      const made = await carryOut(toolbox, context, created(id), (stripe, options) =>
        stripe.refunds.create(params, options),
      );
      return toRefund(made);
    },
    reconcile: ({ paymentIntent: id }, context) => reconcileOne(toolbox, context, created(id), toRefund),
  });
}

/** `get_balance` */
export function getBalanceTool({ client }: Toolbox): DefinedTool {
  const sums = z.array(z.object({ currency, amount }));
  const toSum = (sum: { readonly currency: string; readonly amount: number }) => ({
    currency: sum.currency.toUpperCase(),
    amount: sum.amount,
  });
  return defineTool({
    name: 'get_balance',
    title: 'Get the balance',
    description:
      "Gives the account's own balance by currency: available can be paid out, pending is on its way, both in the smallest unit. mode says whether this is real money (live) or " +
      'test money. It tells of no bank accounts and pays nothing out.',
    effect: 'read',
    openWorld: true,
    input: z.object({}),
    output: z.object({ mode: z.enum(['live', 'test']), available: sums, pending: sums }),
    run: async (_args, context) => {
      const found = await client.read(context, (stripe, options) => stripe.balance.retrieve({}, options));
      return {
        mode: found.livemode ? ('live' as const) : ('test' as const),
        available: found.available.map(toSum),
        pending: found.pending.map(toSum),
      };
    },
  });
}
