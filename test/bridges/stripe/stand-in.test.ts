import { createRequire } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/stripe/sandbox.ts';

/** The SDK as its users have it, without anything of ours between. */
const { default: Stripe } = await import(
  createRequire(new URL('../../../bridges/stripe/package.json', import.meta.url)).resolve('stripe')
);

type StandIn = Awaited<ReturnType<typeof startSandbox>>;

interface Said {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  readonly json: any;
}

let standIn: StandIn;
/** Holds keyed requests while they are under way, where a test sets it. */
let held: Promise<void> | undefined;

beforeAll(async () => {
  standIn = await startSandbox({ meanwhile: async () => held });
});
afterAll(() => standIn?.[Symbol.asyncDispose]());
beforeEach(async () => {
  held = undefined;
  await fetch(`${standIn.url}/_sandbox/reset`, { method: 'POST' });
});

async function ask(method: string, path: string, form = '', headers: Record<string, string> = {}): Promise<Said> {
  const answer = await fetch(`${standIn.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${standIn.env.STRIPE_SECRET_KEY}`, ...headers },
    ...(method === 'POST' ? { body: form } : {}),
  });
  return { status: answer.status, headers: answer.headers, json: await answer.json() };
}

describe('a key that comes again', () => {
  const KEY = { 'idempotency-key': 'k1' };

  test('gets the first answer with Idempotent-Replayed, and nothing happens', async () => {
    const first = await ask('POST', '/v1/customers', 'name=A', KEY);
    const again = await ask('POST', '/v1/customers', 'name=A', KEY);
    expect(again.json).toEqual(first.json);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('original-request')).toBe(first.headers.get('request-id'));
    expect((await ask('GET', '/v1/customers?limit=100')).json.data).toHaveLength(7);
  });

  test.each([
    ['/v1/customers', 'name=B', /same parameters/],
    ['/v1/products', 'name=A', /same endpoint/],
  ])('with something else (%s %s) is an idempotency_error', async (path, form, message) => {
    await ask('POST', '/v1/customers', 'name=A', KEY);
    const { status, json } = await ask('POST', path, form, KEY);
    expect(status).toBe(400);
    expect(json.error).toMatchObject({ type: 'idempotency_error', message: expect.stringMatching(message) });
  });

  test('while the first is under way is 409', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    const both = [ask('POST', '/v1/customers', 'name=A', KEY), ask('POST', '/v1/customers', 'name=A', KEY)];
    // Whichever came second is answered while the first is held.
    const refused = await Promise.race(both);
    expect(refused.status).toBe(409);
    expect(refused.json.error.code).toBe('idempotency_key_in_use');
    resolve();
    expect((await Promise.all(both)).map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });

  test('after refused parameters starts anew, and after a declined card does not', async () => {
    expect((await ask('POST', '/v1/customers', 'email=x', KEY)).status).toBe(400);
    expect((await ask('POST', '/v1/customers', 'name=A', KEY)).status).toBe(200);
    const card = 'amount=100&currency=eur&confirm=true&payment_method=pm_card_chargeDeclined';
    const pay = () => ask('POST', '/v1/payment_intents', card, { 'idempotency-key': 'k2' });
    expect((await pay()).json.error).toMatchObject({ type: 'card_error', decline_code: 'generic_decline' });
    const again = await pay();
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([402, 'true']);
  });
});

