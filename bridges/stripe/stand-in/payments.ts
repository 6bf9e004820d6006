import type { Stripe } from 'stripe';
import type { Account, StoredCharge, StoredPaymentIntent } from './account.ts';
import { currencyOf } from './catalog.ts';
import type { Endpoint } from './endpoint.ts';
import { Fault, invalid } from './fault.ts';
import { pageOf } from './lists.ts';
import type { Params } from './params.ts';
import { newCharge, newPaymentIntent, newRefund, type Payment } from './payment-shapes.ts';

/** Pays a payment by card; `declined` leaves it open with the reason. */
export function settle(
  account: Account,
  intent: StoredPaymentIntent,
  created: number,
  declined: boolean,
): StoredPaymentIntent {
  const charge = account.charges.put(newCharge(account.id('ch'), created, intent, !declined));
  const settled = account.paymentIntents.put({
    ...intent,
    latest_charge: charge.id,
    ...(declined
      ? {
          last_payment_error: {
            type: 'card_error',
            code: 'card_declined',
            decline_code: 'generic_decline',
            message: 'Your card was declined.',
            charge: charge.id,
          },
        }
      : { status: 'succeeded', amount_received: intent.amount }),
  });
  account.emit(declined ? 'charge.failed' : 'charge.succeeded', charge);
  account.emit(declined ? 'payment_intent.payment_failed' : 'payment_intent.succeeded', settled);
  return settled;
}

function told(account: Account, intent: StoredPaymentIntent, params: Params): object {
  const { latest_charge: charge } = intent;
  return charge !== null && params.expand().includes('latest_charge')
    ? { ...intent, latest_charge: account.charges.get(charge) }
    : intent;
}

function createPaymentIntent(account: Account, params: Params): object {
  const amount = params.integer('amount');
  const customer = params.text('customer') ?? null;
  const payment: Payment = {
    amount: amount ?? 0,
    currency: currencyOf(params),
    customer,
    description: params.text('description') ?? null,
    metadata: params.metadata(),
  };
  const card = params.oneOf('payment_method', ['pm_card_visa', 'pm_card_chargeDeclined']);
  const confirm = params.flag('confirm') ?? false;
  params.nothingElse();
  if (amount === undefined || amount < 1)
    throw invalid('Invalid positive integer', 'parameter_invalid_integer', 'amount');
  if (customer !== null) account.customers.get(customer, 'customer');
  if (confirm && card === undefined)
    throw invalid('You cannot confirm without a payment method.', undefined, 'payment_method');
  const made = { ...newPaymentIntent(account.id('pi'), account.now(), payment), payment_method: card ?? null };
  account.paymentIntents.put(made);
  account.emit('payment_intent.created', made);
  if (!confirm) return made;
  const settled = settle(account, made, account.now(), card === 'pm_card_chargeDeclined');
  if (settled.status === 'succeeded') return settled;
  throw new Fault(402, {
    type: 'card_error',
    code: 'card_declined',
    decline_code: 'generic_decline',
    message: 'Your card was declined.',
    payment_intent: settled,
  });
}

/** Lowers a charge by a refund. */
export function applyRefund(account: Account, refund: Stripe.Refund, charge: StoredCharge): void {
  const amount_refunded = charge.amount_refunded + refund.amount;
  const refunded = account.charges.put({ ...charge, amount_refunded, refunded: amount_refunded === charge.amount });
  account.refunds.put(refund);
  account.emit('refund.created', refund);
  account.emit('charge.refunded', refunded);
}

function chargeOf(account: Account, params: Params): StoredCharge {
  const intentId = params.text('payment_intent');
  const chargeId = params.text('charge');
  if (intentId === undefined && chargeId === undefined) {
    throw invalid('One of the following params should be provided for this request: payment_intent or charge.');
  }
  if (intentId === undefined) return account.charges.get(chargeId ?? '', 'charge');
  const { latest_charge, status } = account.paymentIntents.get(intentId, 'payment_intent');
  if (status !== 'succeeded' || latest_charge === null) {
    throw invalid(
      `This PaymentIntent (${intentId}) does not have a successful charge to refund.`,
      'payment_intent_unexpected_state',
      'payment_intent',
    );
  }
  return account.charges.get(latest_charge);
}

