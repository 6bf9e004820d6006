import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/stripe/bridge.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

let stripe: Vendor;
let keys = 0;
const newKey = (): Record<string, string> => ({ 'idempotency-key': `tools-${++keys}` });

beforeAll(async () => {
  stripe = await startVendor('stripe');
});
afterAll(() => stripe?.[Symbol.asyncDispose]());
beforeEach(() => stripe.sandbox.reset());

describe('what the bridge lists', () => {
  test('is every tool of the manifest, each with schemas, a description and annotations of its effect', async () => {
    const tools = await stripe.tools();
    expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(manifest.tools).sort());
    expect(tools).toHaveLength(15);
    for (const tool of tools) {
      const effect = manifest.tools[tool.name]?.effect;
      expect(tool.annotations).toMatchObject({
        readOnlyHint: effect === 'read',
        idempotentHint: effect !== 'write',
        openWorldHint: true,
      });
      expect(tool.inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(tool.description.length).toBeGreaterThan(80);
    }
  });

  test('every write hands its key to Stripe and can be asked about; money and mail need one', () => {
    for (const [name, { effect, vendorKey, reconcile, idempotencyKey }] of Object.entries(manifest.tools)) {
      if (effect === 'read') continue;
      const needed = ['create_invoice', 'finalize_invoice', 'send_invoice', 'create_refund'].includes(name);
      expect([name, vendorKey, reconcile, idempotencyKey]).toEqual([
        name,
        true,
        true,
        needed ? 'required' : 'optional',
      ]);
    }
  });

  test("the manifest's example works on the sandbox", async () => {
    const { data } = await stripe.call(manifest.example?.tool ?? '', manifest.example?.arguments);
    expect(data.invoices.map(({ id }: { id: string }) => id)).toEqual(['in_SbxWeddingOpen', 'in_SbxForumOverdue']);
  });
});

