import type { Stripe } from 'stripe';
import type { Account } from './account.ts';
import type { Endpoint } from './endpoint.ts';
import { invalid } from './fault.ts';
import { pageOf } from './lists.ts';
import type { Params } from './params.ts';

/** A payment link. */
export function newPaymentLink(
  id: string,
  given: Pick<Stripe.PaymentLink, 'currency'> &
    Partial<Pick<Stripe.PaymentLink, 'metadata' | 'restrictions' | 'inactive_message' | 'after_completion'>>,
): Stripe.PaymentLink {
  const { currency, metadata = {}, restrictions = null, inactive_message = null } = given;
  return {
    id,
    object: 'payment_link',
    active: true,
    after_completion: given.after_completion ?? {
      type: 'hosted_confirmation',
      hosted_confirmation: { custom_message: null },
    },
    allow_promotion_codes: false,
    application: null,
    application_fee_amount: null,
    application_fee_percent: null,
    automatic_tax: { enabled: false, liability: null },
    billing_address_collection: 'auto',
    consent_collection: null,
    currency,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer_creation: 'if_required',
    inactive_message,
    invoice_creation: null,
    livemode: false,
    managed_payments: null,
    metadata,
    on_behalf_of: null,
    optional_items: null,
    payment_intent_data: null,
    payment_method_collection: 'always',
    payment_method_options: null,
    payment_method_types: null,
    phone_number_collection: { enabled: false },
    restrictions,
    shipping_address_collection: null,
    shipping_options: [],
    submit_type: 'auto',
    subscription_data: null,
    tax_id_collection: { enabled: false, required: 'never' },
    transfer_data: null,
    url: `https://buy.stripe.com/test_${id.slice(6)}`,
  } satisfies Stripe.PaymentLink;
}

function createPaymentLink(account: Account, params: Params): object {
  const items = params.groups('line_items').map((item) => {
    const price = account.prices.get(item.required('price'), item.named('price'));
    const quantity = item.integer('quantity') ?? 0;
    if (quantity < 1) throw invalid('Missing required param: quantity', 'parameter_missing', item.named('quantity'));
    if (!price.active) throw invalid('The price specified is inactive.', 'price_inactive', item.named('price'));
    return price;
  });
  const limit = params.group('restrictions')?.group('completed_sessions')?.integer('limit');
  const after = params.group('after_completion');
  const redirect = after?.oneOf('type', ['redirect', 'hosted_confirmation']);
  const url = after?.group('redirect')?.required('url');
  const given = { metadata: params.metadata(), inactive_message: params.text('inactive_message') ?? null };
  params.nothingElse();
  const [first] = items;
  if (first === undefined) throw invalid('Missing required param: line_items.', 'parameter_missing', 'line_items');
  if (items.some(({ currency }) => currency !== first.currency)) {
    throw invalid('All prices on a Payment Link must have the same currency.', undefined, 'line_items');
  }
  const link = newPaymentLink(account.id('plink'), {
    ...given,
    currency: first.currency,
    restrictions: limit === undefined ? null : { completed_sessions: { count: 0, limit } },
    ...(redirect === 'redirect' && url !== undefined
      ? { after_completion: { type: 'redirect', redirect: { url } } }
      : {}),
  });
  account.paymentLinks.put(link);
  account.emit('payment_link.created', link);
  return link;
}

/** `/v1/payment_links` */
export const paymentLinkEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/v1/payment_links',
    run: (account, params) => {
      const active = params.flag('active');
      const fits = (row: Stripe.PaymentLink) => active === undefined || row.active === active;
      return pageOf(params, '/v1/payment_links', account.paymentLinks.all().filter(fits));
    },
  },
  { method: 'POST', path: '/v1/payment_links', run: createPaymentLink },
  {
    method: 'GET',
    path: '/v1/payment_links/:id',
    run: (account, _params, { id = '' }) => account.paymentLinks.get(id),
  },
  {
    method: 'POST',
    path: '/v1/payment_links/:id',
    run: (account, params, { id = '' }) => {
      const before = account.paymentLinks.get(id);
      const link = {
        ...before,
        active: params.flag('active') ?? before.active,
        metadata: params.metadata(before.metadata),
      };
      params.nothingElse();
      account.emit('payment_link.updated', link);
      return account.paymentLinks.put(link);
    },
  },
];
