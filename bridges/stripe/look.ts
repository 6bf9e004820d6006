import type { Stripe } from 'stripe';
import type { Reconciliation } from '../../core/server-kit/define-tool.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { KEY_METADATA, type Send, type StripeClient, stepKey } from './client.ts';
import type { FirstLooks } from './first-looks.ts';

/** What to look with. */
export interface Looking {
  readonly client: StripeClient;
  readonly firstLooks: FirstLooks;
  readonly inFlightMs: number;
}

/** Which trace a request would have left. */
export interface Trace<T> {
  /** The event that Stripe writes for it, e.g. `customer.created`; it bears the request's key. */
  readonly event: string;
  /** The step of the call, where it makes several requests. */
  readonly step?: string;
  /** One page of the objects among which the made one would be, newest first. Without it the event alone tells. */
  list?(
    stripe: Stripe,
    page: Page,
    options: Stripe.RequestOptions,
  ): Promise<Stripe.ApiList<T & { readonly id: string; readonly metadata: Stripe.Metadata | null }>>;
}

/** The page to ask for; `created` is left out where a list does not take it. */
export interface Page {
  readonly limit: number;
  readonly created: { readonly gte: number };
  readonly starting_after?: string;
}

/** What the traces of one key say. */
export type Found<T> =
  | { readonly there: true; readonly object: T }
  /** `certain`: it was not carried out, and will not be. */
  | { readonly there: false; readonly certain: boolean; readonly looked: string };

const PAGE = 100;
const MAX_OBJECT_PAGES = 5;
const MAX_EVENT_PAGES = 10;
/** A record is asked about for 24 h; an hour more for clocks that disagree. */
const WINDOW_S = 25 * 3_600;

interface Scan<T> {
  readonly object: T | undefined;
  readonly seen: number;
  /** False where there were more than were looked at. */
  readonly whole: boolean;
}

async function scan<T extends { readonly id: string }>(
  maxPages: number,
  pageAfter: (page: Page) => Promise<Stripe.ApiList<T>>,
  isIt: (object: T) => boolean,
): Promise<Scan<T>> {
  const created = { gte: Math.floor(Date.now() / 1_000) - WINDOW_S };
  let seen = 0;
  let after: string | undefined;
  for (let n = 0; n < maxPages; n++) {
    const page = await pageAfter({ limit: PAGE, created, ...(after === undefined ? {} : { starting_after: after }) });
    const object = page.data.find(isIt);
    seen += page.data.length;
    after = page.data.at(-1)?.id;
    if (object !== undefined) return { object, seen, whole: true };
    if (!page.has_more || after === undefined) return { object: undefined, seen, whole: true };
  }
  return { object: undefined, seen, whole: false };
}

/** Looks through the events of the last 25 h. A restricted key may not be allowed to: then nothing is certain. */
async function scanEvents(
  client: StripeClient,
  context: ToolContext,
  type: string,
  key: string,
): Promise<Scan<Stripe.Event> & { readonly forbidden: boolean }> {
  try {
    const found = await scan<Stripe.Event>(
      MAX_EVENT_PAGES,
      (page) => client.read(context, (stripe, options) => stripe.events.list({ ...page, type }, options)),
      (event) => event.request?.idempotency_key === key,
    );
    return { ...found, forbidden: false };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code !== 'permission_denied') throw error;
    return { object: undefined, seen: 0, whole: false, forbidden: true };
  }
}

/**
 * Looks what the request with a call's key has left behind. It only reads: lists, which Stripe keeps up to date with
 * every write (its search lags behind), and the events, which bear the key of the request they come from and outlive
 * a deleted object.
 *
 * Certain that nothing happened it is only when the events of 25 h were looked through to their end and the request
 * can no longer be under way: `inFlightMs` after this process was first asked about it.
 */
export async function lookFor<T>(
  { client, firstLooks, inFlightMs }: Looking,
  context: ToolContext,
  { event: type, step, list }: Trace<T>,
): Promise<Found<T>> {
  const key = stepKey(context, step) ?? '';
  // Before looking: what is carried out during the look was in flight when it began.
  const sinceMs = firstLooks.sinceMs(key);
  if (list !== undefined) {
    const { object } = await scan(
      MAX_OBJECT_PAGES,
      (page) => client.read(context, (stripe, options) => list(stripe, page, options)),
      ({ metadata }) => metadata?.[KEY_METADATA] === key,
    );
    if (object !== undefined) return { there: true, object };
  }
  const events = await scanEvents(client, context, type, key);
  if (events.object !== undefined) return { there: true, object: events.object.data.object as T };
  const waitMs = Math.max(0, inFlightMs - sinceMs);
  const certain = events.whole && waitMs === 0;
  const looked = events.forbidden
    ? 'the newest objects bear no such key; the events may not be read: grant the key the permission to read Events'
    : `${events.seen} events ${type} of the last 25 h bear no such key${events.whole ? '' : ', and there are more'}${
        waitMs === 0 ? '' : `; the request may still be under way, ask again in ${Math.ceil(waitMs / 1_000)} s`
      }`;
  return { there: false, certain, looked };
}

/** The verdict on a call that is one request: `shape` makes its answer of what was found. */
export async function reconcileOne<T, R>(
  looking: Looking,
  context: ToolContext,
  trace: Trace<T>,
  shape: (object: T) => R,
): Promise<Reconciliation<R>> {
  const found = await lookFor(looking, context, trace);
  if (found.there) return { found: 'executed', result: shape(found.object) };
  return found.certain ? { found: 'not_executed' } : { found: 'unknown', looked: found.looked };
}

/**
 * Carries a step out, once. Where its answer is lost and a key was given, it looks at once what the step has left behind:
 * mostly it is there, and the answer is as good as the lost one.
 * @throws ToolError `outcome_unknown` where it is not, or not yet
 */
export async function carryOut<T>(looking: Looking, context: ToolContext, trace: Trace<T>, send: Send<T>): Promise<T> {
  try {
    return await looking.client.write(context, send, trace.step);
  } catch (error) {
    const unknown = error instanceof ToolError && error.code === 'outcome_unknown';
    if (!unknown || context.idempotencyKey === undefined || context.signal.aborted) throw error;
    const found = await lookFor(looking, context, trace).catch(() => undefined);
    if (found?.there) return found.object;
    throw error;
  }
}
