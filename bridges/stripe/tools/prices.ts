import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { keyMetadata } from '../client.ts';
import { carryOut, reconcileOne, type Trace } from '../look.ts';
import {
  amount,
  amountInput,
  currency,
  currencyInput,
  cursorAfter,
  given,
  idOf,
  instant,
  nextCursor,
  pageInput,
  productId,
  REFERENCE_METADATA,
  reference,
  referenceOf,
  startingAfter,
  text,
  toInstant,
} from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

const priceShape = {
  id: z.string(),
  product: z.string(),
  productName: z.string().nullable().describe('Null where the product was deleted'),
  nickname: z.string().nullable(),
  active: z.boolean(),
  currency,
  unitAmount: amount
    .nullable()
    .describe('In the smallest unit; null where the payer chooses, or for tiers and parts of a cent'),
  interval: z.string().nullable().describe('day, week, month or year for a subscription; null for a single payment'),
  reference: z.string().nullable(),
  created: instant,
} as const;

/** With the product's name: `product` must have been expanded. */
function toPrice(price: Stripe.Price, knownName: string | null = null) {
  const { product } = price;
  return {
    id: price.id,
    product: idOf(product) ?? '',
    productName: typeof product === 'string' || product.deleted ? knownName : product.name,
    nickname: price.nickname,
    active: price.active,
    currency: price.currency.toUpperCase(),
    unitAmount: price.unit_amount,
    interval: price.recurring?.interval ?? null,
    reference: referenceOf(price.metadata),
    created: toInstant(price.created),
  };
}

/** `list_prices` */
export function listPricesTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_prices',
    title: 'List prices',
    description:
      'Lists prices with the name of what they are for, newest first; one product may have several (early bird, group, another currency). Their ids go into ' +
      'create_payment_link and create_invoice.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      product: productId.optional().describe('Only prices of this product'),
      currency: currencyInput.optional().describe('Only prices in this currency'),
      active: z.boolean().default(true).describe('False: only those no longer used'),
      ...pageInput,
    }),
    output: z.object({ prices: z.array(z.object(priceShape)), nextCursor }),
    run: async ({ product, currency: code, active, limit, cursor }, context) => {
      const filters = given({ product, currency: code?.toLowerCase() });
      const page = { active, limit, expand: ['data.product'], ...filters, ...startingAfter('list_prices', cursor) };
      const found = await client.read(context, (stripe, options) => stripe.prices.list(page, options));
      return { prices: found.data.map((price) => toPrice(price)), ...cursorAfter('list_prices', found) };
    },
  });
}

function created(product: string | undefined): Trace<Stripe.Price> {
  return {
    event: 'price.created',
    list: (stripe, page, options) =>
      stripe.prices.list({ ...page, ...given({ product }), expand: ['data.product'] }, options),
  };
}

/** `create_price` */
export function createPriceTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'create_price',
    title: 'Create a price, and a product where it is new',
    description:
      'Creates a price for one payment, either of an existing product (product) or of a new one that is created with it (newProductName); exactly one of both. ' +
      "A price's amount and currency can never be changed afterwards: make another price instead. It never makes subscriptions. Look with list_products and list_prices first.",
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      product: productId.optional(),
      newProductName: text(250, 'Name of the new product, as payers will see it').optional(),
      unitAmount: amountInput,
      currency: currencyInput,
      nickname: text(250, 'What sets this price apart, e.g. Early bird; payers do not see it').optional(),
      reference: reference.optional(),
    }),
    output: z.object(priceShape),
    run: async ({ product, newProductName, unitAmount, currency: code, nickname, reference: own }, context) => {
      if ((product === undefined) === (newProductName === undefined)) {
        throw new ToolError('invalid_arguments', 'exactly one of product and newProductName is needed', {
          hint: 'Give product for something that is sold already, newProductName for something new',
          details: { errors: [{ pointer: '', message: 'exactly one of product and newProductName is needed' }] },
        });
      }
      const metadata = { ...keyMetadata(context), ...given({ [REFERENCE_METADATA]: own }) };
      const params: Stripe.PriceCreateParams = {
        unit_amount: unitAmount,
        currency: code.toLowerCase(),
        metadata,
        expand: ['product'],
        ...given({ product, nickname }),
        ...(newProductName === undefined ? {} : { product_data: { name: newProductName, metadata } }),
      };
      const made = await carryOut(toolbox, context, created(product), (stripe, options) =>
        stripe.prices.create(params, options),
      );
      return toPrice(made, newProductName ?? null);
    },
    reconcile: ({ product, newProductName }, context) =>
      reconcileOne(toolbox, context, created(product), (price) => toPrice(price, newProductName ?? null)),
  });
}
