import type { Stripe } from 'stripe';
import type { Account } from './account.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid } from './fault.ts';
import { pageOf } from './lists.ts';
import type { Params } from './params.ts';

/** A customer of few words; everything that Stripe always tells is there. */
export function newCustomer(
  id: string,
  created: number,
  given: Partial<Pick<Stripe.Customer, 'name' | 'email' | 'phone' | 'description' | 'metadata' | 'currency'>>,
): Stripe.Customer {
  const { name = null, email = null, phone = null, description = null, metadata = {}, currency = null } = given;
  return {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created,
    currency,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description,
    discount: null,
    email,
    invoice_prefix: id.slice(-8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata,
    name,
    next_invoice_sequence: 1,
    phone,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  } satisfies Stripe.Customer;
}

function emailOf(params: Params): string | undefined {
  const email = params.text('email');
  if (email !== undefined && email !== '' && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) {
    throw invalid(`Invalid email address: ${email}`, 'email_invalid', 'email');
  }
  return email;
}

function textsOf(params: Params) {
  const texts = {
    name: params.text('name'),
    email: emailOf(params),
    phone: params.text('phone'),
    description: params.text('description'),
  };
  const given = Object.entries(texts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, value === '' ? null : value]));
}

function retrieve(account: Account, id: string): object {
  return account.deletedCustomers.has(id) ? { id, object: 'customer', deleted: true } : account.customers.get(id);
}

/** `/v1/customers` */
export const customerEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/v1/customers',
    run: (account, params) => {
      const email = params.text('email');
      const created = params.created();
      const fits = (row: Stripe.Customer) => (email === undefined || row.email === email) && created(row.created);
      return pageOf(params, '/v1/customers', account.customers.all().filter(fits));
    },
  },
  {
    method: 'POST',
    path: '/v1/customers',
    run: (account, params) => {
      const given = { ...textsOf(params), metadata: params.metadata() };
      params.nothingElse();
      const customer = account.customers.put(newCustomer(account.id('cus'), account.now(), given));
      account.emit('customer.created', customer);
      return customer;
    },
  },
  { method: 'GET', path: '/v1/customers/:id', run: (account, _params, { id = '' }) => retrieve(account, id) },
  {
    method: 'POST',
    path: '/v1/customers/:id',
    run: (account, params, { id = '' }) => {
      const before = account.customers.get(id);
      const customer = { ...before, ...textsOf(params), metadata: params.metadata(before.metadata) };
      params.nothingElse();
      account.customers.put(customer);
      if (JSON.stringify(customer) !== JSON.stringify(before)) account.emit('customer.updated', customer);
      return customer;
    },
  },
  {
    method: 'DELETE',
    path: '/v1/customers/:id',
    run: (account, _params, { id = '' }) => {
      const customer = account.customers.get(id);
      account.customers.delete(id);
      account.deletedCustomers.add(id);
      account.emit('customer.deleted', customer);
      return { id, object: 'customer', deleted: true };
    },
  },
];
