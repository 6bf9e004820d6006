import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import { SandboxServer } from '../../core/sandbox-kit/sandbox-server.ts';
import { Account } from './stand-in/account.ts';
import { catalogEndpoints } from './stand-in/catalog.ts';
import { customerEndpoints } from './stand-in/customers.ts';
import { Endpoints } from './stand-in/endpoint.ts';
import { eventEndpoints } from './stand-in/events.ts';
import { errorAnswer } from './stand-in/fault.ts';
import { invoiceEndpoints } from './stand-in/invoices.ts';
import { paymentLinkEndpoints } from './stand-in/payment-links.ts';
import { paymentEndpoints } from './stand-in/payments.ts';
import { seed } from './stand-in/seed.ts';

/** The API version of the installed SDK, whose shapes these are. */
const API_VERSION = '2026-10-28.endive';
const SECRET_KEY = 'sk_test_sandboxplanner';

/** What tests may ask for beside what every stand-in takes. */
export interface StripeSandboxOptions extends Partial<SandboxOptions> {
  /** Awaited while a keyed request is under way. */
  readonly meanwhile?: () => Promise<void>;
}

/** A stand-in of Stripe in test mode, with an event planner's account. */
export async function startSandbox({
  port,
  meanwhile,
}: StripeSandboxOptions): Promise<Sandbox & { readonly url: string }> {
  const account = new Account(API_VERSION);
  const endpoints = new Endpoints(account, meanwhile);
  const reset = (): void => {
    account.clear();
    endpoints.clear();
    seed(account);
  };
  reset();
  const server = await SandboxServer.start(
    {
      name: 'stripe',
      routes: [
        ...customerEndpoints,
        ...catalogEndpoints,
        ...paymentLinkEndpoints,
        ...invoiceEndpoints,
        ...paymentEndpoints,
        ...eventEndpoints,
      ].map((endpoint) => endpoints.route(endpoint)),
      authorize: ({ headers, method, path }) =>
        headers.authorization === `Bearer ${SECRET_KEY}` ? undefined : errorAnswer(401, method, path),
      errorAnswer: (status, { method, path }) => errorAnswer(status, method, path),
      reset,
      state: () => account.state(),
    },
    port,
  );
  return {
    env: { STRIPE_SECRET_KEY: SECRET_KEY, STRIPE_API_URL: server.url },
    summary: `Stripe's stand-in on ${server.url}, an event planner's test account`,
    url: server.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
