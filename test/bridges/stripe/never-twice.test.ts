import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startVendor, type Vendor } from '../../support/vendor.ts';

let stripe: Vendor;
let twin: Vendor;
let keys = 0;

/** Every look at an earlier call: no later request can be under way when tests ask. */
const SETTLED = { STRIPE_IN_FLIGHT_MS: '0' };
const ASKED = { prefer: 'reconcile' };
const newKey = (): Record<string, string> => ({ 'idempotency-key': `never-twice-${++keys}` });

beforeAll(async () => {
  stripe = await startVendor('stripe', { env: SETTLED });
  twin = await stripe.twin();
});
afterAll(async () => {
  await twin?.[Symbol.asyncDispose]();
  await stripe?.[Symbol.asyncDispose]();
});
beforeEach(() => stripe.sandbox.reset());

/** How often it happened, by the state of the stand-in. */
// biome-ignore lint/suspicious/noExplicitAny: the stand-in's own objects
type Count = (state: any) => number;

const WRITES: readonly (readonly [tool: string, args: Record<string, unknown>, path: string, count: Count])[] = [
  [
    'create_customer',
    { name: 'Once Only', email: 'once@only.example' },
    '/v1/customers',
    ({ customers }) => customers.filter(({ name }: { name: string }) => name === 'Once Only').length,
  ],
  [
    'update_customer',
    { customer: 'cus_SbxTomasNovak', description: 'Once' },
    '/v1/customers/cus_SbxTomasNovak',
    ({ customers }) => customers.filter(({ description }: { description: string }) => description === 'Once').length,
  ],
  [
    'create_price',
    { newProductName: 'Once', unitAmount: 100, currency: 'EUR' },
    '/v1/prices',
    ({ products }) => products.filter(({ name }: { name: string }) => name === 'Once').length,
  ],
  [
    'create_payment_link',
    { items: [{ price: 'price_SbxDinner' }], reference: 'once' },
    '/v1/payment_links',
    ({ paymentLinks }) => paymentLinks.length - 1,
  ],
  [
    'create_invoice',
    {
      customer: 'cus_SbxTomasNovak',
      currency: 'EUR',
      items: [
        { description: 'A', unitAmount: 100 },
        { description: 'B', unitAmount: 200 },
      ],
    },
    '/v1/invoices',
    ({ invoices }) => invoices.length - 5,
  ],
  [
    'finalize_invoice',
    { invoice: 'in_SbxWorkshopDraft' },
    '/v1/invoices/in_SbxWorkshopDraft/finalize',
    ({ customers }) =>
      customers.find(({ id }: { id: string }) => id === 'cus_SbxLetterpress').next_invoice_sequence - 1,
  ],
  [
    'send_invoice',
    { invoice: 'in_SbxWeddingOpen' },
    '/v1/invoices/in_SbxWeddingOpen/send',
    ({ mails }) => mails.length,
  ],
  [
    'create_refund',
    { paymentIntent: 'pi_SbxDepositPaid', amount: 1_000 },
    '/v1/refunds',
    ({ refunds }) => refunds.length - 1,
  ],
];

