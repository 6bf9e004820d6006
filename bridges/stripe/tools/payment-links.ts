import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { keyMetadata } from '../client.ts';
import { carryOut, reconcileOne, type Trace } from '../look.ts';
import { currency, given, REFERENCE_METADATA, reference, referenceOf, stripeId, text } from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

const shape = {
  id: z.string(),
  url: z.string().describe('The page to pay on; anybody who has it can pay'),
  active: z.boolean(),
  currency,
  maxPayments: z.number().int().nullable().describe('How many payments it takes before it closes; null: any number'),
  reference: z.string().nullable(),
} as const;

function toPaymentLink(link: Stripe.PaymentLink) {
  return {
    id: link.id,
    url: link.url,
    active: link.active,
    currency: link.currency.toUpperCase(),
    maxPayments: link.restrictions?.completed_sessions.limit ?? null,
    reference: referenceOf(link.metadata),
  };
}

const CREATED: Trace<Stripe.PaymentLink> = {
  event: 'payment_link.created',
  // This list takes no time to begin with.
  list: (stripe, { created: _, ...page }, options) => stripe.paymentLinks.list(page, options),
};

/** `create_payment_link` */
export function createPaymentLinkTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'create_payment_link',
    title: 'Create a payment link',
    description:
      'Creates a page of Stripe on which anybody with its address can pay for the given prices, once or many times: for ticket sales and deposits. Give maxPayments where seats are ' +
      'limited. Nothing is sent to anybody. For one known customer with a due date use create_invoice instead.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      items: z
        .array(
          z.object({
            price: stripeId('price', 'a price'),
            quantity: z.number().int().min(1).max(10_000).default(1),
          }),
        )
        .min(1)
        .max(20)
        .describe('What is paid for; all prices in one currency'),
      maxPayments: z.number().int().min(1).max(1_000_000).optional().describe('Closes after so many payments'),
      redirectUrl: z
        .url()
        .regex(/^https:\/\//, 'must begin with https://')
        .max(2_000)
        .optional()
        .describe("Where payers go afterwards; without it they see Stripe's own confirmation"),
      closedMessage: text(500, 'What visitors read once it is closed').optional(),
      reference: reference.optional(),
    }),
    output: z.object(shape),
    run: async ({ items, maxPayments, redirectUrl, closedMessage, reference: own }, context) => {
      const params: Stripe.PaymentLinkCreateParams = {
        line_items: items,
        metadata: { ...keyMetadata(context), ...given({ [REFERENCE_METADATA]: own }) },
        ...given({ inactive_message: closedMessage }),
        ...(maxPayments === undefined ? {} : { restrictions: { completed_sessions: { limit: maxPayments } } }),
        ...(redirectUrl === undefined
          ? {}
          : { after_completion: { type: 'redirect', redirect: { url: redirectUrl } } }),
      };
      const made = await carryOut(toolbox, context, CREATED, (stripe, options) =>
        stripe.paymentLinks.create(params, options),
      );
      return toPaymentLink(made);
    },
    reconcile: (_args, context) => reconcileOne(toolbox, context, CREATED, toPaymentLink),
  });
}
