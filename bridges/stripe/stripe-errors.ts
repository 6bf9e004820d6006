import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { LostRequest } from './single-try-http.ts';

/** What the SDK throws, as far as it is read here; its classes are not loaded for it. */
interface SdkError extends Error {
  readonly type?: string;
  /** Stripe's own type: card_error, invalid_request_error, idempotency_error, api_error. */
  readonly rawType?: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly param?: string;
  readonly statusCode?: number;
  readonly requestId?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly detail?: unknown;
}

/** What was tried. */
export interface Attempt {
  readonly context: ToolContext;
  readonly writes: boolean;
}

interface Meaning {
  readonly code: string;
  readonly hint: string;
  readonly retryable?: boolean;
}

const MAX_MESSAGE = 500;
const DEFAULT_RETRY_AFTER_MS = 1_000;
const MAX_QUIET_MS = 60_000;
const LOST_HINT_KEYED = 'Repeat with the same Idempotency-Key and Prefer: reconcile to learn what became of it';
const LOST_HINT = 'Look with the list tools before doing it again; with an Idempotency-Key it could be asked about';

/** By Stripe's code. https://docs.stripe.com/error-codes */
const BY_CODE: Readonly<Record<string, Meaning>> = {
  resource_missing: { code: 'not_found', hint: 'Check the id with the list tools; test and live objects are apart' },
  charge_already_refunded: { code: 'already_refunded', hint: 'Nothing is left to refund; get_payment_intent shows it' },
  invoice_not_editable: { code: 'wrong_state', hint: 'Only a draft can be changed; list_invoices shows the status' },
  lock_timeout: { code: 'object_locked', hint: 'Another request uses the same object; try again', retryable: true },
};

/** By HTTP status, where the code says nothing. */
const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: { code: 'credentials_refused', hint: 'Stripe refuses the key: look at STRIPE_SECRET_KEY of this server' },
  402: { code: 'card_error', hint: "The payer's bank said no; declineCode says why. Another payment method may work" },
  403: {
    code: 'permission_denied',
    hint: 'The restricted key in STRIPE_SECRET_KEY lacks this permission: grant it in the dashboard',
  },
  404: { code: 'not_found', hint: 'Check the id with the list tools; test and live objects are apart' },
  409: { code: 'conflict', hint: 'Another request was in the way; try again', retryable: true },
};

/** Keys are never told, not even the part of one that Stripe's own messages show. */
function safe(message: string): string {
  return message.replace(/\b(?:sk|rk|pk)_(?:test|live)_[\w*.]+/g, '[key]').slice(0, MAX_MESSAGE);
}

