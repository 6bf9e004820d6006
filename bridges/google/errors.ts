import type { Effect } from '../../core/call.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { GoogleAccess } from './credentials.ts';
import { BY_REASON, BY_STATUS, RATE_LIMITED } from './error-meanings.ts';
import { headerOf } from './headers.ts';

/** What the SDK throws, as far as it is used. */
interface Thrown {
  readonly code?: string | number;
  readonly response?: { readonly status: number; readonly data?: unknown; readonly headers?: object };
}

/** What Google says in the body of an error. */
interface Said {
  readonly reason: string | undefined;
  readonly message: string | undefined;
}

const UNAVAILABLE = 'Google has a problem just now; try again later';
/** The connection was never there, so nothing can have been carried out. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
/** For a write: that it certainly was not carried out. */
const NOT_EXECUTED = { executed: 'no' } as const;
const MAX_MESSAGE_CHARACTERS = 300;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** The HTTP status of what the SDK threw; undefined where there was no answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as Thrown | null)?.response?.status;
}

/** How long Google asked to wait, where it did. */
export function retryAfterMs(error: ToolError): number | undefined {
  const ms = error.details?.retryAfterMs;
  return typeof ms === 'number' ? ms : undefined;
}

/** Turns what the SDK throws into a tool's error: stable codes, Google's own reason beside them, never a secret. */
export class GoogleErrors {
  readonly #service: string;
  readonly #credentials: GoogleAccess['credentials'];

  constructor(service: string, credentials: GoogleAccess['credentials']) {
    this.#service = service;
    this.#credentials = credentials;
  }

  /** No token could be got, so nothing was sent to the API. */
  ofSignIn(error: unknown): ToolError {
    if (error instanceof ToolError) return error;
    const status = statusOf(error);
    if (status === undefined) {
      return new ToolError('vendor_unreachable', `the token endpoint of Google cannot be reached${codeOf(error)}`, {
        retryable: true,
        hint: 'Nothing was done; try again later',
        details: NOT_EXECUTED,
      });
    }
    const { reason } = said(error);
    if (status === 429 || status >= 500) {
      return new ToolError('vendor_unavailable', `the token endpoint of Google answers ${status}`, {
        retryable: true,
        hint: 'Nothing was done; try again later',
        details: { ...NOT_EXECUTED, vendorStatus: status, ...waitOf(error) },
      });
    }
    return new ToolError('credentials_refused', `Google gives no access token${reason ? ` (${reason})` : ''}`, {
      hint: this.#lookAt(reason),
      details: { ...NOT_EXECUTED, vendorStatus: status, vendorCode: reason ?? null },
    });
  }

  /** A request that was sent, or was about to be. */
  ofRequest(error: unknown, effect: Effect, context: ToolContext): ToolError {
    if (error instanceof ToolError) return error;
    const status = statusOf(error);
    if (status !== undefined) return this.#ofStatus(status, error, effect, context);
    const code = (error as Thrown | null)?.code;
    if (typeof code === 'string' && NEVER_SENT.has(code)) {
      return new ToolError('vendor_unreachable', `${this.#service} cannot be reached (${code})`, {
        retryable: true,
        hint: 'Nothing was done; try again later',
        details: NOT_EXECUTED,
      });
    }
    if (!(error instanceof Error) || (code === undefined && !('config' in error))) {
      return new ToolError('internal', 'the request could not be made', { cause: error });
    }
    if (effect === 'write') return this.#unknown(context, `the connection ended before the answer${codeOf(error)}`);
    if (context.signal.aborted) return context.signal.reason;
    return new ToolError('vendor_unreachable', `the connection to ${this.#service} ended${codeOf(error)}`, {
      retryable: true,
      hint: 'Try again later',
    });
  }

  /** Google asked this process to wait for that long; nothing was sent. */
  heldBack(forMs: number): ToolError {
    return new ToolError('vendor_rate_limited', `${this.#service} asked to be left alone for ${forMs} ms more`, {
      retryable: true,
      hint: RATE_LIMITED.hint,
      details: { ...NOT_EXECUTED, retryAfterMs: forMs },
    });
  }

