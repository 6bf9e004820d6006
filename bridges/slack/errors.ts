import type { Effect } from '../../core/call.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { Flight } from './flight.ts';

interface Meaning {
  readonly hint: string;
  readonly retryable?: boolean;
}

const TOKEN: Meaning = {
  hint: 'Slack does not take the token in SLACK_BOT_TOKEN: reinstall the app or copy its Bot User OAuth Token anew, then restart the bridge',
};
const CHANNEL: Meaning = {
  hint: 'Give a channel id that this bot can see (find_channel finds it by name); a private channel is seen only after the bot was invited',
};
const MEMBER: Meaning = {
  hint: 'The bot is no member of this channel: have somebody there type /invite @<the bot>, then call again',
};
const MESSAGE: Meaning = {
  hint: 'There is no message with this ts in this channel; channel_history and thread_replies show what there is',
};
const RESTRICTED: Meaning = { hint: 'A rule of the workspace forbids it; ask an administrator of the workspace' };
const BUSY: Meaning = { hint: 'Slack cannot take it just now and did nothing; try again later', retryable: true };
const CURSOR: Meaning = { hint: 'Give nextCursor of the page before, unchanged, or leave cursor out to begin anew' };

/** By Slack's error code. https://docs.slack.dev/reference/methods */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  not_authed: TOKEN,
  invalid_auth: TOKEN,
  token_revoked: TOKEN,
  token_expired: TOKEN,
  account_inactive: TOKEN,
  not_allowed_token_type: TOKEN,
  channel_not_found: CHANNEL,
  not_in_channel: MEMBER,
  is_archived: { hint: 'The channel is archived: nothing can be written there until somebody unarchives it' },
  message_not_found: MESSAGE,
  thread_not_found: MESSAGE,
  cannot_reply_to_message: { hint: 'This kind of message takes no replies; post in the channel instead' },
  cant_update_message: { hint: 'Only messages of this bot can be updated' },
  cant_delete_message: { hint: 'Only messages of this bot can be deleted' },
  edit_window_closed: { hint: 'The workspace no longer lets this message be edited; post a new one' },
  msg_too_long: { hint: 'Shorten the text, or send the rest as replies in its thread' },
  no_text: { hint: 'Give a text with something to read in it' },
  restricted_action: RESTRICTED,
  restricted_action_read_only_channel: RESTRICTED,
  restricted_action_thread_only_channel: { hint: 'Only replies are allowed in this channel: use reply_in_thread' },
  restricted_action_non_threadable_channel: { hint: 'No threads are allowed in this channel: use post_message' },
  access_denied: RESTRICTED,
  ekm_access_denied: RESTRICTED,
  time_in_past: { hint: 'Slack takes a time in the future only, at most 120 days ahead; post_message sends at once' },
  time_too_far: { hint: 'Slack schedules at most 120 days ahead' },
  restricted_too_many: { hint: 'At most 30 messages may be scheduled for one channel within five minutes' },
  invalid_time: { hint: 'Give an ISO 8601 time with its zone, e.g. 2027-06-12T09:00:00+02:00' },
  invalid_name: { hint: 'Give the name of an emoji of this workspace without colons, e.g. thumbsup' },
  too_many_emoji: { hint: 'The message has as many different reactions as Slack allows' },
  too_many_reactions: { hint: 'The bot has reacted to this message as often as Slack allows' },
  users_not_found: { hint: 'Nobody in this workspace has this address; list_users shows who there is' },
  user_not_found: { hint: 'Give ids of users of this workspace; list_users shows them' },
  user_disabled: { hint: 'This account is deactivated; list_users says who is active' },
  cannot_dm_bot: { hint: 'Slack lets a bot open no direct message with a bot; leave bots out' },
  invalid_cursor: CURSOR,
  ratelimited: BUSY,
  rate_limited: BUSY,
  service_unavailable: BUSY,
  team_added_to_org: BUSY,
  request_timeout: BUSY,
};

/** Slack says of these itself that some of it may have happened. */
const MAYBE_DONE = new Set(['fatal_error', 'internal_error']);

/** Failures of a connection that was never there, so that Slack got nothing. */
const NEVER_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_[A-Z]+|EHOSTUNREACH|ENETUNREACH|ENETDOWN|UND_ERR_CONNECT_TIMEOUT|CERT_[A-Z_]+|ERR_TLS_[A-Z_]+|ERR_SSL_[A-Z_]+|DEPTH_ZERO_[A-Z_]+|SELF_SIGNED_[A-Z_]+|UNABLE_TO_[A-Z_]+)$/;

/** What the SDK gives for `ok: false`. */
interface Refusal {
  readonly error: string;
  readonly needed?: unknown;
  readonly provided?: unknown;
  readonly response_metadata?: { readonly retryAfter?: unknown };
}

function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !('data' in error)) return undefined;
  const data = error.data as Partial<Refusal> | null;
  return typeof data?.error === 'string' ? { ...data, error: data.error } : undefined;
}

