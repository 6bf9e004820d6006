import type { Stripe } from 'stripe';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';

/** An id of Stripe's, e.g. `cus_…`. */
export function stripeId(prefix: string, what: string) {
  return z
    .string()
    .max(255)
    .regex(new RegExp(`^${prefix}_\\w+$`), `must be the id of ${what}, ${prefix}_…`)
    .describe(`Id of ${what}, ${prefix}_…`);
}

/** Product ids may be chosen freely. */
export const productId = z
  .string()
  .max(255)
  .regex(/^[\w-]+$/, 'must be the id of a product')
  .describe('Id of a product, mostly prod_…');

/** Plain enough to be checked at once; Stripe looks closer. */
export const emailInput = z
  .string()
  .max(512)
  .regex(/^[^@\s]+@[^@\s]+$/, 'must be an email address');

/** Taken in either case, told in capitals. */
export const currencyInput = z
  .string()
  .regex(/^[A-Za-z]{3}$/, 'must be a currency code of three letters')
  .describe('ISO 4217 code, e.g. EUR');
export const currency = z.string().describe('ISO 4217 code, e.g. EUR');

/** Stripe takes eight digits at most. */
export const MAX_AMOUNT = 99_999_999;
const UNITS = "in the currency's smallest unit: cents for EUR or USD, whole yen for JPY";
export const amountInput = z.number().int().min(1).max(MAX_AMOUNT).describe(`Amount ${UNITS}`);
export const amount = z.number().int().describe(`Amount ${UNITS}`);

/** Bounded text of one or more lines. */
export function text(max: number, what: string) {
  return z.string().trim().min(1).max(max).describe(what);
}

/** The caller's own id, kept in metadata. */
export const reference = text(200, "The caller's own id for it, e.g. of an event; kept as metadata");
export const REFERENCE_METADATA = 'reference';

export const instant = z.string().describe('ISO 8601, UTC');

/** Seconds since 1970, as Stripe counts, to ISO 8601. */
export function toInstant(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

export function toInstantOrNull(seconds: number | null | undefined): string | null {
  return seconds === null || seconds === undefined ? null : toInstant(seconds);
}

/** The id of something that Stripe gives by its id or, expanded, as a whole. */
export function idOf(value: string | { readonly id: string } | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : value.id;
}

/** The caller's own id out of an object's metadata. */
export function referenceOf(metadata: Stripe.Metadata | null | undefined): string | null {
  return metadata?.[REFERENCE_METADATA] ?? null;
}

/** Members of every list's input. */
export const pageInput = {
  limit: z.number().int().min(1).max(100).default(20).describe('Most entries of one page'),
  cursor: z.string().max(400).optional().describe('nextCursor of the page before; give the same filters again'),
} as const;

export const nextCursor = z.string().optional().describe('Give it as cursor for the next page; absent at the end');

/** Stripe's own paging: newest first, after the last object of the page before. @throws ToolError `invalid_cursor` */
export function startingAfter(list: string, cursor: string | undefined): { readonly starting_after?: string } {
  if (cursor === undefined) return {};
  const [named, id = '', ...rest] = Buffer.from(cursor, 'base64url').toString().split('\n');
  if (named !== list || rest.length > 0 || !/^[A-Za-z0-9_-]{1,255}$/.test(id)) {
    throw new ToolError('invalid_cursor', `this is no cursor of ${list}`, {
      hint: 'Give nextCursor of an earlier answer of the same tool as it was, or none for the first page',
    });
  }
  return { starting_after: id };
}

/** The cursor after a page, as a member of the answer. */
export function cursorAfter(
  list: string,
  { data, has_more }: Pick<Stripe.ApiList<{ readonly id: string }>, 'data' | 'has_more'>,
): { readonly nextCursor?: string } {
  const last = data.at(-1);
  return has_more && last !== undefined ? { nextCursor: Buffer.from(`${list}\n${last.id}`).toString('base64url') } : {};
}

/** Copies what is not undefined: Stripe's types take no undefined, and it would not be sent either. */
export function given<T extends Readonly<Record<string, unknown>>>(
  members: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
