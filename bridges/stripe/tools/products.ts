import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { cursorAfter, idOf, instant, nextCursor, pageInput, referenceOf, startingAfter, toInstant } from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

function toProduct(product: Stripe.Product) {
  return {
    id: product.id,
    name: product.name,
    description: product.description,
    active: product.active,
    defaultPrice: idOf(product.default_price),
    reference: referenceOf(product.metadata),
    created: toInstant(product.created),
  };
}

/** `list_products` */
export function listProductsTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_products',
    title: 'List products',
    description:
      'Lists what is sold (tickets, packages, deposits), newest first, without amounts: list_prices gives those, of one product or of all. ' +
      'A new product is made together with its first price by create_price.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      active: z.boolean().default(true).describe('False: only those no longer sold'),
      ...pageInput,
    }),
    output: z.object({
      products: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          description: z.string().nullable(),
          active: z.boolean(),
          defaultPrice: z.string().nullable().describe('Id of the price that counts where none is named'),
          reference: z.string().nullable(),
          created: instant,
        }),
      ),
      nextCursor,
    }),
    run: async ({ active, limit, cursor }, context) => {
      const page = { active, limit, ...startingAfter('list_products', cursor) };
      const found = await client.read(context, (stripe, options) => stripe.products.list(page, options));
      return { products: found.data.map(toProduct), ...cursorAfter('list_products', found) };
    },
  });
}
