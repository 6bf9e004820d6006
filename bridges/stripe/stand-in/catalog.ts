import type { Stripe } from 'stripe';
import type { Account, WirePrice } from './account.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid } from './fault.ts';
import { pageOf } from './lists.ts';
import type { Params } from './params.ts';

/** A product. */
export function newProduct(
  id: string,
  created: number,
  { name, description = null, metadata = {} }: Pick<Stripe.Product, 'name'> & Partial<Stripe.Product>,
): Stripe.Product {
  return {
    id,
    object: 'product',
    active: true,
    created,
    default_price: null,
    description,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata,
    name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: created,
    url: null,
  } satisfies Stripe.Product;
}

/** A price for one payment. */
export function newPrice(
  id: string,
  created: number,
  given: Pick<WirePrice, 'product' | 'currency'> &
    Partial<Pick<WirePrice, 'nickname' | 'metadata'>> & { readonly unit_amount: number },
): WirePrice {
  const { product, currency, unit_amount, nickname = null, metadata = {} } = given;
  return {
    id,
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created,
    currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata,
    nickname,
    product,
    recurring: null,
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'one_time',
    unit_amount,
    unit_amount_decimal: String(unit_amount),
  } satisfies WirePrice;
}

const CURRENCIES = ['aud', 'cad', 'chf', 'czk', 'dkk', 'eur', 'gbp', 'huf', 'jpy', 'nok', 'nzd', 'pln', 'sek', 'usd'];

/** A currency that the account takes. @throws Fault */
export function currencyOf(params: Params, name = 'currency'): string {
  const currency = params.required(name).toLowerCase();
  if (!CURRENCIES.includes(currency)) {
    throw invalid(
      `Invalid currency: ${currency}. Stripe currently supports these currencies: ${CURRENCIES.join(', ')}`,
      undefined,
      name,
    );
  }
  return currency;
}

function expanded(account: Account, price: WirePrice, expand: boolean): object {
  return expand ? { ...price, product: account.products.get(price.product) } : price;
}

function createPrice(account: Account, params: Params): object {
  const currency = currencyOf(params);
  const unitAmount = params.integer('unit_amount');
  const known = params.text('product');
  const data = params.group('product_data');
  const nickname = params.text('nickname') ?? null;
  const metadata = params.metadata();
  const name = data?.required('name');
  const productMetadata = data?.metadata();
  params.nothingElse();
  if (unitAmount === undefined)
    throw invalid('Missing required param: unit_amount.', 'parameter_missing', 'unit_amount');
  if (unitAmount < 0 || unitAmount > 99_999_999)
    throw invalid('Invalid amount', 'parameter_invalid_integer', 'unit_amount');
  if ((known === undefined) === (name === undefined)) {
    throw invalid('You must pass either `product` or `product_data`.', 'parameter_missing', 'product');
  }
  if (known !== undefined) account.products.get(known, 'product');
  const now = account.now();
  let product = known ?? '';
  if (name !== undefined) {
    const made = account.products.put(newProduct(account.id('prod'), now, { name, metadata: productMetadata ?? {} }));
    account.emit('product.created', made);
    product = made.id;
  }
  const price = newPrice(account.id('price'), now, { product, currency, unit_amount: unitAmount, nickname, metadata });
  account.prices.put(price);
  account.emit('price.created', price);
  return expanded(account, price, params.expand().includes('product'));
}

/** `/v1/products`, `/v1/prices` */
export const catalogEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/v1/products',
    run: (account, params) => {
      const active = params.flag('active');
      const created = params.created();
      const fits = (row: Stripe.Product) => (active === undefined || row.active === active) && created(row.created);
      return pageOf(params, '/v1/products', account.products.all().filter(fits));
    },
  },
  {
    method: 'POST',
    path: '/v1/products',
    run: (account, params) => {
      const given = {
        name: params.required('name'),
        description: params.text('description') ?? null,
        metadata: params.metadata(),
      };
      params.nothingElse();
      const product = account.products.put(newProduct(account.id('prod'), account.now(), given));
      account.emit('product.created', product);
      return product;
    },
  },
  { method: 'GET', path: '/v1/products/:id', run: (account, _params, { id = '' }) => account.products.get(id) },
  {
    method: 'POST',
    path: '/v1/products/:id',
    run: (account, params, { id = '' }) => {
      const before = account.products.get(id);
      const product = {
        ...before,
        name: params.text('name') ?? before.name,
        description: params.text('description') ?? before.description,
        active: params.flag('active') ?? before.active,
        metadata: params.metadata(before.metadata),
        updated: account.now(),
      };
      params.nothingElse();
      account.emit('product.updated', product);
      return account.products.put(product);
    },
  },
  {
    method: 'GET',
    path: '/v1/prices',
    run: (account, params) => {
      const product = params.text('product');
      const currency = params.text('currency');
      // Without it Stripe lists the active ones only.
      const active = params.flag('active') ?? true;
      const created = params.created();
      const fits = (row: WirePrice) =>
        (product === undefined || row.product === product) &&
        (currency === undefined || row.currency === currency) &&
        row.active === active &&
        created(row.created);
      const whole = params.expand().includes('data.product');
      const page = pageOf(params, '/v1/prices', account.prices.all().filter(fits)) as { readonly data: WirePrice[] };
      return { ...page, data: page.data.map((price) => expanded(account, price, whole)) };
    },
  },
  { method: 'POST', path: '/v1/prices', run: createPrice },
  {
    method: 'GET',
    path: '/v1/prices/:id',
    run: (account, params, { id = '' }) =>
      expanded(account, account.prices.get(id), params.expand().includes('product')),
  },
  {
    method: 'POST',
    path: '/v1/prices/:id',
    run: (account, params, { id = '' }) => {
      const before = account.prices.get(id);
      const price = {
        ...before,
        active: params.flag('active') ?? before.active,
        nickname: params.text('nickname') ?? before.nickname,
        metadata: params.metadata(before.metadata),
      };
      params.nothingElse();
      account.emit('price.updated', price);
      return account.prices.put(price);
    },
  },
];