/** The waiting time that Stripe asks for, in ms; undefined where it names none. */
export function retryAfterMs(error: unknown): number | undefined {
  const seconds = Number((error as SdkError | undefined)?.headers?.['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.ceil(seconds * 1_000) : undefined;
}

/** Whether a read that met this may be tried once more at once: the path failed, not the question. */
export function isPassing(error: unknown): boolean {
  const { statusCode, headers, detail } = error as SdkError;
  if (detail instanceof LostRequest) return detail.why === 'connection';
  return statusCode !== undefined && statusCode >= 500 && headers?.['stripe-should-retry'] !== 'false';
}

function details(error: SdkError): Readonly<Record<string, unknown>> {
  const { statusCode, rawType, code, decline_code, param, requestId } = error;
  const said = {
    status: statusCode,
    vendorType: rawType,
    vendorCode: code,
    declineCode: decline_code,
    param,
    requestId,
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== ''));
}

function unknownOutcome(what: string, error: SdkError, { context }: Attempt): ToolError {
  return new ToolError('outcome_unknown', `${what}: nobody knows yet whether it was carried out`, {
    hint: context.idempotencyKey === undefined ? LOST_HINT : LOST_HINT_KEYED,
    details: { executed: 'maybe', ...details(error) },
    cause: error,
  });
}

function lost(request: LostRequest, error: SdkError, attempt: Attempt): ToolError {
  const { context, writes } = attempt;
  if (request.sent && writes) {
    const what =
      request.why === 'connection'
        ? 'the connection to Stripe broke'
        : 'Stripe did not answer within the time there was';
    return unknownOutcome(what, error, attempt);
  }
  if (context.signal.aborted && context.signal.reason instanceof ToolError) return context.signal.reason;
  if (request.why === 'timeout') {
    return new ToolError('vendor_timeout', 'Stripe did not answer within the time there was', {
      retryable: true,
      hint: 'Try again, with a longer deadline where this one was short',
      cause: error,
    });
  }
  const why = request.systemCode === undefined ? '' : ` (${request.systemCode})`;
  return new ToolError('vendor_unreachable', `Stripe could not be reached${why}`, {
    retryable: true,
    hint: writes ? 'Nothing was sent; try again later' : 'Try again later',
    details: untouched(attempt),
    cause: error,
  });
}

/** Of a write that Stripe refused: certainly nothing was done. */
function untouched({ writes }: Attempt): Readonly<Record<string, unknown>> {
  return writes ? { executed: 'no' } : {};
}

/** Stripe wants to be left alone for `waitMs`. */
export function quiet(waitMs: number, writes: boolean): ToolError {
  return new ToolError('vendor_rate_limited', `Stripe wants no more requests for ${waitMs} ms; nothing was sent`, {
    retryable: true,
    hint: `Try again in ${waitMs} ms`,
    details: { ...(writes ? { executed: 'no' } : {}), retryAfterMs: waitMs },
  });
}

/** How long Stripe wants to be left alone by everybody, in ms; 0 where it does not. */
export function quietMs(thrown: unknown): number {
  const { statusCode, code } = thrown as SdkError;
  if (code === 'lock_timeout' || (statusCode !== 429 && code !== 'rate_limit')) return 0;
  return Math.min(retryAfterMs(thrown) ?? DEFAULT_RETRY_AFTER_MS, MAX_QUIET_MS);
}

function rateLimited(error: SdkError, attempt: Attempt): ToolError {
  const waitMs = quietMs(error);
  return new ToolError('vendor_rate_limited', `Stripe takes no more requests for now: ${safe(error.message)}`, {
    retryable: true,
    hint: `Try again in ${waitMs} ms`,
    details: { ...untouched(attempt), retryAfterMs: waitMs, ...details(error) },
    cause: error,
  });
}

function refused(error: SdkError, attempt: Attempt): ToolError {
  const { code = '', statusCode = 0 } = error;
  const meaning = BY_CODE[code] ??
    BY_STATUS[statusCode] ?? {
      code: 'invalid_request',
      hint: 'Stripe refuses these arguments: message, vendorCode and param say which',
    };
  const message = statusCode === 401 ? 'Stripe does not accept the configured key' : safe(error.message);
  return new ToolError(meaning.code, message, {
    retryable: meaning.retryable ?? false,
    hint: meaning.hint,
    details: { ...untouched(attempt), ...details(error) },
    cause: error,
  });
}

/** An error of the SDK as the tool's answer. What is none of Stripe's is thrown on as it is. */
export function toToolError(thrown: unknown, attempt: Attempt): unknown {
  if (thrown instanceof ToolError || !(thrown instanceof Error)) return thrown;
  const error = thrown as SdkError;
  if (error.type?.startsWith('Stripe') !== true) return thrown;
  const { detail, rawType, code, statusCode } = error;
  if (detail instanceof LostRequest) return lost(detail, error, attempt);
  if (code === 'lock_timeout') return refused(error, attempt);
  if (statusCode === 429 || code === 'rate_limit') return rateLimited(error, attempt);
  if (rawType === 'idempotency_error' && statusCode !== 409) {
    return new ToolError('idempotency_key_reused', 'Stripe has seen this key with other arguments; nothing was done', {
      hint: 'Repeat the first call with its own arguments, or send this one under a new Idempotency-Key',
      details: { ...untouched(attempt), ...details(error) },
      cause: error,
    });
  }
  // Without a status the answer could not be read; 409 on a key: the first request with it is still under way.
  if (statusCode === undefined || statusCode >= 500 || (statusCode === 409 && code === 'idempotency_key_in_use')) {
    if (attempt.writes) return unknownOutcome(`Stripe answered ${statusCode ?? 'unreadably'}`, error, attempt);
    return new ToolError('vendor_unavailable', `Stripe failed (${statusCode ?? 'unreadable answer'})`, {
      retryable: true,
      hint: 'Try again later; https://status.stripe.com tells of outages',
      details: details(error),
      cause: error,
    });
  }
  return refused(error, attempt);
}