describe('customers', () => {
  test('are created, found by their email, read, changed and emptied field by field', async () => {
    const made = await stripe.call(
      'create_customer',
      { name: 'Ada Lovelace', email: 'ada@engine.example', phone: '+441234567', reference: 'event-7' },
      newKey(),
    );
    expect(made.data).toMatchObject({ name: 'Ada Lovelace', reference: 'event-7', balance: 0, delinquent: false });
    const id: string = made.data.id;
    expect((await stripe.call('list_customers', { email: 'ada@engine.example' })).data).toEqual({
      customers: [made.data],
    });
    const changed = await stripe.call('update_customer', { customer: id, phone: null, description: 'Likes numbers' });
    expect(changed.data).toMatchObject({ phone: null, description: 'Likes numbers', name: 'Ada Lovelace' });
    const emptied = await stripe.call('update_customer', { customer: id, reference: null });
    expect(emptied.data.reference).toBeNull();
    expect((await stripe.call('get_customer', { customer: id })).data).toEqual(emptied.data);
  });

  test('are listed page by page, newest first, without a gap or a repeat', async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const { data } = await stripe.call('list_customers', { limit: 4, ...(cursor && { cursor }) });
      seen.push(...data.customers.map(({ id }: { id: string }) => id));
      cursor = data.nextCursor;
      pages += 1;
    } while (cursor !== undefined && pages < 9);
    expect(pages).toBe(2);
    expect(seen).toHaveLength(6);
    expect(new Set(seen).size).toBe(6);
    expect(seen[0]).toBe('cus_SbxRiverChoir');
  });

  test('that were deleted are told as gone', async () => {
    const { STRIPE_SECRET_KEY: key } = stripe.sandbox.env;
    await fetch(`${stripe.sandbox.url}/v1/customers/cus_SbxTomasNovak`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${key}` },
    });
    const { data } = await stripe.call('get_customer', { customer: 'cus_SbxTomasNovak' });
    expect(data.error).toMatchObject({ code: 'not_found', retryable: false });
  });
});

describe('what is sold', () => {
  test('products and prices are listed with names, in capitals and cents', async () => {
    const products = await stripe.call('list_products', { limit: 2 });
    expect(products.data.products[0]).toMatchObject({ name: 'Forum ticket', defaultPrice: 'price_SbxForumTicket' });
    expect(products.data.nextCursor).toEqual(expect.any(String));
    const prices = await stripe.call('list_prices', { product: 'prod_SbxWorkshop', currency: 'EUR' });
    expect(prices.data.prices).toMatchObject([
      { nickname: 'Early bird', productName: 'Workshop seat', unitAmount: 14_500, currency: 'EUR', interval: null },
      { nickname: 'Regular', unitAmount: 18_000 },
    ]);
    expect((await stripe.call('list_prices', { currency: 'usd' })).data.prices).toEqual([]);
  });

  test('a price is made with its product, another for the same, and both can be paid by a link', async () => {
    const first = await stripe.call(
      'create_price',
      { newProductName: 'Garden party', unitAmount: 3_500, currency: 'eur', reference: 'event-9' },
      newKey(),
    );
    expect(first.data).toMatchObject({ productName: 'Garden party', unitAmount: 3_500, currency: 'EUR' });
    const second = await stripe.call('create_price', {
      product: first.data.product,
      unitAmount: 2_900,
      currency: 'EUR',
      nickname: 'Group',
    });
    expect(second.data).toMatchObject({ product: first.data.product, productName: 'Garden party', nickname: 'Group' });
    const link = await stripe.call('create_payment_link', {
      items: [{ price: first.data.id, quantity: 2 }, { price: second.data.id }],
      maxPayments: 30,
      redirectUrl: 'https://planner.example/thanks',
      closedMessage: 'Sold out',
      reference: 'event-9',
    });
    expect(link.data).toMatchObject({ active: true, currency: 'EUR', maxPayments: 30, reference: 'event-9' });
    expect(link.data.url).toMatch(/^https:\/\/buy\.stripe\.com\/test_/);
    const [sent] = await stripe.sandbox.received('/v1/payment_links');
    expect(decodeURIComponent(sent?.body ?? '')).toContain('line_items[0][quantity]=2');
  });
});

describe('invoices', () => {
  const wanted = {
    customer: 'cus_SbxMayaOkafor',
    currency: 'EUR',
    items: [
      { price: 'price_SbxDinner', quantity: 84 },
      { description: 'Flowers', unitAmount: 1_550, quantity: 3 },
    ],
    daysUntilDue: 30,
    description: 'Wedding in the orchard',
    reference: 'event-3',
  };

  test('are made as drafts with their items, finalised once, and listed by customer and status', async () => {
    const made = await stripe.call('create_invoice', wanted, newKey());
    expect(made.data).toMatchObject({
      status: 'draft',
      number: null,
      total: 84 * 6_800 + 3 * 1_550,
      reference: 'event-3',
      hostedUrl: null,
      items: [
        { description: 'Seated dinner', quantity: 84, amount: 571_200 },
        { description: 'Flowers', quantity: 3, amount: 4_650 },
      ],
    });
    const invoice: string = made.data.id;
    const open = await stripe.call('finalize_invoice', { invoice }, newKey());
    expect(open.data).toMatchObject({ status: 'open', number: expect.any(String), amountRemaining: made.data.total });
    expect(open.data.hostedUrl).toMatch(/^https:\/\/invoice\.stripe\.com\//);
    const again = await stripe.call('finalize_invoice', { invoice }, newKey());
    expect(again.data.error).toMatchObject({ code: 'wrong_state', vendorCode: 'invoice_not_editable', executed: 'no' });
    const listed = await stripe.call('list_invoices', { customer: wanted.customer, status: 'open' });
    expect(listed.data.invoices.map(({ id }: { id: string }) => id)).toEqual([invoice, 'in_SbxWeddingOpen']);
    expect((await stripe.sandbox.state()).mails).toEqual([]);
  });

  test('keep all of twenty items, of which the invoice itself shows ten', async () => {
    const items = Array.from({ length: 20 }, (_, n) => ({ description: `Table ${n + 1}`, unitAmount: 100 }));
    const { data } = await stripe.call('create_invoice', { ...wanted, items }, newKey());
    expect(data.items.map(({ description }: { description: string }) => description)).toEqual(
      items.map(({ description }) => description),
    );
    expect(data.total).toBe(2_000);
  });

  test('are mailed: a draft is finalised by that, an open one is mailed again', async () => {
    const first = await stripe.call('send_invoice', { invoice: 'in_SbxWorkshopDraft' }, newKey());
    expect(first.data).toMatchObject({ status: 'open', number: expect.any(String) });
    await stripe.call('send_invoice', { invoice: 'in_SbxWorkshopDraft' }, newKey());
    expect((await stripe.sandbox.state()).mails).toHaveLength(2);
    const paid = await stripe.call('send_invoice', { invoice: 'in_SbxAuroraPaid' }, newKey());
    expect(paid.data.error).toMatchObject({ code: 'wrong_state', executed: 'no' });
  });

  test.each([
    [{ price: 'price_SbxNone' }, 'not_found'],
    [{ price: 'price_usd' }, 'unusable_price'],
  ])('with the unusable price %j are not begun', async (item, code) => {
    const usd = await stripe.call('create_price', { newProductName: 'X', unitAmount: 1, currency: 'USD' });
    const items = [item.price === 'price_usd' ? { price: usd.data.id } : item];
    const { data } = await stripe.call('create_invoice', { ...wanted, items }, newKey());
    expect(data.error).toMatchObject({ code });
    expect(await stripe.sandbox.received('/v1/invoices')).toEqual([]);
  });

  test('whose item is refused say what is there already, and are not to be repeated', async () => {
    await stripe.sandbox.fault({ kind: 'status', status: 400, path: '/v1/invoiceitems' });
    const { data } = await stripe.call('create_invoice', wanted, newKey());
    expect(data.error).toMatchObject({
      code: 'invalid_request',
      retryable: false,
      executed: 'maybe',
      itemsDone: 0,
      itemsWanted: 2,
      invoice: expect.stringMatching(/^in_/),
    });
  });
});

describe('payments', () => {
  test('are told with what was refunded and why they failed, never with a secret', async () => {
    const partly = await stripe.call('get_payment_intent', { paymentIntent: 'pi_SbxSeatPartly' });
    expect(partly.data).toMatchObject({ status: 'succeeded', amountReceived: 18_000, amountRefunded: 6_000 });
    const declined = await stripe.call('get_payment_intent', { paymentIntent: 'pi_SbxDeclined' });
    expect(declined.data).toMatchObject({
      status: 'requires_payment_method',
      amountReceived: 0,
      lastErrorCode: 'card_declined',
    });
    expect(partly.text + declined.text).not.toContain('secret');
  });

  test('are refunded in part, then in whole, then not any more', async () => {
    const paymentIntent = 'pi_SbxDepositPaid';
    const part = await stripe.call(
      'create_refund',
      { paymentIntent, amount: 20_000, reason: 'requested_by_customer', reference: 'event-3' },
      newKey(),
    );
    expect(part.data).toMatchObject({ amount: 20_000, status: 'succeeded', currency: 'EUR', reference: 'event-3' });
    const rest = await stripe.call('create_refund', { paymentIntent }, newKey());
    expect(rest.data.amount).toBe(30_000);
    const none = await stripe.call('create_refund', { paymentIntent }, newKey());
    expect(none.data.error).toMatchObject({ code: 'already_refunded', vendorCode: 'charge_already_refunded' });
    expect((await stripe.call('get_payment_intent', { paymentIntent })).data.amountRefunded).toBe(50_000);
  });

  test('change the balance', async () => {
    const before = (await stripe.call('get_balance')).data;
    expect(before).toMatchObject({ mode: 'test', available: [{ currency: 'EUR' }] });
    await stripe.call('create_refund', { paymentIntent: 'pi_SbxDepositPaid', amount: 1_000 }, newKey());
    const after = (await stripe.call('get_balance')).data;
    expect(after.available[0].amount).toBe(before.available[0].amount - 1_000);
  });
});

describe('bad input is refused before Stripe is asked', () => {
  test.each([
    ['list_customers', { limit: 101 }],
    ['list_customers', { email: 'no address' }],
    ['get_customer', { customer: '../balance' }],
    ['create_customer', { name: '' }],
    ['update_customer', { customer: 'cus_SbxMayaOkafor', balance: 5 }],
    ['list_products', { active: 'yes' }],
    ['list_prices', { currency: 'EURO' }],
    ['create_price', { newProductName: 'X', unitAmount: 12.5, currency: 'EUR' }],
    ['create_payment_link', { items: [] }],
    ['create_payment_link', { items: [{ price: 'price_SbxDinner' }], redirectUrl: 'javascript:alert(1)' }],
    ['create_invoice', { customer: 'cus_SbxMayaOkafor', currency: 'EUR', items: [] }],
    ['finalize_invoice', { invoice: 'cus_SbxMayaOkafor' }],
    ['send_invoice', {}],
    ['list_invoices', { status: 'late' }],
    ['get_payment_intent', { paymentIntent: 'pi_x?expand[]=customer' }],
    ['create_refund', { paymentIntent: 'pi_SbxDepositPaid', amount: 0 }],
    ['get_balance', { currency: 'EUR' }],
  ])('%s %j is 422', async (tool, args) => {
    const answer = await stripe.call(tool, args, newKey());
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({ code: 'invalid_arguments', executed: 'no' });
    expect(await stripe.sandbox.received()).toEqual([]);
  });

  test.each([
    ['create_customer', { phone: '+441' }, ''],
    ['update_customer', { customer: 'cus_SbxMayaOkafor' }, ''],
    ['create_price', { unitAmount: 100, currency: 'EUR' }, ''],
    ['create_invoice', { customer: 'cus_a', currency: 'EUR', items: [{ description: 'X' }] }, '/items/0'],
    [
      'create_invoice',
      { customer: 'cus_a', currency: 'EUR', items: [{ description: 'X', unitAmount: 99_999_999, quantity: 2 }] },
      '/items',
    ],
  ])('%s %j says what is missing', async (tool, args, pointer) => {
    const { data } = await stripe.call(tool, args, newKey());
    expect(data.error).toMatchObject({ code: 'invalid_arguments', errors: [{ pointer }] });
    expect(await stripe.sandbox.received()).toEqual([]);
  });

  test.each(['bm90IG9uZQ', Buffer.from('list_products\nprod_SbxDinner').toString('base64url')])(
    'a cursor of another list (%s) is told as that',
    async (cursor) => {
      const { data } = await stripe.call('list_customers', { cursor });
      expect(data.error).toMatchObject({ code: 'invalid_cursor', retryable: false });
    },
  );

  test.each(['create_invoice', 'finalize_invoice', 'send_invoice', 'create_refund'])(
    '%s is refused without an Idempotency-Key',
    async (tool) => {
      const args = {
        create_invoice: { customer: 'cus_a', currency: 'EUR', items: [{ description: 'X', unitAmount: 1 }] },
        create_refund: { paymentIntent: 'pi_SbxDepositPaid' },
      }[tool] ?? { invoice: 'in_SbxWorkshopDraft' };
      const answer = await stripe.call(tool, args);
      expect(answer.status).toBe(400);
      expect(answer.json.code).toBe('idempotency_key_required');
    },
  );
});

describe("Stripe's own no is told with its code and what to do", () => {
  test.each([
    ['list_customers', {}, '/v1/customers', 403, 'permission_denied'],
    ['get_customer', { customer: 'cus_none' }, undefined, 404, 'not_found'],
    ['create_customer', { email: 'a@b.example' }, '/v1/customers', 400, 'invalid_request'],
    ['update_customer', { customer: 'cus_none', name: 'X' }, undefined, 404, 'not_found'],
    ['list_products', {}, '/v1/products', 401, 'credentials_refused'],
    ['list_prices', { active: false }, '/v1/prices', 403, 'permission_denied'],
    ['create_price', { product: 'prod_none', unitAmount: 1, currency: 'EUR' }, undefined, 400, 'not_found'],
    ['create_payment_link', { items: [{ price: 'price_none' }] }, undefined, 400, 'not_found'],
    ['finalize_invoice', { invoice: 'in_none' }, undefined, 404, 'not_found'],
    ['send_invoice', { invoice: 'in_none' }, undefined, 404, 'not_found'],
    ['list_invoices', {}, '/v1/invoices', 400, 'invalid_request'],
    ['get_payment_intent', { paymentIntent: 'pi_none' }, undefined, 404, 'not_found'],
    ['create_refund', { paymentIntent: 'pi_SbxDeclined' }, undefined, 400, 'invalid_request'],
    ['create_refund', { paymentIntent: 'pi_SbxDepositPaid' }, '/v1/refunds', 402, 'card_error'],
    ['get_balance', {}, '/v1/balance', 401, 'credentials_refused'],
  ])('%s %j', async (tool, args, path, status, code) => {
    if (path !== undefined) await stripe.sandbox.fault({ kind: 'status', status, path });
    const answer = await stripe.call(tool, args, { ...newKey(), 'cache-control': 'no-cache' });
    expect(answer).toMatchObject({ status: 200, isError: true });
    expect(answer.data.error).toMatchObject({ code, status, retryable: false, hint: expect.any(String) });
    expect(answer.text).not.toMatch(/sk_test_|rk_test_|node_modules/);
  });

  test('a customer without an email cannot get an invoice by mail', async () => {
    const items = [{ description: 'Room', unitAmount: 100 }];
    const args = { customer: 'cus_SbxRiverChoir', currency: 'EUR', items };
    const { data } = await stripe.call('create_invoice', args, newKey());
    expect(data.error).toMatchObject({ code: 'invalid_request', vendorCode: 'customer_missing_email', executed: 'no' });
  });

  test('a refund beyond what is left names the parameter', async () => {
    const args = { paymentIntent: 'pi_SbxSeatPartly', amount: 12_001 };
    const { data } = await stripe.call('create_refund', args, newKey());
    expect(data.error).toMatchObject({ code: 'invalid_request', param: 'amount', executed: 'no' });
  });
});