function createRefund(account: Account, params: Params): object {
  const charge = chargeOf(account, params);
  const asked = params.integer('amount');
  const reason = params.oneOf('reason', ['duplicate', 'fraudulent', 'requested_by_customer']) ?? null;
  const metadata = params.metadata();
  params.nothingElse();
  const left = charge.amount - charge.amount_refunded;
  if (left === 0) throw invalid(`Charge ${charge.id} has already been refunded.`, 'charge_already_refunded');
  const amount = asked ?? left;
  if (amount < 1) throw invalid('Invalid positive integer', 'parameter_invalid_integer', 'amount');
  if (amount > left) {
    throw invalid(
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
      undefined,
      'amount',
    );
  }
  const refund = newRefund(account.id('re'), account.now(), charge, { amount, reason, metadata });
  applyRefund(account, refund, charge);
  return refund;
}

const PENDING_S = 7 * 86_400;

/** What came in less what went back; the last seven days' payments are still pending. No fees. */
function balance(account: Account): object {
  const sums = { available: new Map<string, number>(), pending: new Map<string, number>() };
  const now = account.now();
  for (const { paid, created, currency, amount, amount_refunded } of account.charges.all()) {
    if (!paid) continue;
    const into = now - created > PENDING_S ? sums.available : sums.pending;
    into.set(currency, (into.get(currency) ?? 0) + amount - amount_refunded);
  }
  const currencies = [...new Set([...sums.available.keys(), ...sums.pending.keys()])].toSorted();
  const entries = (from: ReadonlyMap<string, number>) =>
    currencies.map((currency) => {
      const amount = from.get(currency) ?? 0;
      return { amount, currency, source_types: { card: amount } };
    });
  return {
    object: 'balance',
    available: entries(sums.available),
    livemode: false,
    pending: entries(sums.pending),
  } satisfies Stripe.Balance;
}

/** `/v1/payment_intents`, `/v1/charges`, `/v1/refunds`, `/v1/balance` */
export const paymentEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/v1/payment_intents',
    run: (account, params) => {
      const customer = params.text('customer');
      const created = params.created();
      const fits = (row: StoredPaymentIntent) =>
        (customer === undefined || row.customer === customer) && created(row.created);
      return pageOf(params, '/v1/payment_intents', account.paymentIntents.all().filter(fits));
    },
  },
  { method: 'POST', path: '/v1/payment_intents', run: createPaymentIntent },
  {
    method: 'GET',
    path: '/v1/payment_intents/:id',
    run: (account, params, { id = '' }) => told(account, account.paymentIntents.get(id, 'intent', 404), params),
  },
  {
    method: 'POST',
    path: '/v1/payment_intents/:id/cancel',
    run: (account, params, { id = '' }) => {
      const intent = account.paymentIntents.get(id, 'intent', 404);
      const reason = params.oneOf('cancellation_reason', [
        'duplicate',
        'fraudulent',
        'requested_by_customer',
        'abandoned',
      ]);
      params.nothingElse();
      if (intent.status === 'succeeded' || intent.status === 'canceled') {
        throw invalid(
          `You cannot cancel this PaymentIntent because it has a status of ${intent.status}.`,
          'payment_intent_unexpected_state',
        );
      }
      const cancellation_reason = reason ?? null;
      const canceled = { ...intent, status: 'canceled' as const, canceled_at: account.now(), cancellation_reason };
      account.emit('payment_intent.canceled', canceled);
      return account.paymentIntents.put(canceled);
    },
  },
  {
    method: 'GET',
    path: '/v1/charges',
    run: (account, params) => {
      const intent = params.text('payment_intent');
      const created = params.created();
      const fits = (row: StoredCharge) =>
        (intent === undefined || row.payment_intent === intent) && created(row.created);
      return pageOf(params, '/v1/charges', account.charges.all().filter(fits));
    },
  },
  { method: 'GET', path: '/v1/charges/:id', run: (account, _params, { id = '' }) => account.charges.get(id) },
  {
    method: 'GET',
    path: '/v1/refunds',
    run: (account, params) => {
      const intent = params.text('payment_intent');
      const charge = params.text('charge');
      const created = params.created();
      const fits = (row: Stripe.Refund) =>
        (intent === undefined || row.payment_intent === intent) &&
        (charge === undefined || row.charge === charge) &&
        created(row.created);
      return pageOf(params, '/v1/refunds', account.refunds.all().filter(fits));
    },
  },
  { method: 'POST', path: '/v1/refunds', run: createRefund },
  { method: 'GET', path: '/v1/refunds/:id', run: (account, _params, { id = '' }) => account.refunds.get(id) },
  { method: 'GET', path: '/v1/balance', run: (account) => balance(account) },
];
