import type { BridgeManifest } from '../../core/manifest.ts';

const LIST = { effect: 'read', deadlineMs: 15_000 } as const;
/** Stripe keeps the key, and a lost answer can be asked about. */
const KEYED = { deadlineMs: 30_000, vendorKey: true, reconcile: true } as const;
/** Without a key a repeat would cost money, or mail somebody twice. */
const REQUIRED = { effect: 'write', idempotencyKey: 'required', ...KEYED } as const;
const OPTIONAL = { effect: 'write', idempotencyKey: 'optional', ...KEYED } as const;

/** Stripe: customers, prices, payment links, invoices, payments and refunds of one account. */
const stripe: BridgeManifest = {
  name: 'stripe',
  title: 'Stripe',
  description: 'Customers, prices, payment links, invoices, payments and refunds of one Stripe account.',
  server: { module: new URL('./server.ts', import.meta.url) },
  environment: [
    {
      name: 'STRIPE_SECRET_KEY',
      required: true,
      secret: true,
      help: 'a secret or restricted key, from https://dashboard.stripe.com/test/apikeys (sk_test_… or rk_test_…)',
    },
    {
      name: 'STRIPE_ALLOW_LIVE',
      required: false,
      secret: false,
      help: 'true takes a live key too: calls then move real money',
    },
    { name: 'STRIPE_API_URL', required: false, secret: false, help: 'address of a stand-in for Stripe, for tests' },
    {
      name: 'STRIPE_REQUEST_TIMEOUT_MS',
      required: false,
      secret: false,
      help: 'longest wait for one answer of Stripe, 20000',
    },
    {
      name: 'STRIPE_IN_FLIGHT_MS',
      required: false,
      secret: false,
      help: 'how long Stripe may still carry out a request whose answer was lost, 120000',
    },
  ],
  tools: {
    list_customers: LIST,
    get_customer: LIST,
    create_customer: OPTIONAL,
    update_customer: { ...OPTIONAL, effect: 'idempotent' },
    list_products: { ...LIST, cacheTtlMs: 30_000 },
    list_prices: { ...LIST, cacheTtlMs: 30_000 },
    create_price: OPTIONAL,
    create_payment_link: OPTIONAL,
    create_invoice: { ...REQUIRED, deadlineMs: 60_000 },
    finalize_invoice: REQUIRED,
    send_invoice: REQUIRED,
    list_invoices: LIST,
    get_payment_intent: LIST,
    create_refund: REQUIRED,
    get_balance: LIST,
  },
  example: { tool: 'list_invoices', arguments: { status: 'open', limit: 3 } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default stripe;
