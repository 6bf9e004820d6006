import type { Effect } from '../../core/call.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { Flight } from './flight.ts';
import { BY_STATUS, MEANINGS } from './vendor-codes.ts';

/** Failures of a connection that was never there, so that Twilio got nothing. */
const NEVER_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_[A-Z]+|EHOSTUNREACH|ENETUNREACH|ENETDOWN|CERT_[A-Z_]+|ERR_TLS_[A-Z_]+|ERR_SSL_[A-Z_]+|DEPTH_ZERO_[A-Z_]+|SELF_SIGNED_[A-Z_]+|UNABLE_TO_[A-Z_]+)$/;
/** Where Twilio says 429 without saying for how long. */
const DEFAULT_RETRY_AFTER_MS = 1_000;
const MAX_MESSAGE_CHARS = 300;

/** What the SDK makes of an answer that says no. */
interface Refusal {
  readonly status: number;
  readonly code?: unknown;
  readonly message?: unknown;
}

/** What an error is judged by, beside its flight. */
export interface Circumstances {
  readonly effect: Effect;
  /** The call's own signal: tells the caller's end from the request's time-out. */
  readonly cancelled: AbortSignal;
  readonly accountSid: string;
}

/** A refusal is an answer, and on record under its key. */
const UNDER_A_NEW_KEY = { read: '', idempotent: '', write: ', under a new Idempotency-Key' } as const;

function notDone(effect: Effect): Readonly<Record<string, string>> {
  return effect === 'write' ? { executed: 'no' } : {};
}

/** Twilio took nothing and wants to be left alone. */
export function rateLimited(
  retryAfterMs: number,
  effect: Effect,
  details: Readonly<Record<string, unknown>> = {},
): ToolError {
  return new ToolError(
    'vendor_rate_limited',
    `Twilio takes no more requests for ${retryAfterMs} ms; nothing was done`,
    {
      retryable: true,
      hint: `Wait ${retryAfterMs} ms, then call again${UNDER_A_NEW_KEY[effect]}`,
      details: { ...details, ...notDone(effect), retryAfterMs },
    },
  );
}

/** Nobody can say whether the write took effect. */
export function outcomeUnknown(why: string, details: Readonly<Record<string, unknown>> = {}): ToolError {
  return new ToolError('outcome_unknown', `${why}: it may have been done or not, and is not done again`, {
    hint: 'Repeat with the same Idempotency-Key and Prefer: reconcile, or look with list_messages, before doing it again',
    details: { ...details, executed: 'maybe' },
  });
}

/** Any failure of a request as what it means to the caller. */
export function toToolError(thrown: unknown, flight: Flight, circumstances: Circumstances): unknown {
  if (thrown instanceof ToolError && !flight.sent) return thrown;
  const { effect, cancelled } = circumstances;
  if (isRefusal(thrown)) return refused(thrown, flight, circumstances);
  if (flight.sent && NEVER_SENT.test(codeOf(thrown))) {
    return new ToolError('vendor_unreachable', `Twilio cannot be reached (${codeOf(thrown)}); nothing was done`, {
      retryable: true,
      hint: `Try again later${UNDER_A_NEW_KEY[effect]}; the operator checks network and DNS of this server`,
      details: notDone(effect),
    });
  }
  if (!flight.sent && !flight.signal.aborted) return thrown;
  if (flight.sent && effect === 'write') {
    if (flight.status !== undefined) return outcomeUnknown('Twilio answered, but its answer cannot be read');
    return outcomeUnknown(flight.signal.aborted ? 'Twilio did not answer in time' : 'the connection to Twilio broke');
  }
  if (cancelled.aborted) return cancelled.reason;
  if (flight.signal.aborted) {
    return new ToolError('vendor_timeout', 'Twilio did not answer in time', {
      retryable: true,
      hint: 'Try again later',
    });
  }
  if (flight.status !== undefined) {
    return new ToolError('vendor_malformed', 'the answer of Twilio cannot be read', {
      retryable: true,
      hint: 'Try again later',
    });
  }
  return new ToolError('vendor_unreachable', 'the connection to Twilio broke', {
    retryable: true,
    hint: 'Try again later',
  });
}

function isRefusal(thrown: unknown): thrown is Error & Refusal {
  return (
    thrown instanceof Error &&
    'status' in thrown &&
    typeof thrown.status === 'number' &&
    /^(?:RestException|TwilioServiceException)$/.test(thrown.constructor.name)
  );
}

function refused({ status, code, message }: Refusal, flight: Flight, circumstances: Circumstances): ToolError {
  const vendorCode = typeof code === 'number' ? code : undefined;
  const details = { vendorStatus: status, ...(vendorCode === undefined ? {} : { vendorCode }) };
  const meaning = (vendorCode === undefined ? undefined : MEANINGS[vendorCode]) ?? BY_STATUS[status];
  if (meaning?.code === 'vendor_rate_limited') {
    return rateLimited(flight.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS, circumstances.effect, details);
  }
  if (meaning === undefined && (status >= 500 || status < 400)) {
    if (circumstances.effect === 'write') return outcomeUnknown(`Twilio answered ${status}`, details);
    return new ToolError('vendor_unavailable', `Twilio answered ${status}`, {
      retryable: true,
      hint: 'Try again later; status.twilio.com says whether there is an outage',
      details,
    });
  }
  return new ToolError(meaning?.code ?? 'vendor_refused', said(message, status, circumstances.accountSid), {
    retryable: meaning?.retryable ?? false,
    ...(meaning === undefined ? {} : { hint: meaning.hint }),
    details: { ...details, ...notDone(circumstances.effect) },
  });
}

/** Twilio's own words in one short line, without the account's name. */
function said(message: unknown, status: number, accountSid: string): string {
  if (typeof message !== 'string' || message === '') return `Twilio refused the request (${status})`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = message.replace(/[\u0000-\u001f\u007f]+/g, ' ').replaceAll(accountSid, 'AC…');
  return `Twilio: ${line.slice(0, MAX_MESSAGE_CHARS)}`;
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}