/** The system's own code, wherever it hides below the SDK's and fetch's errors. */
function systemCode(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    const { code, original } = at as { readonly code?: unknown; readonly original?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z_]+$/.test(code)) return code;
    at = original ?? at.cause;
  }
  return undefined;
}

/** Slack wants to be left alone; it did not run the request. */
export function rateLimited(method: string, retryAfterMs: number): ToolError {
  return new ToolError(
    'vendor_rate_limited',
    `Slack takes no more requests of the method ${method} for ${retryAfterMs} ms`,
    {
      retryable: true,
      hint: `Wait ${Math.ceil(retryAfterMs / 1_000)} s, then call again; send fewer of these calls`,
      details: { executed: 'no', vendor: 'slack', vendorCode: 'ratelimited', method, retryAfterMs },
    },
  );
}

/** Nobody knows whether Slack has done it. */
function uncertain(why: string, effect: Effect, keyed: boolean, flight: Flight, cause: unknown): ToolError {
  const where = { vendor: 'slack', method: flight.method };
  // A record of a keyed call would tell every later one to try again; of this one it can be asked what became of it.
  if (effect === 'write' || (effect === 'idempotent' && keyed)) {
    return new ToolError('outcome_unknown', `${why}: Slack may have done it or not`, {
      hint: keyed
        ? 'Repeat with the same Idempotency-Key and Prefer: reconcile to have Slack asked; do not send it under another key before'
        : 'Look first (channel_history, thread_replies, list_scheduled_messages); a call with an Idempotency-Key can be asked about',
      details: { executed: 'maybe', ...where },
      cause,
    });
  }
  return new ToolError('vendor_unavailable', why, {
    retryable: true,
    hint: effect === 'read' ? 'Try again later' : 'Call again later: doing it twice ends the same as doing it once',
    details: effect === 'read' ? where : { executed: 'maybe', ...where },
    cause,
  });
}

function refused({ error, needed, provided }: Refusal, method: string, cause: unknown): ToolError {
  const details = { vendor: 'slack', vendorCode: error, method };
  if (error === 'missing_scope') {
    const scope = typeof needed === 'string' ? needed : 'unknown';
    return new ToolError(error, `the bot token lacks the scope ${scope}`, {
      hint: `Add the bot scope ${scope} under OAuth & Permissions at api.slack.com/apps, reinstall the app, then call again`,
      details: { ...details, needed: scope, ...(typeof provided === 'string' ? { provided } : {}) },
      cause,
    });
  }
  const meaning = MEANINGS[error];
  return new ToolError(error, `Slack refuses ${method}: ${error}`, {
    retryable: meaning?.retryable ?? false,
    ...(meaning === undefined ? {} : { hint: meaning.hint }),
    details: meaning?.retryable ? { executed: 'no', ...details } : details,
    cause,
  });
}

/**
 * A failure of a request as the tool's answer. After a failure that leaves open whether Slack did it, a `write` and a
 * keyed change are `outcome_unknown`, and whatever may be done twice is worth repeating.
 * @param keyed whether the call can be asked about by its key
 */
export function toToolError(error: unknown, flight: Flight, effect: Effect, keyed: boolean): ToolError {
  if (error instanceof ToolError) return error;
  const { method, signal, retryAfterMs } = flight;
  if (retryAfterMs !== undefined) return rateLimited(method, retryAfterMs);
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    if (!/^[a-z][a-z0-9_]{1,63}$/.test(refusal.error)) {
      return uncertain('Slack answered something that is not its JSON', effect, keyed, flight, error);
    }
    if (MAYBE_DONE.has(refusal.error)) {
      return uncertain(`Slack broke off with ${refusal.error}`, effect, keyed, flight, error);
    }
    return refused(refusal, method, error);
  }
  if (flight.status !== undefined && flight.status >= 500) {
    return uncertain(`Slack answered HTTP ${flight.status}`, effect, keyed, flight, error);
  }
  if (flight.status !== undefined && flight.status >= 300) {
    return new ToolError('vendor_refused', `Slack answered HTTP ${flight.status}`, {
      hint: 'Something between this bridge and Slack refuses it: look at the network, a proxy, and SLACK_API_URL',
      details: { vendor: 'slack', method, httpStatus: flight.status },
      cause: error,
    });
  }
  const code = systemCode(error);
  if (!flight.sent || (code !== undefined && NEVER_SENT.test(code))) {
    if (signal.reason instanceof ToolError) return signal.reason;
    return new ToolError('vendor_unavailable', `Slack cannot be reached${code === undefined ? '' : ` (${code})`}`, {
      retryable: true,
      hint: 'Nothing was sent; try again later',
      details: { executed: 'no', vendor: 'slack', method },
      cause: error,
    });
  }
  if (signal.aborted) {
    const ended = signal.reason instanceof ToolError;
    if (ended && effect !== 'write') return signal.reason;
    const why = ended ? `the call ended (${signal.reason.code}) before Slack's answer` : 'Slack did not answer in time';
    return uncertain(why, effect, keyed, flight, error);
  }
  return uncertain('the connection to Slack broke before its answer was read', effect, keyed, flight, error);
}