describe('forms', () => {
  test('are read as trees: lists, groups and lists of groups', async () => {
    const form =
      'line_items[0][price]=price_SbxDinner&line_items[0][quantity]=2&line_items[1][price]=price_SbxSound&line_items[1][quantity]=1' +
      '&metadata[event]=7&restrictions[completed_sessions][limit]=9';
    const { json } = await ask('POST', '/v1/payment_links', form);
    expect(json).toMatchObject({
      metadata: { event: '7' },
      restrictions: { completed_sessions: { count: 0, limit: 9 } },
    });
  });

  test.each([
    ['/v1/customers', 'nmae=A', 'parameter_unknown', 'nmae'],
    ['/v1/payment_links', 'line_items[0][prise]=x', 'parameter_missing', 'line_items[0][price]'],
    ['/v1/prices', 'currency=eur&unit_amount=1.5', 'parameter_invalid_integer', 'unit_amount'],
    ['/v1/invoices', 'customer=cus_none', 'resource_missing', 'customer'],
  ])('%s %s is refused by name', async (path, form, code, param) => {
    const { status, json } = await ask('POST', path, form);
    expect(status).toBe(400);
    expect(json.error).toMatchObject({ type: 'invalid_request_error', code, param });
  });

  test('without the right key are 401, and unknown addresses 404', async () => {
    expect((await ask('GET', '/v1/customers', '', { authorization: 'Bearer sk_test_other' })).status).toBe(401);
    expect((await ask('GET', '/v1/unicorns')).json.error.message).toMatch(/Unrecognized request URL \(GET: /);
  });
});

describe('objects', () => {
  test('what is made can be listed, changed and deleted', async () => {
    const { json: made } = await ask(
      'POST',
      '/v1/invoices',
      'customer=cus_SbxTomasNovak&collection_method=send_invoice&days_until_due=3',
    );
    await ask('POST', '/v1/invoiceitems', `customer=cus_SbxTomasNovak&invoice=${made.id}&amount=500&currency=eur`);
    expect((await ask('POST', `/v1/invoices/${made.id}`, 'footer=Thanks')).json).toMatchObject({
      footer: 'Thanks',
      total: 500,
    });
    expect((await ask('GET', `/v1/invoices/${made.id}/lines`)).json.data).toMatchObject([{ amount: 500 }]);
    expect((await ask('DELETE', `/v1/invoices/${made.id}`)).json).toEqual({
      id: made.id,
      object: 'invoice',
      deleted: true,
    });
    expect((await ask('GET', `/v1/invoices/${made.id}`)).status).toBe(404);
  });

  test('an invoice goes from draft to open to paid, or to void, and no other way', async () => {
    const invoice = '/v1/invoices/in_SbxWorkshopDraft';
    expect((await ask('POST', `${invoice}/void`)).status).toBe(400);
    expect((await ask('POST', `${invoice}/finalize`)).json).toMatchObject({
      status: 'open',
      amount_remaining: 216_000,
    });
    expect((await ask('DELETE', invoice)).status).toBe(400);
    expect((await ask('POST', `${invoice}/pay`)).json).toMatchObject({ status: 'paid', amount_paid: 216_000 });
    expect((await ask('POST', `${invoice}/void`)).json.error.code).toBe('invoice_not_editable');
    expect((await ask('POST', '/v1/invoices/in_SbxWeddingOpen/void')).json).toMatchObject({ status: 'void' });
  });

  test('events tell which request they come from', async () => {
    const key = { 'idempotency-key': 'k3' };
    const made = await ask('POST', '/v1/customers', 'name=A', key);
    const { json } = await ask('GET', '/v1/events?type=customer.*');
    expect(json.data).toMatchObject([
      {
        type: 'customer.created',
        data: { object: made.json },
        request: { id: made.headers.get('request-id'), idempotency_key: 'k3' },
      },
    ]);
  });

  test('a reset puts everything back to the same ids', async () => {
    const first = (await ask('POST', '/v1/customers', 'name=A')).json;
    await fetch(`${standIn.url}/_sandbox/reset`, { method: 'POST' });
    const second = (await ask('POST', '/v1/customers', 'name=A')).json;
    expect(second.id).toBe(first.id);
    expect((await ask('GET', '/v1/balance')).json).toMatchObject({ object: 'balance', livemode: false });
  });
});

test("the stand-in's answers are what the SDK makes its own objects of", async () => {
  const { hostname, port } = new URL(standIn.url);
  const stripe = new Stripe(standIn.env.STRIPE_SECRET_KEY, {
    host: hostname,
    port,
    protocol: 'http',
    telemetry: false,
  });
  const names: string[] = [];
  for await (const customer of stripe.customers.list({ limit: 2 })) names.push(customer.name);
  expect(names).toHaveLength(6);
  const [price] = (await stripe.prices.list({ product: 'prod_SbxSound', expand: ['data.product'] })).data;
  expect(price.unit_amount_decimal.toString()).toBe('95000');
  expect(price.product.name).toBe('Sound and lights');
  const { lines } = await stripe.invoices.retrieve('in_SbxForumOverdue');
  expect(lines.data[0].pricing.unit_amount_decimal.toString()).toBe('4900');
  await expect(stripe.customers.retrieve('cus_none')).rejects.toMatchObject({
    type: 'StripeInvalidRequestError',
    code: 'resource_missing',
  });
});

test('the shapes are those of the API version that the installed SDK speaks', async () => {
  const { json, headers } = await ask('GET', '/v1/balance');
  expect(json.object).toBe('balance');
  expect(headers.get('stripe-version')).toBe(Stripe.API_VERSION);
  await ask('POST', '/v1/customers', 'name=A');
  expect((await ask('GET', '/v1/events')).json.data[0].api_version).toBe(Stripe.API_VERSION);
});
