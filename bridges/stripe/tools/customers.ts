import type { Stripe } from 'stripe';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { keyMetadata } from '../client.ts';
import { carryOut, reconcileOne, type Trace } from '../look.ts';
import { customerShape, toCustomer } from './customer-shape.ts';
import {
  cursorAfter,
  emailInput,
  given,
  nextCursor,
  pageInput,
  REFERENCE_METADATA,
  reference,
  startingAfter,
  stripeId,
  text,
} from './shapes.ts';
import type { Toolbox } from './toolbox.ts';

const customer = stripeId('cus', 'a customer');
const fields = {
  name: text(256, 'Full name or company'),
  email: emailInput.describe('Where invoices and receipts go'),
  phone: text(20, 'Telephone number'),
  description: text(350, 'A note for your own people; the customer does not see it'),
  reference,
} as const;

/** `list_customers` */
export function listCustomersTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_customers',
    title: 'List customers',
    description:
      'Lists customers, newest first, with name, email, phone and your own reference. To find one person give their email, exactly as it was stored. ' +
      'Look here before create_customer: Stripe happily keeps two customers with the same email.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      email: fields.email.optional().describe('Only customers with exactly this email'),
      ...pageInput,
    }),
    output: z.object({ customers: z.array(z.object(customerShape)), nextCursor }),
    run: async ({ email, limit, cursor }, context) => {
      const page = { limit, ...given({ email }), ...startingAfter('list_customers', cursor) };
      const found = await client.read(context, (stripe, options) => stripe.customers.list(page, options));
      return { customers: found.data.map(toCustomer), ...cursorAfter('list_customers', found) };
    },
  });
}

/** `get_customer` */
export function getCustomerTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'get_customer',
    title: 'Get a customer',
    description:
      'Gives one customer by id (cus_…): name, email, phone, note, reference, credit balance, and whether they are behind with a payment. ' +
      'To find an id by email use list_customers. Cards and bank accounts are never told.',
    effect: 'read',
    openWorld: true,
    input: z.object({ customer }),
    output: z.object(customerShape),
    run: async ({ customer: id }, context) => {
      const found = await client.read(context, (stripe, options) => stripe.customers.retrieve(id, {}, options));
      if (found.deleted) throw deleted(id);
      return toCustomer(found);
    },
  });
}

function deleted(id: string): ToolError {
  return new ToolError('not_found', `the customer ${id} was deleted`, {
    hint: 'Find another with list_customers, or make one with create_customer',
  });
}

/** The list takes an email only as it was stored. */
function created(email: string | undefined): Trace<Stripe.Customer> {
  return {
    event: 'customer.created',
    list: (stripe, page, options) => stripe.customers.list({ ...page, ...given({ email }) }, options),
  };
}

const UPDATED: Trace<Stripe.Customer> = { event: 'customer.updated' };

/** `create_customer` */
export function createCustomerTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'create_customer',
    title: 'Create a customer',
    description:
      'Creates a customer, to whom invoices can then be made out. Needs a name or an email; invoices can only be mailed to customers with an email. Nothing is sent to ' +
      'the customer. Look with list_customers first. With an Idempotency-Key a repeat gives the same customer instead of a second one.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      name: fields.name.optional(),
      email: fields.email.optional(),
      phone: fields.phone.optional(),
      description: fields.description.optional(),
      reference: reference.optional(),
    }),
    output: z.object(customerShape),
    run: async ({ reference: own, ...members }, context) => {
      if (members.name === undefined && members.email === undefined) {
        throw new ToolError('invalid_arguments', 'a customer needs a name or an email', {
          hint: 'Give name, email, or both',
          details: { errors: [{ pointer: '', message: 'name or email is required' }] },
        });
      }
      const metadata = { ...keyMetadata(context), ...given({ [REFERENCE_METADATA]: own }) };
      const params = { ...given(members), metadata };
      const made = await carryOut(toolbox, context, created(members.email), (stripe, options) =>
        stripe.customers.create(params, options),
      );
      return toCustomer(made);
    },
    reconcile: ({ email }, context) => reconcileOne(toolbox, context, created(email), toCustomer),
  });
}

/** `update_customer` */
export function updateCustomerTool(toolbox: Toolbox): DefinedTool {
  const { client } = toolbox;
  return defineTool({
    name: 'update_customer',
    title: 'Change a customer',
    description:
      'Changes the given fields of a customer and leaves the others as they are; null empties a field. Invoices that are already finalised keep the old name and email. ' +
      'It never deletes a customer and never touches cards.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({
      customer,
      name: fields.name.nullable().optional(),
      email: fields.email.nullable().optional(),
      phone: fields.phone.nullable().optional(),
      description: fields.description.nullable().optional(),
      reference: reference.nullable().optional(),
    }),
    output: z.object(customerShape),
    run: async ({ customer: id, reference: own, ...members }, context) => {
      if (own === undefined && Object.values(members).every((value) => value === undefined)) {
        throw new ToolError('invalid_arguments', 'nothing to change was given', {
          hint: 'Give at least one of name, email, phone, description, reference',
          details: { errors: [{ pointer: '', message: 'at least one field is required' }] },
        });
      }
      const params = {
        ...changesOf(members),
        ...(own === undefined ? {} : { metadata: { [REFERENCE_METADATA]: own ?? '' } }),
      };
      const changed = await carryOut(toolbox, context, UPDATED, (stripe, options) =>
        stripe.customers.update(id, params, options),
      );
      return toCustomer(changed);
    },
    reconcile: async ({ customer: id, ...wanted }, context) => {
      const verdict = await reconcileOne(toolbox, context, UPDATED, toCustomer);
      if (verdict.found === 'executed') return verdict;
      // An update that changes nothing leaves no event: where all is as it was to be, it is as good as carried out.
      const now = await client.read(context, (stripe, options) => stripe.customers.retrieve(id, {}, options));
      if (now.deleted) return verdict;
      const result = toCustomer(now);
      const asWanted = changedFields.every((field) => wanted[field] === undefined || wanted[field] === result[field]);
      return asWanted ? { found: 'executed', result } : verdict;
    },
  });
}

const changedFields = ['name', 'email', 'phone', 'description', 'reference'] as const;

/** Stripe empties a field that is sent as an empty text. */
function changesOf<T extends Readonly<Record<string, string | null | undefined>>>(members: T) {
  const changes = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(changes.map(([field, value]) => [field, value ?? '']));
}