  /** An answer of 200 that cannot be read. */
  malformed(effect: Effect, context: ToolContext): ToolError {
    if (effect === 'write') return this.#unknown(context, 'the answer cannot be read');
    return new ToolError('vendor_malformed', `the answer of ${this.#service} cannot be read`, {
      retryable: true,
      hint: 'Try again later',
    });
  }

  #ofStatus(status: number, error: unknown, effect: Effect, context: ToolContext): ToolError {
    const { reason, message } = said(error);
    const details = { vendorStatus: status, vendorCode: reason ?? null, ...waitOf(error) };
    const refused = effect === 'read' ? details : { ...NOT_EXECUTED, ...details };
    if (status === 401) {
      return new ToolError('credentials_refused', 'Google refuses the access token', {
        hint: this.#lookAt(reason),
        details: refused,
      });
    }
    if (status >= 500) {
      if (effect === 'write') return this.#unknown(context, `${this.#service} answered ${status}`, details);
      return new ToolError('vendor_unavailable', `${this.#service} answered ${status}`, {
        retryable: true,
        hint: UNAVAILABLE,
        details,
      });
    }
    const meaning = (reason === undefined ? undefined : BY_REASON[reason]) ??
      BY_STATUS[status] ?? { code: 'vendor_refused', hint: 'Google refuses the request' };
    return new ToolError(meaning.code, message ?? `${this.#service} answered ${status}`, {
      retryable: meaning.retryable ?? false,
      hint: meaning.hint,
      details: refused,
    });
  }

  #unknown(context: ToolContext, why: string, details: Readonly<Record<string, unknown>> = {}): ToolError {
    return new ToolError('outcome_unknown', `${why}: whether ${this.#service} carried it out is not known`, {
      hint:
        context.idempotencyKey === undefined
          ? 'Look whether it happened before trying again; with an Idempotency-Key that could be asked'
          : 'Repeat with the same Idempotency-Key and Prefer: reconcile',
      details: { ...details, executed: 'maybe' },
    });
  }

  #lookAt(reason: string | undefined): string {
    const { kind } = this.#credentials;
    if (kind === 'service_account') {
      return reason === 'unauthorized_client' || reason === 'access_denied'
        ? 'Check GOOGLE_SUBJECT, and that domain-wide delegation grants this service account the scope of the bridge'
        : 'Check GOOGLE_SERVICE_ACCOUNT_JSON (its key may be deleted), GOOGLE_SUBJECT and the clock of this machine';
    }
    if (reason === 'invalid_client' || reason === 'unauthorized_client') {
      return 'Check GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET; the refresh token belongs to the client that got it';
    }
    return 'Check GOOGLE_REFRESH_TOKEN: it ended or was revoked; let the person consent again';
  }
}

/** ` (ECONNRESET)`, where the system gave a code. */
function codeOf(error: unknown): string {
  const code = (error as Thrown | null)?.code;
  return typeof code === 'string' && /^[A-Za-z_]{3,40}$/.test(code) ? ` (${code})` : '';
}

function said(error: unknown): Said {
  let data = (error as Thrown).response?.data;
  if (typeof data === 'string') {
    try {
      data = JSON.parse(data);
    } catch {
      return { reason: undefined, message: undefined };
    }
  }
  const body = (data as { error?: unknown } | null)?.error;
  if (typeof body === 'string') return { reason: bounded(body), message: undefined };
  const { message, status, errors, details } = (body ?? {}) as {
    readonly message?: unknown;
    readonly status?: unknown;
    readonly errors?: readonly { readonly reason?: unknown }[];
    readonly details?: readonly { readonly reason?: unknown }[];
  };
  const reason = errors?.[0]?.reason ?? details?.find((detail) => detail.reason !== undefined)?.reason ?? status;
  return { reason: bounded(reason), message: bounded(message) };
}

function bounded(text: unknown): string | undefined {
  return typeof text === 'string' && text !== '' ? text.slice(0, MAX_MESSAGE_CHARACTERS) : undefined;
}

function waitOf(error: unknown): { readonly retryAfterMs?: number } {
  const text = headerOf((error as Thrown).response?.headers, 'retry-after');
  if (text === undefined || text === '') return {};
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? { retryAfterMs: Math.min(Math.max(0, Math.ceil(ms)), MAX_RETRY_AFTER_MS) } : {};
}