describe.each(WRITES)('%s with a key', (tool, args, path, count) => {
  const times = async () => count(await stripe.sandbox.state());

  test('happens once over two processes that know nothing of each other', async () => {
    const key = newKey();
    const first = await stripe.call(tool, args, key);
    expect(first).toMatchObject({ status: 200, isError: false });
    expect((await stripe.call(tool, args, key)).headers['idempotency-replayed']).toBe('true');
    const second = await twin.call(tool, args, key);
    expect(second.isError).toBe(false);
    expect(second.data).toEqual(first.data);
    expect(await times()).toBe(1);
  });

  test('whose answer is dropped after it took effect is found, and happens once whoever repeats it', async () => {
    const key = newKey();
    await stripe.sandbox.fault({ kind: 'drop_after', path, method: 'POST' });
    const first = await stripe.call(tool, args, key);
    expect(first).toMatchObject({ status: 200, isError: false });
    expect((await stripe.sandbox.received(path)).filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect((await stripe.call(tool, args, key)).data).toEqual(first.data);
    expect((await twin.call(tool, args, key)).isError).toBe(false);
    expect(await times()).toBe(1);
  });

  test('of unknown outcome is asked about with Prefer: reconcile, found, and recorded as found', async () => {
    const key = newKey();
    await stripe.sandbox.fault({ kind: 'drop_after', path, method: 'POST' });
    await stripe.sandbox.fault({ kind: 'status', status: 500, method: 'GET', times: 2, path: '/v1/*' });
    // create_invoice looks at nothing before its first write, the others neither: the look after it fails.
    const lost = await stripe.call(tool, args, key);
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(lost.data.error.hint).toContain('Prefer: reconcile');
    expect((await stripe.call(tool, args, key)).data).toEqual(lost.data);
    const found = await stripe.call(tool, args, { ...key, ...ASKED });
    if (tool === 'create_invoice') {
      // The draft is there and its items are not: the same key may run and completes it.
      expect(found.json).toMatchObject({ status: 409, code: 'not_executed', executed: 'no' });
      expect((await stripe.call(tool, args, key)).data).toMatchObject({ total: 300 });
    } else {
      expect(found).toMatchObject({ status: 200, isError: false });
      expect(found.headers['idempotency-reconciled']).toBe('true');
      expect((await stripe.call(tool, args, key)).data).toEqual(found.data);
    }
    expect(await times()).toBe(1);
  });

  test('that never arrived is told as not executed, and the same key may then run', async () => {
    const key = newKey();
    await stripe.sandbox.fault({ kind: 'drop_before', path, method: 'POST' });
    const lost = await stripe.call(tool, args, key);
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
    expect(await times()).toBe(0);
    const asked = await stripe.call(tool, args, { ...key, ...ASKED });
    expect(asked.json).toMatchObject({ status: 409, code: 'not_executed', executed: 'no' });
    expect(await times()).toBe(0);
    expect((await stripe.call(tool, args, key)).isError).toBe(false);
    expect(await times()).toBe(1);
  });

  test('is told by the other process too, which only looks', async () => {
    const key = newKey();
    const first = await stripe.call(tool, args, key);
    const found = await twin.call(tool, args, { ...key, ...ASKED });
    expect(found).toMatchObject({ status: 200, isError: false });
    expect(found.data.id).toBe(first.data.id);
    expect(await times()).toBe(1);
  });
});

describe('create_invoice', () => {
  const args = {
    customer: 'cus_SbxTomasNovak',
    currency: 'EUR',
    items: [1, 2, 3].map((n) => ({ description: `Table ${n}`, unitAmount: n * 100 })),
  };

  test('that was cut short is completed by the same key, and nothing is made twice', async () => {
    const key = newKey();
    await stripe.sandbox.fault({ kind: 'slow', delayMs: 0, path: '/v1/invoiceitems', method: 'POST' });
    await stripe.sandbox.fault({ kind: 'drop_before', path: '/v1/invoiceitems', method: 'POST' });
    const cut = await stripe.call('create_invoice', args, key);
    expect(cut.data.error).toMatchObject({ code: 'outcome_unknown', itemsDone: 1, itemsWanted: 3 });
    expect((await stripe.call('create_invoice', args, { ...key, ...ASKED })).json.code).toBe('not_executed');
    const whole = await stripe.call('create_invoice', args, key);
    expect(whole.data).toMatchObject({ id: cut.data.error.invoice, total: 600 });
    expect(whole.data.items).toHaveLength(3);
    const { invoices, invoiceItems } = await stripe.sandbox.state();
    expect(invoices).toHaveLength(6);
    expect(invoiceItems.filter(({ invoice }: { invoice: string }) => invoice === whole.data.id)).toHaveLength(3);
  });

  test('goes on where the answer to an item was lost and the item is there', async () => {
    await stripe.sandbox.fault({ kind: 'drop_after', path: '/v1/invoiceitems', method: 'POST', times: 2 });
    const whole = await stripe.call('create_invoice', args, newKey());
    expect(whole.data).toMatchObject({ total: 600 });
    expect(whole.data.items).toHaveLength(3);
  });

  test('gives each step a Stripe key of its own, all from the one handed down', async () => {
    await stripe.call('create_invoice', args, newKey());
    const posts = (await stripe.sandbox.received()).filter(({ method }) => method === 'POST');
    const used = posts.map(({ headers }) => headers['idempotency-key'] ?? '');
    const [base = ''] = (used[0] ?? '').split(':');
    expect(base).toMatch(/^[0-9a-f]{64}$/);
    expect(used).toEqual([`${base}:invoice`, `${base}:item:0`, `${base}:item:1`, `${base}:item:2`]);
  });
});

describe('what became of a call', () => {
  test('is not certain while its request may be under way, and says when to ask again', async () => {
    await using careful = await stripe.twin({ env: { STRIPE_IN_FLIGHT_MS: '90000' } });
    const args = { paymentIntent: 'pi_SbxDepositPaid', amount: 500 };
    const key = newKey();
    await stripe.sandbox.fault({ kind: 'drop_before', path: '/v1/refunds', method: 'POST' });
    await careful.call('create_refund', args, key);
    const asked = await careful.call('create_refund', args, { ...key, ...ASKED });
    expect(asked.json).toMatchObject({ status: 409, code: 'outcome_unknown', executed: 'maybe' });
    expect(asked.json.detail).toMatch(/refund\.created .*ask again in \d+ s/);
  });

  test('is unknown where the events may not be read, whatever else there is', async () => {
    const key = newKey();
    const args = { name: 'Nobody' };
    await stripe.sandbox.fault({ kind: 'drop_before', path: '/v1/customers', method: 'POST' });
    await stripe.call('create_customer', args, key);
    await stripe.sandbox.fault({ kind: 'status', status: 403, path: '/v1/events' });
    const asked = await stripe.call('create_customer', args, { ...key, ...ASKED });
    expect(asked.json).toMatchObject({ code: 'outcome_unknown' });
    expect(asked.json.detail).toContain('permission to read Events');
  });

  test('is found by the key in its metadata where the events may not be read', async () => {
    const key = newKey();
    const args = { paymentIntent: 'pi_SbxDepositPaid', amount: 700 };
    const made = await stripe.call('create_refund', args, key);
    await stripe.sandbox.fault({ kind: 'status', status: 403, path: '/v1/events', times: 9 });
    const found = await twin.call('create_refund', args, { ...key, ...ASKED });
    expect(found.data).toEqual(made.data);
  });

  test('is told of an object that was deleted since', async () => {
    const key = newKey();
    const args = { name: 'Short Lived' };
    const made = await stripe.call('create_customer', args, key);
    await fetch(`${stripe.sandbox.url}/v1/customers/${made.data.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${stripe.sandbox.env.STRIPE_SECRET_KEY}` },
    });
    const found = await twin.call('create_customer', args, { ...key, ...ASKED });
    expect(found.data).toEqual(made.data);
  });

  test('is found on a later page', async () => {
    const key = newKey();
    const args = { name: 'The First' };
    await stripe.sandbox.fault({ kind: 'drop_after', path: '/v1/customers', method: 'POST' });
    await stripe.sandbox.fault({ kind: 'status', status: 500, path: '/v1/*', method: 'GET', times: 2 });
    await stripe.call('create_customer', args, key);
    const authorization = `Bearer ${stripe.sandbox.env.STRIPE_SECRET_KEY}`;
    for (let n = 0; n < 120; n++) {
      await fetch(`${stripe.sandbox.url}/v1/customers`, {
        method: 'POST',
        headers: { authorization },
        body: `name=${n}`,
      });
    }
    const found = await stripe.call('create_customer', args, { ...key, ...ASKED });
    expect(found.data).toMatchObject({ name: 'The First' });
  });

  test('of an update that changed nothing is what stands there', async () => {
    const key = newKey();
    const args = { customer: 'cus_SbxMayaOkafor', name: 'Maya Okafor' };
    await stripe.sandbox.fault({ kind: 'drop_after', path: '/v1/customers/cus_SbxMayaOkafor', method: 'POST' });
    const lost = await stripe.call('update_customer', args, key);
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown' });
    const found = await stripe.call('update_customer', args, { ...key, ...ASKED });
    expect(found.data).toMatchObject({ id: 'cus_SbxMayaOkafor', name: 'Maya Okafor' });
  });
});

test('a key that Stripe has seen with other arguments is refused by Stripe where the bridge has forgotten it', async () => {
  const key = newKey();
  await stripe.call('create_customer', { name: 'One' }, key);
  const { data } = await twin.call('create_customer', { name: 'Two' }, key);
  expect(data.error).toMatchObject({
    code: 'idempotency_key_reused',
    vendorType: 'idempotency_error',
    executed: 'no',
    retryable: false,
  });
});
