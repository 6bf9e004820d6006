import type { Stripe } from 'stripe';
import { missing } from './fault.ts';

/** On the wire decimals are texts; the SDK makes its own numbers of them. */
export type WirePrice = Omit<Stripe.Price, 'unit_amount_decimal' | 'currency_options' | 'tiers' | 'product'> & {
  readonly product: string;
  readonly unit_amount_decimal: string | null;
};
export type WireInvoiceItem = Omit<Stripe.InvoiceItem, 'quantity_decimal' | 'pricing' | 'customer' | 'invoice'> & {
  readonly customer: string;
  readonly invoice: string | null;
  readonly quantity_decimal: string;
  readonly pricing: {
    readonly type: 'price_details';
    readonly price_details?: { readonly price: string; readonly product: string };
    readonly unit_amount_decimal: string | null;
  };
};
export type WireLine = Omit<Stripe.InvoiceLineItem, 'quantity_decimal' | 'pricing'> & {
  readonly quantity_decimal: string | null;
  readonly pricing: WireInvoiceItem['pricing'];
};
/** Lines are made of the items that belong to it when it is told. */
export type StoredInvoice = Omit<Stripe.Invoice, 'lines' | 'payments' | 'customer' | 'metadata'> & {
  readonly customer: string;
  readonly metadata: Stripe.Metadata;
};
export type StoredCharge = Omit<Stripe.Charge, 'payment_intent'> & { readonly payment_intent: string | null };
export type StoredPaymentIntent = Omit<Stripe.PaymentIntent, 'latest_charge'> & {
  readonly latest_charge: string | null;
};
export type StoredEvent = Stripe.EventBase & { readonly type: string };

/** Which request an event comes from. */
export interface Origin {
  readonly id: string | null;
  readonly idempotency_key: string | null;
}

interface Stored {
  readonly id: string;
  readonly created?: number;
}

/** Objects of one kind in the order of their making. */
export class Table<T extends Stored> {
  readonly #kind: string;
  readonly #rows = new Map<string, T>();

  /** @param kind as Stripe names it in `No such kind` */
  constructor(kind: string) {
    this.#kind = kind;
  }

  put(row: T): T {
    this.#rows.set(row.id, row);
    return row;
  }

  find(id: string): T | undefined {
    return this.#rows.get(id);
  }

  /** @throws Fault; `param` names where the id was given: not in the path means 400 instead of 404 */
  get(id: string, param?: string, status?: 404): T {
    const row = this.#rows.get(id);
    if (row === undefined) throw missing(this.#kind, id, param, status);
    return row;
  }

  delete(id: string): void {
    this.#rows.delete(id);
  }

  /** Oldest first. */
  all(): readonly T[] {
    return [...this.#rows.values()];
  }

  clear(): void {
    this.#rows.clear();
  }
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const MAX_EVENTS = 10_000;

/** A Stripe account in test mode: its objects, and what happened to them. */
export class Account {
  readonly customers = new Table<Stripe.Customer>('customer');
  readonly products = new Table<Stripe.Product>('product');
  readonly prices = new Table<WirePrice>('price');
  readonly paymentLinks = new Table<Stripe.PaymentLink>('payment_link');
  readonly invoices = new Table<StoredInvoice>('invoice');
  readonly invoiceItems = new Table<WireInvoiceItem>('invoiceitem');
  readonly paymentIntents = new Table<StoredPaymentIntent>('payment_intent');
  readonly charges = new Table<StoredCharge>('charge');
  readonly refunds = new Table<Stripe.Refund>('refund');
  readonly events = new Table<StoredEvent>('event');
  /** Customers that are gone: they can still be fetched as such. */
  readonly deletedCustomers = new Set<string>();
  /** Mails that a live account would have sent. */
  readonly mails: { readonly to: string; readonly invoice: string }[] = [];
  readonly apiVersion: string;
  #made = 0;
  #origin: Origin = { id: null, idempotency_key: null };

  constructor(apiVersion: string) {
    this.apiVersion = apiVersion;
  }

  /** Seconds since 1970. */
  now(): number {
    return Math.floor(Date.now() / 1_000);
  }

  /** A new id, the same in every run. */
  id(prefix: string): string {
    this.#made += 1;
    let rest = this.#made * 7_368_787;
    let digits = '';
    while (digits.length < 8) {
      digits = `${DIGITS[rest % DIGITS.length]}${digits}`;
      rest = Math.floor(rest / DIGITS.length);
    }
    return `${prefix}_1Sbx${digits}`;
  }

  /** What happens in `work` comes from this request. */
  from<T>(origin: Origin, work: () => T): T {
    this.#origin = origin;
    try {
      return work();
    } finally {
      this.#origin = { id: null, idempotency_key: null };
    }
  }

  /** Writes down what happened to an object, as it is now. */
  emit(type: string, object: object): void {
    const { length } = this.events.all();
    const oldest = this.events.all()[0];
    if (length >= MAX_EVENTS && oldest !== undefined) this.events.delete(oldest.id);
    this.events.put({
      id: this.id('evt'),
      object: 'event',
      api_version: this.apiVersion,
      created: this.now(),
      data: { object: structuredClone(object) as Stripe.Event.Data['object'] },
      livemode: false,
      pending_webhooks: 0,
      request: this.#origin,
      type: type as Stripe.Event.Type,
    });
  }

  clear(): void {
    for (const table of Object.values(this)) if (table instanceof Table) table.clear();
    this.deletedCustomers.clear();
    this.mails.length = 0;
    this.#made = 0;
  }

  /** Everything as plain data. */
  state(): Readonly<Record<string, unknown>> {
    const tables = Object.entries(this).flatMap(([name, table]) =>
      table instanceof Table && name !== 'events' ? [[name, table.all()]] : [],
    );
    return { ...Object.fromEntries(tables), mails: this.mails };
  }
}
